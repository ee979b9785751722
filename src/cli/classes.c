/* classes.c - what the Node.js handlers mean by classes and keys:
 *
 *   p:<build>:<key>  pages and route handlers; since Next 16.3.8 the key is
 *                    /route-cache/<KIND>/<hash>/$/<path>
 *   f:<key>          fetches        u:<build>:<key>  'use cache'
 *   i:<key>          images
 */
#include <string.h>

#include "cli.h"

#define USE_CACHE 4

const char *const cli_class_names[CLI_CLASSES] = {"other",   "pages",     "routes",
                                                  "fetches", "use-cache", "images"};

const char *cli_class_name(unsigned class_id) {
  return class_id < CLI_CLASSES ? cli_class_names[class_id] : "other";
}

static nxc_slice from(nxc_slice s, const char *at) {
  const char *begin = s.data;
  return (nxc_slice){at, s.size - (size_t)(at - begin)};
}

/* Behind the n-th colon; the whole when there are fewer. Build ids have no colon; what comes
 * behind may. */
static nxc_slice behind_colons(nxc_slice key, int n) {
  const char *at = key.data, *end = at + key.size;
  for (int i = 0; i < n; i++) {
    at = at < end ? memchr(at, ':', (size_t)(end - at)) : NULL;
    if (!at) return key;
    at++;
  }
  return from(key, at);
}

nxc_slice cli_name_of(unsigned class_id, nxc_slice key) {
  static const char scope[] = "/route-cache/";
  const char *text = key.data;
  if (class_id == 0 || class_id >= CLI_CLASSES || key.size < 2 || text[1] != ':') return key;
  nxc_slice name = behind_colons(key, text[0] == 'p' || text[0] == 'u' ? 2 : 1);
  if (name.size < sizeof scope || memcmp(name.data, scope, sizeof scope - 1) != 0) return name;
  const char *path = memmem(name.data, name.size, "/$/", 3);
  return path ? from(name, path + 2) : name;
}

/* Of ["<id of the function>",[arguments],["<build>"]] only the id. */
nxc_slice cli_shown_name(unsigned class_id, nxc_slice name) {
  const char *text = name.data;
  if (class_id != USE_CACHE || name.size < 2 || text[0] != '[' || text[1] != '"') return name;
  const char *end = memchr(text + 2, '"', name.size - 2);
  return end ? (nxc_slice){text + 2, (size_t)(end - text) - 2} : (nxc_slice){text, 2};
}

const char *cli_state(const nxc_seen *seen) {
  switch (seen->result) {
  case NXC_OK: return "fresh";
  case NXC_STALE: return "stale";
  case NXC_MISS: return "dead";
  default: return "damaged";
  }
}

char *cli_why(const nxc_seen *seen) {
  switch (seen->why) {
  case NXC_WHY_NONE: return cli_strdup("a get would be a hit");
  case NXC_WHY_ABSENT: return cli_strdup("there is no such entry");
  case NXC_WHY_TAG: return cli_format("the tag \"%s\" was marked after it was made", seen->why_tag);
  case NXC_WHY_AGE:
    return cli_strdup(seen->result == NXC_STALE ? "older than its revalidate time"
                                                : "older than its expire time");
  case NXC_WHY_FUTURE: return cli_strdup("born or created in the future");
  case NXC_WHY_FLOOR: return cli_strdup("older than the oldest invalidation still remembered");
  case NXC_WHY_CORRUPT: return cli_strdup("its bytes are damaged");
  case NXC_WHY_ERROR:
  default: return cli_strdup("the disk answered with an error");
  }
}
