/* cmd_stats.c - nextcache stats: the counters, once or as a live screen.
 *
 * The table is for people and may change; scripts read --json, whose names are those of the
 * library.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "screen.h"

/* ---- a table ----------------------------------------------------------------------- */

static void class_row(const char *name, uint64_t memory, uint64_t disk, uint64_t stale,
                      uint64_t misses, uint64_t puts) {
  uint64_t hits = memory + disk;
  printf("%-10s %12s %12s %12s %12s %12s %10s\n", name, cli_count(memory).text,
         cli_count(disk).text, cli_count(stale).text, cli_count(misses).text, cli_count(puts).text,
         cli_ratio((double)hits, (double)(hits + misses)).text);
}

static void print_classes(const nxc_stats *s) {
  printf("%s%-10s %12s %12s %12s %12s %12s %10s%s\n", cli_style_of(CLI_BOLD), "", "memory hits",
         "disk hits", "of them stale", "misses", "puts", "hit ratio", cli_style_of(CLI_RESET));
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    if (!(s->memory_hits[i] | s->disk_hits[i] | s->misses[i] | s->puts[i])) continue;
    class_row(cli_class_names[i], s->memory_hits[i], s->disk_hits[i], s->stale_hits[i],
              s->misses[i], s->puts[i]);
  }
  class_row("total", cli_sum(s->memory_hits), cli_sum(s->disk_hits), cli_sum(s->stale_hits),
            cli_sum(s->misses), cli_sum(s->puts));
}

static void print_rest(const nxc_stats *s, const nxc_shape *shape) {
  printf("\nmemory tiers %s of %s, %s entries; %s pushed out, %s pinned\n",
         cli_bytes(s->memory_bytes).text, cli_bytes(s->memory_limit_bytes).text,
         cli_count(s->memory_items).text, cli_count(s->memory_evictions).text,
         cli_bytes(s->pinned_bytes).text);
  printf("disk tier    %s held of %s; slots %s of %s; tag rows %s of %s\n",
         cli_bytes(s->disk_bytes).text, cli_bytes(s->disk_limit_bytes).text,
         cli_count(shape->slots_used).text, cli_count(shape->slots).text,
         cli_count(shape->tag_rows_used).text, cli_count(shape->tag_rows).text);
  printf(
      "             %s written, %s read; %s segments recycled, %s entries pushed out, %s moved\n",
      cli_bytes(s->bytes_written).text, cli_bytes(s->bytes_read).text,
      cli_count(s->disk_recycled).text, cli_count(s->disk_overflow).text,
      cli_count(s->disk_moved).text);
  printf("changes      %s tags marked, %s entries removed, %s times cleared\n",
         cli_count(s->marks).text, cli_count(s->removes).text, cli_count(s->clears).text);
  printf("misses of    %s invalidated, %s expired entries\n", cli_count(s->dead_by_tag).text,
         cli_count(s->dead_by_age).text);
  printf("not kept     %s born dead, %s superseded, %s too large\n", cli_count(s->born_dead).text,
         cli_count(s->superseded).text, cli_count(s->refused).text);
  bool ill = s->corrupt || s->disk_errors;
  printf("%strouble      %s damaged entries, %s disk errors%s, %s tag marks forgotten early\n",
         ill ? cli_style_of(CLI_RED) : "", cli_count(s->corrupt).text,
         cli_count(s->disk_errors).text, ill ? cli_style_of(CLI_RESET) : "",
         cli_count(s->floor_raises).text);
}

static void print_times(const nxc_view *view) {
  static const char *const names[] = {"disk reads", "puts", "invalidations"};
  printf("\n%s%-13s %9s %12s %12s %12s%s\n", cli_style_of(CLI_BOLD), "latency", "half in", "90 %",
         "99 %", "timed", cli_style_of(CLI_RESET));
  for (int i = NXC_TIMED_READ; i <= NXC_TIMED_MARK; i++) {
    nxc_times t;
    nxc_view_times(view, (nxc_timed)i, &t);
    printf("%-13s %9s %12s %12s %12s\n", names[i], cli_latency(t.p50_us).text,
           cli_latency(t.p90_us).text, cli_latency(t.p99_us).text, cli_count(t.count).text);
  }
}

