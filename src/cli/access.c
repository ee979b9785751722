/* access.c - opening what the place holds, as the user that it belongs to. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

int cli_become(unsigned uid, unsigned gid) {
  /* A file of root in another user's cache would be one that its servers cannot open. The groups
   * go first: they could not be given up any more afterwards. */
  if (geteuid() != 0 || uid == 0) return CLI_OK;
  if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
    return cli_fail(CLI_UNREADABLE, "cannot become uid %u, the owner: %s", uid, strerror(errno));
  }
  return CLI_OK;
}

/* "Not there" is a code of its own, because scripts treat it as fine. */
static int exit_code(int result) {
  return result == NXC_MISS ? CLI_ABSENT : CLI_UNREADABLE;
}

int cli_view(nxc_view **out) {
  const char *dir = cli_where()->dir;
  char problem[512];
  uint32_t uid, gid;

  *out = NULL;
  if (nxc_view_owner(dir, &uid, &gid) == NXC_OK) {
    int code = cli_become(uid, gid);
    if (code != CLI_OK) return code;
  }
  int rc = nxc_view_open(out, dir, problem, sizeof problem);
  return rc == NXC_OK ? CLI_OK : cli_fail(exit_code(rc), "%s", problem);
}

static void tell(void *unused, const char *message) {
  (void)unused;
  cli_warn("%s", message);
}

int cli_cache(const nxc_view *view, nxc_cache **out) {
  nxc_options options;
  nxc_shape shape;
  nxc_stats stats;

  nxc_view_shape(view, &shape);
  nxc_options_init(&options);
  options.dir = cli_where()->dir;
  /* What a tool reads is not what servers will ask for. */
  options.memory_bytes = 0;
  /* If it is made anew, then as it was. */
  options.disk_bytes = shape.limit_bytes;
  options.tag_rows = shape.tag_rows;
  options.on_error = tell;
  int rc = nxc_open(out, &options);
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "%s: %s", options.dir, nxc_strerror(rc));
  if (nxc_stats_get(*out, &stats) == NXC_OK && stats.disk) return CLI_OK;
  nxc_close(*out); /* what it told has the reason */
  return CLI_UNREADABLE;
}
