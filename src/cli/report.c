/* report.c - all that a view tells at once, as JSON: `stats --json` prints it, and the
 * dashboard's page reads it.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static json_t *shape_json(const nxc_shape *s) {
  return json_pack("{s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "instance",
                   s->instance, "limit_bytes", (json_int_t)s->limit_bytes, "held_bytes",
                   (json_int_t)s->held_bytes, "index_bytes", (json_int_t)s->index_bytes,
                   "record_bytes", (json_int_t)s->record_bytes, "segment_bytes",
                   (int)s->segment_bytes, "segments", (int)s->segments, "slots", (int)s->slots,
                   "slots_used", (int)s->slots_used, "tag_rows", (int)s->tag_rows, "tag_rows_used",
                   (int)s->tag_rows_used, "floor_ms", (json_int_t)s->floor_ms, "origin_ms",
                   (json_int_t)s->origin_ms);
}

static json_t *times_json(const nxc_view *view) {
  static const char *const names[] = {"disk_reads", "puts", "invalidations"};
  json_t *object = json_object();
  for (int i = NXC_TIMED_READ; i <= NXC_TIMED_MARK; i++) {
    nxc_times t;
    nxc_view_times(view, (nxc_timed)i, &t);
    json_object_set_new(object, names[i],
                        json_pack("{s:I, s:f, s:f, s:f}", "timed", (json_int_t)t.count, "p50_us",
                                  t.p50_us, "p90_us", t.p90_us, "p99_us", t.p99_us));
  }
  return object;
}

cli_text cli_pid(const nxc_process *process) {
  cli_text t = {"?"};
  if (process->pid) snprintf(t.text, sizeof t.text, "%lld", (long long)process->pid);
  return t;
}

nxc_slice cli_command_of(const nxc_process *process) {
  const char *text = process->pid ? process->command : "(in another container)";
  return (nxc_slice){text, strlen(text)};
}

static json_t *processes_json(const nxc_process *list, size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; i < count; i++) {
    nxc_slice command = {list[i].command, strlen(list[i].command)};
    json_array_append_new(
        array,
        json_pack("{s:o, s:o, s:o, s:o}", "pid",
                  list[i].pid ? json_integer((json_int_t)list[i].pid) : json_null(), "command",
                  cli_json_text(command), "counters", cli_stats_json(&list[i].stats), "shared",
                  cli_shared_json(&list[i].remote)));
  }
  return array;
}

json_t *cli_report(const nxc_view *view) {
  const char *dir = cli_where()->dir;
  nxc_stats stats;
  nxc_remote remote;
  nxc_shape shape;
  nxc_process *list;
  size_t count;
  if (nxc_view_processes(view, &list, &count) != NXC_OK) return NULL;
  nxc_view_stats(view, &stats);
  nxc_view_remote(view, &remote);
  nxc_view_shape(view, &shape);
  json_t *report = json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o}", "dir", cli_json_text((nxc_slice){dir, strlen(dir)}),
      "cache", shape_json(&shape), "total", cli_stats_json(&stats), "times", times_json(view),
      "shared", cli_shared_json(&remote), "processes", processes_json(list, count));
  free(list);
  return report;
}
