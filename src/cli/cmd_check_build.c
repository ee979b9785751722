/* cmd_check_build.c - nextcache check-build: is the build whole, before it goes live?
 *
 * For pipelines: its exit code says whether the build may go live. The checks are in
 * build_check.c, because doctor and recover make them, too.
 */
#include "build_check.h"
#include "commands.h"

int cli_cmd_check_build(const cli_command *self, int argc, char **argv) {
  bool json = false;
  int code;
  cli_build build;
  const cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "as JSON"}, {0}};

  int n = cli_parse(self, options, argc, argv, &code);
  if (n < 0) return code;
  if (n > 1) return cli_fail(CLI_USAGE, "check-build: one directory at most");
  cli_build_check(n ? "." : cli_where()->root, n ? argv[0] : ".next", &build);
  if (json) {
    code = json_array_size(build.problems) ? CLI_PROBLEM : CLI_OK;
    cli_put_json(json_pack("{s:s, s:s?, s:s?, s:i, s:O}", "dist", build.dist, "build_id",
                           build.build_id, "handler", build.handler, "files", (int)build.files,
                           "problems", build.problems));
  } else {
    code = cli_build_report(&build);
  }
  cli_build_release(&build);
  return code;
}