static void print_processes(const nxc_process *list, size_t count) {
  printf("\n%s%8s %12s %12s %12s %10s %9s  %s%s\n", cli_style_of(CLI_BOLD), "process", "hits",
         "misses", "puts", "hit ratio", "memory", "command", cli_style_of(CLI_RESET));
  for (size_t i = 0; i < count; i++) {
    const nxc_stats *s = &list[i].stats;
    uint64_t hits = cli_sum(s->memory_hits) + cli_sum(s->disk_hits), misses = cli_sum(s->misses);
    printf("%8s %12s %12s %12s %10s %9s  ", cli_pid(&list[i]).text, cli_count(hits).text,
           cli_count(misses).text, cli_count(cli_sum(s->puts)).text,
           cli_ratio((double)hits, (double)(hits + misses)).text, cli_bytes(s->memory_bytes).text);
    cli_put_text(stdout, cli_command_of(&list[i]));
    putchar('\n');
  }
  if (!count) puts("       - no process has the cache open");
}

/* Nothing where no process has such a tier. */
static void shared_row(const char *name, const nxc_remote *r) {
  if (!r->processes) return;
  printf("%8s  %s%-16s%s %9s %10s %9s %9s %9s %9s %8s\n", name, cli_style_of(cli_shared_style(r)),
         cli_shared_state(r).text, cli_style_of(CLI_RESET),
         cli_ratio((double)r->hits, (double)r->gets).text, cli_latency((double)r->p50_us).text,
         cli_latency((double)r->p99_us).text, cli_duration((int64_t)r->unsure_ms).text,
         cli_bytes(r->bytes_in).text, cli_bytes(r->bytes_out).text, cli_count(r->unsent).text);
}

static void print_shared(const nxc_view *view, const nxc_process *list, size_t count) {
  nxc_remote total;
  nxc_view_remote(view, &total);
  if (!total.processes) return;
  printf("\n%s%8s  %-16s %9s %10s %9s %9s %9s %9s %8s%s\n", cli_style_of(CLI_BOLD), "shared",
         "state", "hit ratio", "half in", "99 %", "lag", "received", "sent", "unsent",
         cli_style_of(CLI_RESET));
  for (size_t i = 0; i < count; i++) shared_row(cli_pid(&list[i]).text, &list[i].remote);
  shared_row("total", &total);
}

/* ---- the command ----------------------------------------------------------------------- */

static int once(nxc_view *view, bool json) {
  nxc_stats stats;
  nxc_shape shape;
  nxc_process *list;
  size_t count;

  if (json) return cli_put_json(cli_report(view));
  if (nxc_view_processes(view, &list, &count) != NXC_OK) {
    return cli_fail(CLI_UNREADABLE, "out of memory");
  }
  nxc_view_stats(view, &stats);
  nxc_view_shape(view, &shape);
  const char *dir = cli_where()->dir;
  cli_put_text(stdout, (nxc_slice){dir, strlen(dir)});
  fputs("\n\n", stdout);
  print_classes(&stats);
  print_rest(&stats, &shape);
  print_times(view);
  print_shared(view, list, count);
  print_processes(list, count);
  free(list);
  return CLI_OK;
}

int cli_cmd_stats(const cli_command *self, int argc, char **argv) {
  bool json = false, watch = false;
  double interval = 1;
  uint64_t rounds = 0;
  int code;
  nxc_view *view;
  const cli_option options[] = {
      {"json", CLI_FLAG, &json, NULL, "as JSON; with --watch one line for each round"},
      {"watch", CLI_FLAG, &watch, NULL, "a live screen; q ends it"},
      {"interval", CLI_SECONDS, &interval, "SECONDS", "between two rounds of --watch (1)"},
      {"rounds", CLI_NUMBER, &rounds, "N", "end --watch after so many rounds"},
      {0},
  };

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  /* Each round looks through /proc for the processes; below this it would be felt. */
  if (interval < 0.05) return cli_fail(CLI_USAGE, "stats: --interval is too short");
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  if (watch && !json && isatty(STDOUT_FILENO)) {
    code = cli_screen(&view, interval, rounds);
  } else {
    code = once(view, json);
    /* Opened anew each time: the cache may have been replaced. Where there is none for a
     * moment, stderr says so, and the next round may find one. */
    for (uint64_t n = 1; watch && !ferror(stdout) && (!rounds || n < rounds); n++) {
      fflush(stdout);
      cli_sleep(interval);
      nxc_view_close(view);
      code = cli_view(&view);
      if (code == CLI_OK) code = once(view, json);
    }
  }
  nxc_view_close(view);
  return code;
}
