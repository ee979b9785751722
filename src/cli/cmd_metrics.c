/* cmd_metrics.c - nextcache metrics: the counters for Prometheus, once or over HTTP.
 *
 * No series carries a process id: what a process counted stays in the totals when it
 * ends, so counters never fall.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "http.h"

/* ---- text ------------------------------------------------------------------------------ */

static const char down[] = "# HELP nextcache_up Whether the cache could be read.\n"
                           "# TYPE nextcache_up gauge\n"
                           "nextcache_up 0\n";

static int once(void) {
  nxc_view *view;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  char *text = nxc_metrics_text(view, NULL, cli_class_names, CLI_CLASSES);
  nxc_view_close(view);
  if (!text) return cli_fail(CLI_UNREADABLE, "out of memory");
  fputs(text, stdout);
  free(text);
  return CLI_OK;
}

/* ---- over HTTP ----------------------------------------------------------------------------- */

static bool scrape(const char *path, uint64_t unused, cli_page *out) {
  char *text, problem[512]; /* names a path, and so stays here */
  nxc_view *view;
  (void)unused;
  if (strcmp(path, "/metrics") != 0) return false;
  if (nxc_view_open(&view, cli_where()->dir, problem, sizeof problem) == NXC_OK) {
    text = nxc_metrics_text(view, NULL, cli_class_names, CLI_CLASSES);
    nxc_view_close(view);
  } else {
    text = cli_strdup(down);
  }
  if (!text) return false;
  out->body = text;
  out->size = strlen(text);
  out->ours = true;
  out->type = "text/plain; version=0.0.4; charset=utf-8";
  return true;
}

int cli_cmd_metrics(const cli_command *self, int argc, char **argv) {
  cli_site site = {.command = self->name, .path = "/metrics", .page = scrape};
  int code;
  const cli_option options[] = {CLI_SERVE_OPTIONS(site), {0}};
  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  return site.address ? cli_serve(&site) : once();
}
