/* cmd_recover.c - nextcache recover: the emergency procedure, in its order.
 *
 * Who works with the project, is the cache intact, make it so, is the build whole, how
 * to start. What is damaged is removed; what is intact stays. It may be run while
 * servers run, and more than once.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_check.h"
#include "commands.h"
#include "servers.h"

static void say(const char *step, cli_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const char *step, cli_style style, const char *format, ...) {
  va_list arguments;
  printf("%s%-9s%s ", cli_style_of(style), step, cli_style_of(CLI_RESET));
  va_start(arguments, format);
  char *text = cli_vformat(format, arguments);
  va_end(arguments);
  cli_put_line(stdout, text);
  free(text);
  fflush(stdout);
}

/* ---- the steps ------------------------------------------------------------------------ */

/* They need not be stopped for what follows; it is for who cannot tell why a server misbehaves. */
static void name_processes(const char *dist) {
  cli_server *list;
  char *path = cli_below(cli_where()->root, dist);
  size_t n = cli_servers(cli_where()->root, path, &list);
  for (size_t i = 0; i < n; i++) {
    say("running", CLI_YELLOW, "process %ld: %s; to stop it: kill %ld", list[i].pid,
        list[i].command, list[i].pid);
  }
  if (!n) say("running", CLI_GREEN, "no process of Next.js works in %s", cli_where()->root);
  free(list);
  free(path);
}

typedef struct cure {
  nxc_view *view;
  uint64_t intact, forgotten, unreadable;
} cure;

/* A damaged entry is a miss as it is. It is removed so that it is not counted, and not looked at,
 * again and again. */
static int heal(void *arg, const nxc_seen *seen) {
  cure *c = arg;
  cli_progress("verifying", seen->number, seen->count);
  c->intact += seen->entry != NULL;
  if (seen->result == NXC_E_FORMAT) c->forgotten += (uint64_t)nxc_view_forget(c->view, seen);
  c->unreadable += seen->result == NXC_E_IO;
  return 1;
}

static int heal_entries(nxc_view *view) {
  cure c = {.view = view};
  if (nxc_view_each(view, heal, &c) != NXC_OK) return cli_fail(CLI_UNREADABLE, "out of memory");
  cli_progress_end();
  if (c.unreadable) {
    say("cache", CLI_RED, "%s entries cannot be read: the disk is failing; move the cache (%s)",
        cli_count(c.unreadable).text, "NEXT_CACHE_DIR");
    return CLI_PROBLEM;
  }
  if (c.forgotten) {
    say("cache", CLI_YELLOW, "%s removed, because of damage",
        cli_things(c.forgotten, "entry", "entries").text);
  }
  say("cache", CLI_GREEN, "%s intact", cli_things(c.intact, "entry", "entries").text);
  return CLI_OK;
}

/* Opening replaces what is no cache any more; nothing from before is believed then. */
static int make_anew(void) {
  char trouble[CLI_TROUBLE_BYTES] = "";
  const char *wanted = cli_setting("NEXT_CACHE_MAX_DISK_SIZE", NULL);
  nxc_stats stats = {.disk = 0};
  uint64_t bytes;

  /* As servers would make it, so that the next start finds the size that it wants. */
  if (!wanted || !cli_parse_size(wanted, &bytes)) bytes = NXC_ADOPT;
  int code = cli_settle(bytes, &stats, trouble);
  if (code != CLI_OK) return code;
  if (!stats.disk) {
    say("cache", CLI_RED, "%s", trouble);
    return CLI_UNREADABLE;
  }
  say("cache", CLI_YELLOW, "made anew, empty");
  return CLI_OK;
}

static int heal_cache(void) {
  const char *dir = cli_where()->dir;
  char problem[512];
  nxc_view *view;

  int code = cli_become_owner();
  if (code != CLI_OK) return code;
  int rc = nxc_view_open(&view, dir, problem, sizeof problem);
  if (rc == NXC_OK) {
    code = heal_entries(view);
    nxc_view_close(view);
    return code;
  }
  if (rc == NXC_MISS) {
    say("cache", CLI_GREEN, "%s; %s", problem, cli_view_remedy(rc));
    return CLI_OK;
  }
  say("cache", CLI_RED, "%s", problem);
  return rc == NXC_E_FORMAT ? make_anew() : CLI_UNREADABLE;
}

static int check_build(const char *dist) {
  cli_build build;
  cli_build_check(cli_where()->root, dist, &build);
  int code = cli_build_report(&build);
  if (code == CLI_OK) {
    char *standalone = cli_format("%s/standalone/server.js", build.dist);
    bool there = access(standalone, F_OK) == 0;
    say("start", CLI_GREEN, there ? "node %s/standalone/server.js" : "npm start (next start)",
        build.dist);
    free(standalone);
  } else {
    say("start", CLI_RED, "not before the build is whole: nextcache clear --build && next build");
  }
  cli_build_release(&build);
  return code;
}

int cli_cmd_recover(const cli_command *self, int argc, char **argv) {
  const char *dist = ".next";
  int code;
  const cli_option options[] = {
      {"dist", CLI_TEXT, &dist, "DIR", "the build output, where distDir is another"}, {0}};

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  name_processes(dist);
  /* Both, whatever the first says: who is in trouble wants to know all of it at once. */
  int cache = heal_cache();
  int build = check_build(dist);
  return cache != CLI_OK ? cache : build;
}
