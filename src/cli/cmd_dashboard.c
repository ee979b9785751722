/* cmd_dashboard.c - nextcache dashboard: one page that shows what the cache does.
 *
 * The page asks for three things:
 *   /data.json?since=N   counters, tiers and processes now, and the samples after the N-th
 *   /entries.json        what is hot, tags, invalidations: a walk over all entries, made
 *                        at most every ten seconds, and only while a page asks for it
 *   /build.json          the last build
 * Nothing can be changed through it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "assets.h"
#include "commands.h"
#include "history.h"
#include "http.h"
#include "last_build.h"
#include "tag_sums.h"

#define SHOWN 25
#define WALK_EVERY_MS 10000

static const char *dist_option; /* --dist */

/* ---- what is in the cache ---------------------------------------------------------------- */

typedef struct walk {
  int64_t now_ms;
  nxc_seen hot[SHOWN]; /* those read since they were written, the last ones; our references */
  size_t hot_count;
  uint64_t entries[CLI_CLASSES], bytes[CLI_CLASSES], damaged;
  cli_tag_sums tags;
} walk;

static int visit(void *arg, const nxc_seen *seen) {
  walk *w = arg;
  nxc_record r;
  if (!seen->entry) {
    w->damaged++;
    return 1;
  }
  nxc_entry_read(seen->entry, &r);
  unsigned class_id = r.class_id < CLI_CLASSES ? r.class_id : 0;
  w->entries[class_id]++;
  w->bytes[class_id] += seen->disk_bytes;
  cli_tag_sums_add(&w->tags, seen, NULL);
  if (!seen->used) return 1;
  /* The entry is held instead of copied; what it replaces is let go. */
  nxc_seen *place = &w->hot[w->hot_count++ % SHOWN];
  nxc_entry_unref(place->entry);
  *place = *seen;
  nxc_entry_ref(place->entry);
  return 1;
}

/* Text of unknown origin as the page shows it: what it cannot show is spelled out. */
static json_t *shown(nxc_slice text) {
  char *escaped;
  size_t size;
  FILE *to = open_memstream(&escaped, &size);
  if (!to) return json_null();
  cli_put_text(to, text);
  fclose(to);
  json_t *value = json_stringn(escaped, size);
  free(escaped);
  return value;
}

static json_t *hot_json(const walk *w) {
  json_t *list = json_array();
  size_t n = w->hot_count < SHOWN ? w->hot_count : SHOWN;
  for (size_t i = 0; i < n; i++) {
    const nxc_seen *seen = &w->hot[(w->hot_count - 1 - i) % SHOWN]; /* the newest first */
    nxc_record r;
    nxc_entry_read(seen->entry, &r);
    nxc_slice name = cli_shown_name(r.class_id, cli_name_of(r.class_id, r.key));
    json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:I, s:I}", "class",
                                          cli_class_name(r.class_id), "name", shown(name), "state",
                                          cli_state(seen), "age_ms",
                                          (json_int_t)(w->now_ms - r.created_ms), "bytes",
                                          (json_int_t)seen->disk_bytes));
  }
  return list;
}

/* The first of them in an order; only marked ones where that is the order of marks. */
static json_t *tags_json(const walk *w, int (*order)(const void *, const void *)) {
  json_t *list = json_array();
  if (w->tags.count) qsort(w->tags.items, w->tags.count, sizeof *w->tags.items, order);
  for (size_t i = 0; i < w->tags.count && i < SHOWN; i++) {
    const cli_tag_sum *s = &w->tags.items[i];
    int64_t mark = cli_tag_last_mark(s);
    if (!mark && order == cli_tag_by_mark) break;
    json_array_append_new(
        list, json_pack("{s:o, s:I, s:I, s:I, s:I, s:s}", "tag",
                        shown((nxc_slice){s->tag, s->size}), "entries", (json_int_t)s->entries,
                        "hits", (json_int_t)s->hits, "bytes", (json_int_t)s->bytes, "mark_ms",
                        (json_int_t)mark, "mark", cli_tag_is_dead(s) ? "dead" : "stale"));
  }
  return list;
}

static json_t *classes_json(const walk *w) {
  json_t *object = json_object();
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    json_object_set_new(object, cli_class_names[i],
                        json_pack("{s:I, s:I}", "entries", (json_int_t)w->entries[i], "bytes",
                                  (json_int_t)w->bytes[i]));
  }
  return object;
}

