/* cmd_invalidate.c - nextcache invalidate: the marks of revalidateTag and
 * revalidatePath, which running servers obey at once.
 *
 * What next/cache marks for revalidateTag and revalidatePath is more than the tag that it was
 * given: next_tags.c knows what. The reason is noted after the mark, so that no list names an
 * invalidation that was not made.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "next_tags.h"

static int mark(const cli_tags *tags, int64_t dead_after_ms) {
  nxc_view *view;
  nxc_cache *cache;
  nxc_shape shape;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  nxc_view_shape(view, &shape);
  cli_warn_of_others(view);
  nxc_view_close(view);
  code = cli_cache(&shape, &cache);
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
  cli_list paths = {NULL, 0};
  cli_tags tags = {NULL, 0};
  bool whole = true;
  const char *type = NULL, *reason = NULL;
  bool stale = false;
  double expire = -1;
  int code;
  const cli_option options[] = {
      {"path", CLI_LIST, &paths, "PATH", "what revalidatePath(PATH) marks; may be repeated"},
      {"type", CLI_TEXT, &type, "page|layout", "of the paths, as in revalidatePath"},
      {"stale", CLI_FLAG, &stale, NULL, "serve it once more while it is refreshed"},
      {"expire", CLI_SECONDS, &expire, "SECONDS", "with --stale: dead after that time"},
      {"reason", CLI_TEXT, &reason, "TEXT", "why, for nextcache tags --reasons and the dashboard"},
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
  for (int i = 0; i < n; i++) {
    if (!*argv[i]) return cli_fail(CLI_USAGE, "invalidate: a tag is empty");
    whole = cli_tags_add(&tags, argv[i]) && whole;
  }
  for (size_t i = 0; i < paths.count; i++) {
    whole = cli_tags_add_path(&tags, paths.items[i], type) && whole;
  }
  if (!whole) {
    cli_warn(
        "pages of the Pages router are not reached by their route: this build has no libcrypto "
        "(apt install libssl-dev, and build again)");
  }
  code = mark(&tags, !stale ? 0 : expire < 0 ? NXC_NEVER : (int64_t)(expire * 1000));
  if (code == CLI_OK && reason) {
    cli_reasons_add("nextcache invalidate", reason, (const char *const *)tags.items, tags.count);
  }
  cli_tags_free(&tags);
  return code;
}
