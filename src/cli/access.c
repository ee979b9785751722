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

int cli_become_owner(void) {
  uint32_t uid, gid;
  if (nxc_view_owner(cli_where()->dir, &uid, &gid) != NXC_OK) return CLI_OK;
  return cli_become(uid, gid);
}

const char *cli_view_remedy(int result) {
  if (result == NXC_MISS) return "the first start of a server makes it";
  return result == NXC_E_FORMAT ? "nextcache recover does that now" : NULL;
}

int cli_view(nxc_view **out) {
  const char *dir = cli_where()->dir;
  char problem[512];

  *out = NULL;
  int code = cli_become_owner();
  if (code != CLI_OK) return code;
  int rc = nxc_view_open(out, dir, problem, sizeof problem);
  if (rc == NXC_OK) return CLI_OK;
  const char *remedy = cli_view_remedy(rc);
  /* A code of its own, because scripts treat it as fine; and whoever looks in the wrong
   * place wants to know what named it. */
  if (rc == NXC_MISS) {
    return cli_fail(CLI_ABSENT, "%s (from %s); %s", problem, cli_where()->source, remedy);
  }
  return cli_fail(CLI_UNREADABLE, "%s%s%s", problem, remedy ? "; " : "", remedy ? remedy : "");
}

/* What it means for a server is no matter of a tool. */
static void tell(void *unused, const char *message) {
  static const char server[] = "; the cache lives in memory only";
  const char *end = strstr(message, server);
  (void)unused;
  cli_warn("%.*s", end ? (int)(end - message) : (int)strlen(message), message);
}

int cli_cache(const nxc_shape *shape, nxc_cache **out) {
  nxc_options options;
  nxc_stats stats;

  nxc_options_init(&options);
  options.dir = cli_where()->dir;
  /* What a tool reads is not what servers will ask for. */
  options.memory_bytes = 0;
  /* If it is made anew, then as it was. */
  options.disk_bytes = shape->limit_bytes;
  options.tag_rows = shape->tag_rows;
  options.on_error = tell;
  int rc = nxc_open(out, &options);
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "%s: %s", options.dir, nxc_strerror(rc));
  if (nxc_stats_get(*out, &stats) == NXC_OK && stats.disk) return CLI_OK;
  nxc_close(*out); /* what it told has the reason */
  return CLI_UNREADABLE;
}

static void keep(void *trouble, const char *message) {
  snprintf(trouble, CLI_TROUBLE_BYTES, "%s", message);
}

int cli_settle(uint64_t disk_bytes, nxc_stats *stats, char trouble[CLI_TROUBLE_BYTES]) {
  nxc_options options;
  nxc_cache *cache;

  nxc_options_init(&options);
  options.dir = cli_where()->dir;
  options.memory_bytes = 0;
  options.disk_bytes = disk_bytes;
  options.on_error = keep;
  options.on_error_arg = trouble;
  int rc = nxc_open(&cache, &options);
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "%s", nxc_strerror(rc));
  nxc_stats_get(cache, stats);
  nxc_close(cache);
  return CLI_OK;
}
