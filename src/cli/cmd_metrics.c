/* cmd_metrics.c - nextcache metrics: the counters for Prometheus, once or over HTTP.
 *
 * No series carries a process id: what a process counted stays in the totals when it
 * ends, so counters never fall.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "http.h"

/* ---- text ------------------------------------------------------------------------------ */

static void put_counters(FILE *to, const nxc_stats *stats) {
  for (const cli_counter *c = cli_counters; c->name; c++) {
    fprintf(to, "# HELP nextcache_%s %s\n# TYPE nextcache_%s %s\n", c->metric, c->help, c->metric,
            c->gauge ? "gauge" : "counter");
    for (unsigned i = 0; i < (c->by_class ? CLI_CLASSES : 1); i++) {
      uint64_t n = cli_counter_of(c, stats, i);
      if (c->by_class) {
        fprintf(to, "nextcache_%s{class=\"%s\"} %" PRIu64 "\n", c->metric, cli_class_names[i], n);
      } else {
        fprintf(to, "nextcache_%s %" PRIu64 "\n", c->metric, n);
      }
    }
  }
}

static void put_gauge(FILE *to, const char *name, const char *help, double value) {
  fprintf(to, "# HELP nextcache_%s %s\n# TYPE nextcache_%s gauge\nnextcache_%s %.15g\n", name, help,
          name, name, value);
}

static void put_times(FILE *to, const nxc_view *view) {
  static const char *const names[] = {"disk_read", "put", "invalidation"};
  for (int i = NXC_TIMED_READ; i <= NXC_TIMED_MARK; i++) {
    nxc_times t;
    nxc_view_times(view, (nxc_timed)i, &t);
    fprintf(to,
            "# HELP nextcache_%s_seconds How long it took, since the cache was made.\n"
            "# TYPE nextcache_%s_seconds gauge\n",
            names[i], names[i]);
    const double shares[] = {0.5, 0.9, 0.99}, us[] = {t.p50_us, t.p90_us, t.p99_us};
    for (int k = 0; k < 3; k++) {
      fprintf(to, "nextcache_%s_seconds{quantile=\"%g\"} %.9f\n", names[i], shares[k], us[k] / 1e6);
    }
  }
}

static int oldest(void *arg, const nxc_seen *seen) {
  nxc_record r;
  if (!seen->entry) return 1;
  nxc_entry_read(seen->entry, &r);
  *(double *)arg = (double)(cli_now_ms() - r.created_ms) / 1000;
  return 0;
}

static void put_metrics(FILE *to, nxc_view *view) {
  nxc_stats stats;
  nxc_shape shape;
  nxc_process *list;
  size_t count = 0;
  double age = 0;
  put_gauge(to, "up", "Whether the cache could be read.", 1);
  nxc_view_stats(view, &stats);
  nxc_view_shape(view, &shape);
  put_counters(to, &stats);
  put_times(to, view);
  put_gauge(to, "slots_used", "Entries in the index, dead ones included.", shape.slots_used);
  put_gauge(to, "tag_rows", "Tags whose marks can be remembered.", shape.tag_rows);
  put_gauge(to, "tag_rows_used", "Tags whose marks are remembered.", shape.tag_rows_used);
  put_gauge(to, "floor_seconds", "Wall time of the newest mark that was forgotten early.",
            (double)shape.floor_ms / 1000);
  nxc_view_each(view, oldest, &age);
  put_gauge(to, "oldest_entry_seconds", "Age of the entry that the ring will recycle next.", age);
  if (nxc_view_processes(view, &list, &count) == NXC_OK) free(list);
  put_gauge(to, "processes", "Processes that have the cache open.", (double)count);
}

static int once(void) {
  nxc_view *view;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  put_metrics(stdout, view);
  nxc_view_close(view);
  return CLI_OK;
}

/* ---- over HTTP ----------------------------------------------------------------------------- */

static bool scrape(const char *path, uint64_t unused, cli_page *out) {
  char *text, problem[512]; /* names a path, and so stays here */
  nxc_view *view;
  (void)unused;
  if (strcmp(path, "/metrics") != 0) return false;
  FILE *to = open_memstream(&text, &out->size);
  if (!to) return false;
  if (nxc_view_open(&view, cli_where()->dir, problem, sizeof problem) == NXC_OK) {
    put_metrics(to, view);
    nxc_view_close(view);
  } else {
    put_gauge(to, "up", "Whether the cache could be read.", 0);
  }
  fclose(to);
  out->body = text;
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
