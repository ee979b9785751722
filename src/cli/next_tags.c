/* next_tags.c - all spellings of a tag become one: percent-encoding is decoded, a path
 * does not end in a slash, and the index is "/".
 */
#include "next_tags.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#ifdef CLI_HAS_CRYPTO
#include <openssl/evp.h>
#endif

#define PATH_TAG "_N_T_"

/* The byte that three characters stand for; -1: they stand for themselves. */
static int encoded(const char *from) {
  unsigned byte;
  return from[0] == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]) &&
                 sscanf(from + 1, "%2x", &byte) == 1 && byte
             ? (int)byte
             : -1;
}

/* Each run of encoded bytes by itself: one that is no UTF-8 stays as it is. */
static char *decode(const char *tag) {
  char *out = cli_strdup(tag), *to = out;
  for (const char *from = tag; *from;) {
    size_t n = 0;
    for (int byte; (byte = encoded(from + 3 * n)) >= 0; n++) to[n] = (char)byte;
    json_t *text = n ? json_stringn(to, n) : NULL;
    if (text) {
      to += n;
      from += 3 * n;
    } else {
      size_t length = n ? 3 * n : 1;
      memcpy(to, from, length);
      to += length;
      from += length;
    }
    json_decref(text);
  }
  *to = '\0';
  return out;
}

static char *normalize(const char *tag) {
  char *text = decode(tag);
  size_t n = strlen(text), prefix = strlen(PATH_TAG);
  if (strncmp(text, PATH_TAG, prefix) != 0) return text;
  if (strcmp(text + prefix, "/index") == 0)
    text[prefix + 1] = '\0';
  else if (n > prefix + 1 && text[n - 1] == '/')
    text[n - 1] = '\0';
  return text;
}

static void keep(cli_tags *tags, char *tag) {
  tags->items = cli_alloc(tags->items, (tags->count + 1) * sizeof *tags->items);
  tags->items[tags->count++] = tag;
}

/* nextcache:route:<sha256 of the route>; NULL: not in this build. */
static char *route_tag(const char *route, size_t size) {
#ifdef CLI_HAS_CRYPTO
  unsigned char digest[EVP_MAX_MD_SIZE];
  char hex[2 * EVP_MAX_MD_SIZE + 1];
  unsigned n = 0;
  if (EVP_Digest(route, size, digest, &n, EVP_sha256(), NULL) != 1) return NULL;
  for (unsigned i = 0; i < n; i++) snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
  return cli_format("nextcache:route:%s", hex);
#else
  (void)route, (void)size;
  return NULL;
#endif
}

/* Of "_N_T_/blog/[slug]/page" the route is "/blog/[slug]", of "_N_T_/page" it is "/". */
static bool add_route(cli_tags *tags, const char *tag) {
  static const char *const ends[] = {"/page", "/layout"};
  size_t n = strlen(tag), prefix = strlen(PATH_TAG);
  if (strncmp(tag, PATH_TAG, prefix) != 0) return true;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    size_t end = strlen(ends[i]);
    if (n < prefix + end || strcmp(tag + n - end, ends[i]) != 0) continue;
    size_t size = n - prefix - end;
    if (size && tag[prefix] != '/') continue;
    char *pages = size ? route_tag(tag + prefix, size) : route_tag("/", 1);
    if (!pages) return false;
    keep(tags, pages);
  }
  return true;
}

bool cli_tags_add(cli_tags *tags, const char *tag) {
  char *text = normalize(tag);
  keep(tags, text);
  return add_route(tags, text);
}

bool cli_tags_add_path(cli_tags *tags, const char *path, const char *type) {
  size_t n = strlen(path);
  const char *slash = n && path[n - 1] == '/' ? "" : "/";
  char *tag =
      type ? cli_format(PATH_TAG "%s%s%s", path, slash, type) : cli_format(PATH_TAG "%s", path);
  bool whole = cli_tags_add(tags, tag);
  free(tag);
  return whole;
}

void cli_tags_free(cli_tags *tags) {
  for (size_t i = 0; i < tags->count; i++) free(tags->items[i]);
  free(tags->items);
}