static json_t *walk_entries(nxc_view *view) {
  walk w = {.now_ms = cli_now_ms()};
  int rc = nxc_view_each(view, visit, &w);
  json_t *result = NULL;
  if (rc == NXC_OK) {
    cli_tag_sums_merge(&w.tags, view);
    result = json_pack("{s:I, s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:o}", "at_ms",
                       (json_int_t)w.now_ms, "classes", classes_json(&w), "hot_count",
                       (json_int_t)w.hot_count, "hot", hot_json(&w), "damaged",
                       (json_int_t)w.damaged, "tag_count", (json_int_t)w.tags.count, "tags",
                       tags_json(&w, cli_tag_by_entries), "invalidations",
                       tags_json(&w, cli_tag_by_mark), "reasons", cli_reasons_read(SHOWN));
  }
  for (size_t i = 0; i < SHOWN; i++) nxc_entry_unref(w.hot[i].entry);
  cli_tag_sums_release(&w.tags);
  return result;
}

/* ---- the answers --------------------------------------------------------------------------- */

/* The message of a view that cannot be opened names a path, and so stays here. */
static nxc_view *open_view(void) {
  char problem[512];
  nxc_view *view = NULL;
  nxc_view_open(&view, cli_where()->dir, problem, sizeof problem);
  return view;
}

static json_t *data(uint64_t since) {
  /* A view of its own: a view belongs to one thread, and each connection has one. */
  nxc_view *view = open_view();
  json_t *report = view ? cli_report(view) : NULL;
  if (!report) report = json_object();
  json_object_set_new(report, "now_ms", json_integer((json_int_t)cli_now_ms()));
  json_object_set_new(report, "version", json_string(nxc_version()));
  json_object_set_new(report, "history", cli_history_json(since));
  nxc_view_close(view);
  return report;
}

/* One walk at a time, and its result for all who ask meanwhile; the longer it takes, the
 * less often. */
static json_t *entries(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static json_t *last;
  static int64_t next_ms;
  pthread_mutex_lock(&mutex);
  int64_t begin = cli_steady_ms();
  if (begin >= next_ms) {
    nxc_view *view = open_view();
    json_decref(last);
    last = view ? walk_entries(view) : NULL;
    nxc_view_close(view);
    int64_t took = cli_steady_ms() - begin;
    next_ms = begin + (took * 20 > WALK_EVERY_MS ? took * 20 : WALK_EVERY_MS);
  }
  /* A copy: reference counts of jansson are not ours to share between threads. */
  json_t *copy = last ? json_deep_copy(last) : json_object();
  pthread_mutex_unlock(&mutex);
  return copy;
}

static json_t *build(void) {
  char *path = cli_below(cli_where()->root, dist_option ? dist_option : ".next");
  json_t *facts = cli_last_build(path);
  free(path);
  return facts;
}

static bool answer_json(json_t *value, cli_page *out) {
  char *text = json_dumps(value, JSON_COMPACT);
  json_decref(value);
  if (!text) return false;
  *out = (cli_page){"application/json", text, strlen(text), true};
  return true;
}

static bool page(const char *path, uint64_t since, cli_page *out) {
  if (strcmp(path, "/data.json") == 0) return answer_json(data(since), out);
  if (strcmp(path, "/entries.json") == 0) return answer_json(entries(), out);
  if (strcmp(path, "/build.json") == 0) return answer_json(build(), out);
  if (strcmp(path, "/") == 0) path = "/index.html";
  for (const cli_asset *a = cli_assets; a->path; a++) {
    if (strcmp(a->path, path) != 0) continue;
    *out = (cli_page){a->type, a->bytes, a->size, false};
    return true;
  }
  return false;
}

/* Neither tells anything, and the login page looks like the rest by them. */
static bool is_public(const char *path) {
  return strcmp(path, "/style.css") == 0 || strcmp(path, "/icon.svg") == 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* The view stays open, so that a second in which nobody looks costs a few reads of memory. */
static void take_sample(void) {
  static nxc_view *view;
  nxc_stats stats;
  if (view && nxc_view_is_over(view)) {
    nxc_view_close(view);
    view = NULL;
  }
  if (!view) view = open_view();
  if (view) nxc_view_stats(view, &stats);
  cli_history_add(view ? &stats : NULL);
}

static const char *login_page(void) {
  const cli_asset *a = cli_assets;
  while (strcmp(a->path, "/login.html") != 0) a++;
  return (const char *)a->bytes;
}

int cli_cmd_dashboard(const cli_command *self, int argc, char **argv) {
  cli_site site = {.command = self->name,
                   .address = "127.0.0.1:9465",
                   .path = "/",
                   .login = login_page(),
                   .page = page,
                   .is_public = is_public,
                   .turn = take_sample};
  int code;
  const cli_option options[] = {
      CLI_SERVE_OPTIONS(site),
      {"dist", CLI_TEXT, &dist_option, "DIR", "the build output, when it is not .next"},
      {0},
  };
  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  return cli_serve(&site);
}
