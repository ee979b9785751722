/* cmd_invalidate.c - nextcache invalidate: the marks of revalidateTag and
 * revalidatePath, which running servers obey at once.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

/* Next.js writes some tags percent-encoded: the one spelling is decoded. A text that
 * is not well encoded stays as it is. */
static char *normalize(const char *tag) {
  char *out = cli_strdup(tag), *to = out;
  for (const char *from = tag; *from; from++) {
    unsigned byte;
    if (*from != '%') {
      *to++ = *from;
    } else if (isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]) &&
               sscanf(from + 1, "%2x", &byte) == 1 && byte) {
      *to++ = (char)byte;
      from += 2;
    } else {
      return strcpy(out, tag);
    }
  }
  *to = '\0';
  return out;
}

static void add(cli_list *tags, char *tag) {
  tags->items = cli_alloc(tags->items, (tags->count + 1) * sizeof *tags->items);
  tags->items[tags->count++] = tag;
}

/* What revalidatePath(path, type) marks. */
static void add_path(cli_list *tags, const char *given, const char *type) {
  char *path = cli_strdup(given);
  size_t n = strlen(path);
  if (n > 1 && path[n - 1] == '/') path[n - 1] = '\0';
  bool is_root = strcmp(path, "/") == 0;
  if (type) {
    add(tags, cli_format(is_root ? "_N_T_%s%s" : "_N_T_%s/%s", path, type));
  } else {
    add(tags, cli_format("_N_T_%s", path));
    if (is_root) add(tags, cli_strdup("_N_T_/index"));
    if (strcmp(path, "/index") == 0) add(tags, cli_strdup("_N_T_/"));
  }
  free(path);
}

static int mark(const cli_list *tags, int64_t dead_after_ms) {
  nxc_view *view;
  nxc_cache *cache;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  code = cli_cache(view, &cache);
  nxc_view_close(view);
  if (code != CLI_OK) return code;
  nxc_slice *slices = cli_alloc(NULL, tags->count * sizeof *slices);
  for (size_t i = 0; i < tags->count; i++) {
    slices[i] = (nxc_slice){tags->items[i], strlen(tags->items[i])};
  }
  int rc = nxc_mark(cache, slices, tags->count, dead_after_ms);
  free(slices);
  nxc_close(cache);
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "%s", nxc_strerror(rc));
  printf("marked %zu %s %s\n", tags->count, tags->count == 1 ? "tag" : "tags",
         dead_after_ms ? "stale" : "dead");
  return CLI_OK;
}

int cli_cmd_invalidate(const cli_command *self, int argc, char **argv) {
  cli_list paths = {NULL, 0}, tags = {NULL, 0};
  const char *type = NULL;
  bool stale = false;
  double expire = -1;
  int code;
  const cli_option options[] = {
      {"path", CLI_LIST, &paths, "PATH", "what revalidatePath(PATH) marks; may be repeated"},
      {"type", CLI_TEXT, &type, "TYPE", "of the paths: page or layout, as in revalidatePath"},
      {"stale", CLI_FLAG, &stale, NULL, "serve it once more while it is refreshed"},
      {"expire", CLI_SECONDS, &expire, "SECONDS", "with --stale: dead after that time"},
      {0},
  };

  int n = cli_parse(self, options, argc, argv, &code);
  if (n < 0) return code;
  if (n == 0 && !paths.count) return cli_fail(CLI_USAGE, "invalidate: a tag or --path is needed");
  if (expire >= 0 && !stale) return cli_fail(CLI_USAGE, "invalidate: --expire goes with --stale");
  if (type && strcmp(type, "page") != 0 && strcmp(type, "layout") != 0) {
    return cli_fail(CLI_USAGE, "invalidate: --type is \"%s\"; it should be page or layout", type);
  }
  for (size_t i = 0; i < paths.count; i++) {
    if (paths.items[i][0] == '/') continue;
    return cli_fail(CLI_USAGE, "invalidate: the path \"%s\" must begin with /", paths.items[i]);
  }
  for (int i = 0; i < n; i++) add(&tags, normalize(argv[i]));
  for (size_t i = 0; i < paths.count; i++) {
    char *path = normalize(paths.items[i]);
    add_path(&tags, path, type);
    free(path);
  }
  code = mark(&tags, !stale ? 0 : expire < 0 ? NXC_NEVER : (int64_t)(expire * 1000));
  for (size_t i = 0; i < tags.count; i++) free((void *)(uintptr_t)tags.items[i]);
  free(tags.items);
  return code;
}
