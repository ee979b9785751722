/* metrics.c - what a view and the counters tell, in the text format of Prometheus.
 *
 * One text for all who are asked: the command line tool and a process of its own say
 * the same. No series carries a process id, and what a process counted stays in the
 * totals when it ends, so counters never fall.
 */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nextcache_admin.h"

static void describe(FILE *to, const char *name, const char *type, const char *help) {
  fprintf(to, "# HELP nextcache_%s %s\n# TYPE nextcache_%s %s\n", name, help, name, type);
}

static void put_gauge(FILE *to, const char *name, const char *help, double value) {
  describe(to, name, "gauge", help);
  fprintf(to, "nextcache_%s %.15g\n", name, value);
}

/* ---- the counters ------------------------------------------------------------------ */

static void put_number(FILE *to, const char *type, const char *name, const char *help,
                       uint64_t number) {
  describe(to, name, type, help);
  fprintf(to, "nextcache_%s %" PRIu64 "\n", name, number);
}

static void put_counters(FILE *to, const nxc_stats *s, const char *const *names, unsigned n) {
#define COUNTER(field, metric, help) put_number(to, "counter", metric, help, s->field);
#define GAUGE(field, metric, help) put_number(to, "gauge", metric, help, s->field);
#define CLASSES(field, metric, help)                                                        \
  describe(to, metric, "counter", help);                                                    \
  for (unsigned i = 0; i < n && i < NXC_CLASSES; i++) {                                     \
    fprintf(to, "nextcache_" metric "{class=\"%s\"} %" PRIu64 "\n", names[i], s->field[i]); \
  }
#define PUT(field, kind, metric, help) kind(field, metric, help)
  NXC_METRICS(PUT)
#undef PUT
#undef CLASSES
#undef GAUGE
#undef COUNTER
}

/* ---- the tier that machines share ----------------------------------------------------- */

static void put_remote(FILE *to, const nxc_remote *r) {
  if (!r->processes) return;
#define COUNTER(field, metric, help) put_number(to, "counter", metric, help, r->field);
#define GAUGE(field, metric, help) put_number(to, "gauge", metric, help, r->field);
#define TIMES(field, metric, help) put_gauge(to, metric, help, (double)r->field / 1e6);
#define SINCE(field, metric, help) put_gauge(to, metric, help, (double)r->field / 1e3);
#define PUT(field, kind, metric, help) kind(field, "remote_" metric, help)
  NXC_REMOTE_METRICS(PUT)
#undef PUT
#undef SINCE
#undef TIMES
#undef GAUGE
#undef COUNTER
}

/* ---- what a view tells beside them --------------------------------------------------- */

static void put_times(FILE *to, const nxc_view *view) {
  static const char *const names[] = {"disk_read_seconds", "put_seconds", "invalidation_seconds"};
  for (int i = NXC_TIMED_READ; i <= NXC_TIMED_MARK; i++) {
    nxc_times t;
    nxc_view_times(view, (nxc_timed)i, &t);
    describe(to, names[i], "gauge", "How long it took, since the cache was made.");
    const double shares[] = {0.5, 0.9, 0.99}, us[] = {t.p50_us, t.p90_us, t.p99_us};
    for (int k = 0; k < 3; k++) {
      fprintf(to, "nextcache_%s{quantile=\"%g\"} %.9f\n", names[i], shares[k], us[k] / 1e6);
    }
  }
}

static int note_age(void *age_seconds, const nxc_seen *seen) {
  struct timespec now;
  nxc_record r;
  if (!seen->entry) return 1;
  clock_gettime(CLOCK_REALTIME, &now);
  nxc_entry_read(seen->entry, &r);
  *(double *)age_seconds =
      (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)r.created_ms / 1e3;
  return 0; /* the first one is the oldest */
}

static void put_view(FILE *to, nxc_view *view) {
  nxc_shape shape;
  nxc_process *list;
  size_t count = 0;
  double age = 0;

  put_times(to, view);
  nxc_view_shape(view, &shape);
  put_gauge(to, "slots_used", "Entries in the index, dead ones included.", shape.slots_used);
  put_gauge(to, "tag_rows", "Tags whose marks can be remembered.", shape.tag_rows);
  put_gauge(to, "tag_rows_used", "Tags whose marks are remembered.", shape.tag_rows_used);
  put_gauge(to, "floor_seconds", "Wall time of the newest mark that was forgotten early.",
            (double)shape.floor_ms / 1000);
  nxc_view_each(view, note_age, &age);
  put_gauge(to, "oldest_entry_seconds", "Age of the entry that the ring will recycle next.", age);
  if (nxc_view_processes(view, &list, &count) == NXC_OK) free(list);
  put_gauge(to, "processes", "Processes that have the cache open.", (double)count);
}

static char *text_of(nxc_view *view, const nxc_stats *stats, const nxc_remote *remote,
                     const char *const *class_names, unsigned classes) {
  char *text = NULL;
  size_t size = 0;
  FILE *to = open_memstream(&text, &size);
  if (!to) return NULL;
  describe(to, "info", "gauge", "Who keeps the cache, and its release.");
  fprintf(to, "nextcache_info{engine=\"nextcache\",version=\"%s\"} 1\n", nxc_version());
  put_gauge(to, "up", "Whether the cache could be read.", 1);
  put_gauge(to, "disk", "Whether there is a disk tier; 0: memory only.", stats->disk);
  put_counters(to, stats, class_names, classes);
  put_remote(to, remote);
  if (view) put_view(to, view);
  if (fclose(to) == 0) return text;
  free(text);
  return NULL;
}

/* A host may have set the language of its user, in which a half is written 0,5. */
char *nxc_metrics_text(nxc_view *view, nxc_cache *cache, const char *const *class_names,
                       unsigned classes) {
  nxc_stats stats = {.disk = 0};
  nxc_remote remote = {.processes = 0};
  if (view) {
    nxc_view_stats(view, &stats);
    nxc_view_remote(view, &remote);
  } else if (nxc_stats_get(cache, &stats) < 0 || nxc_remote_get(cache, &remote) < 0) {
    return NULL;
  }
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!plain) return NULL;
  locale_t before = uselocale(plain);
  char *text = text_of(view, &stats, &remote, class_names, classes);
  uselocale(before);
  freelocale(plain);
  return text;
}
