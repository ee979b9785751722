/* cmd_resize.c - nextcache resize: a new bound for the disk tier.
 *
 * A bound belongs to the index, which all processes map: it changes by a new index in the place
 * of the old one, and only while no process has that open. Opening with another bound does so.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define SMALLEST (UINT64_C(8) << 20)

static void tell_processes(const nxc_process *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (list[i].pid) {
      cli_warn("process %lld has the cache open: %s", (long long)list[i].pid, list[i].command);
    } else {
      cli_warn("a process in another container has the cache open");
    }
  }
}

/* While others have it open the bound that they know holds. */
static int refuse_if_used(const nxc_view *view) {
  nxc_process *list;
  size_t count;
  if (nxc_view_processes(view, &list, &count) != NXC_OK) {
    return cli_fail(CLI_UNREADABLE, "out of memory");
  }
  tell_processes(list, count);
  free(list);
  return count ? cli_fail(CLI_PROBLEM, "stop them first, and then start them with "
                                       "NEXT_CACHE_MAX_DISK_SIZE set to the new size")
               : CLI_OK;
}

static int resize(uint64_t bytes) {
  char trouble[CLI_TROUBLE_BYTES] = "no reason was given";
  nxc_stats stats = {.disk = 0};

  int code = cli_settle(bytes, &stats, trouble);
  if (code != CLI_OK) return code;
  /* A process that came first meanwhile makes the old bound hold: the numbers decide, not the
   * result of the call. */
  if (stats.disk && stats.disk_limit_bytes == bytes) return CLI_OK;
  return cli_fail(CLI_UNREADABLE, "%s", trouble);
}

int cli_cmd_resize(const cli_command *self, int argc, char **argv) {
  uint64_t bytes;
  int code;
  nxc_view *view;
  nxc_shape shape;
  const cli_option options[] = {{0}};

  int n = cli_parse(self, options, argc, argv, &code);
  if (n < 0) return code;
  if (n != 1) return cli_fail(CLI_USAGE, "resize: one size is needed, such as 2GB");
  if (!cli_parse_size(argv[0], &bytes) || bytes < SMALLEST) {
    return cli_fail(CLI_USAGE, "resize: \"%s\" should be a size such as 2GB, at least 8MB",
                    argv[0]);
  }
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  nxc_view_shape(view, &shape);
  code = refuse_if_used(view);
  nxc_view_close(view);
  if (code != CLI_OK) return code;
  if (shape.limit_bytes == bytes) {
    puts("it has that size already");
    return CLI_OK;
  }
  code = resize(bytes);
  if (code != CLI_OK) return code;
  printf("%s instead of %s; the entries are gone, invalidations are kept\n"
         "start servers with NEXT_CACHE_MAX_DISK_SIZE=%s, or they change it back\n",
         cli_bytes(bytes).text, cli_bytes(shape.limit_bytes).text, argv[0]);
  return CLI_OK;
}
