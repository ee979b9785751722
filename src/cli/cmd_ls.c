/* cmd_ls.c - nextcache ls: what is in the cache.
 *
 * Everything is read before the first line is written, because it is sorted; only what a row shows
 * is kept of an entry meanwhile, not its body.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

typedef struct row { /* what stays of an entry that was seen */
  nxc_seen seen;     /* without its entry */
  nxc_record record; /* without tags, meta and parts; its key is ours */
} row;

typedef struct listing {
  const cli_selection *selection;
  row *rows;
  size_t count, room;
} listing;

static int collect(void *arg, const nxc_seen *seen) {
  listing *l = arg;
  cli_progress("reading", seen->number, seen->count);
  if (!cli_selects(l->selection, seen)) return 1;
  if (l->count == l->room) {
    l->room = l->room ? 2 * l->room : 1024;
    l->rows = cli_alloc(l->rows, l->room * sizeof *l->rows);
  }
  row *r = &l->rows[l->count++];
  *r = (row){.seen = *seen};
  if (seen->entry) {
    nxc_entry_read(seen->entry, &r->record);
    char *key = cli_alloc(NULL, r->record.key.size);
    if (r->record.key.size) memcpy(key, r->record.key.data, r->record.key.size);
    r->record.key.data = key;
  }
  r->seen.entry = NULL;
  return 1;
}

/* ---- order -------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b) {
  const row *x = a, *y = b;
  return (x->seen.number < y->seen.number) - (x->seen.number > y->seen.number);
}

static int by_size(const void *a, const void *b) {
  const row *x = a, *y = b;
  int order = (x->seen.disk_bytes < y->seen.disk_bytes) - (x->seen.disk_bytes > y->seen.disk_bytes);
  return order ? order : by_age(a, b);
}

static int by_key(const void *a, const void *b) {
  const nxc_slice *x = &((const row *)a)->record.key, *y = &((const row *)b)->record.key;
  size_t n = x->size < y->size ? x->size : y->size;
  int order = n ? memcmp(x->data, y->data, n) : 0;
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

static int by_life(const void *a, const void *b) {
  const row *x = a, *y = b;
  int order = (x->seen.dead_at_ms > y->seen.dead_at_ms) - (x->seen.dead_at_ms < y->seen.dead_at_ms);
  return order ? order : by_age(a, b);
}

static const struct {
  const char *name;
  int (*compare)(const void *, const void *);
} orders[] = {{"age", by_age}, {"size", by_size}, {"key", by_key}, {"life", by_life}};

/* ---- output ------------------------------------------------------------------------- */

static cli_text life(const nxc_seen *seen, int64_t now) {
  if (seen->dead_at_ms == NXC_NEVER) return (cli_text){"-"};
  if (seen->dead_at_ms <= now) return (cli_text){"over"};
  return cli_duration(seen->dead_at_ms - now);
}

static void print_row(const row *r, int64_t now, bool full) {
  const nxc_seen *s = &r->seen;
  const char *color = s->result == NXC_OK      ? cli_style_of(CLI_GREEN)
                      : s->result == NXC_STALE ? cli_style_of(CLI_YELLOW)
                                               : cli_style_of(CLI_RED);
  bool known = r->record.key.data != NULL;
  /* Twelve digits are enough to tell entries apart and few enough to be copied by hand; `show`
   * takes them. */
  printf("%012" PRIx64 "  %-9s  %s%-7s%s  %8s  %8s  %9s  %4zu  ", s->id >> 16,
         known ? cli_class_name(r->record.class_id) : "?", color, cli_state(s),
         cli_style_of(CLI_RESET), known ? cli_duration(now - r->record.created_ms).text : "-",
         life(s, now).text, cli_bytes(s->disk_bytes).text, r->record.tag_count);
  nxc_slice name = cli_name_of(r->record.class_id, r->record.key);
  cli_put_text(stdout, full ? r->record.key : cli_shown_name(r->record.class_id, name));
  putchar('\n');
}

static json_t *row_json(const row *r, int64_t now, bool full) {
  const nxc_seen *s = &r->seen;
  const nxc_record *e = &r->record;
  nxc_slice name = cli_shown_name(e->class_id, cli_name_of(e->class_id, e->key));
  char id[16];
  snprintf(id, sizeof id, "%012" PRIx64, s->id >> 16);
  char *why = cli_why(s);
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:b, s:i, s:i}", "id", id, "class",
                cli_class_name(e->class_id), "state", cli_state(s), "why",
                cli_json_text((nxc_slice){why, strlen(why)}), "name", cli_json_text(name), "bytes",
                (json_int_t)s->disk_bytes, "created_ms", (json_int_t)e->created_ms, "age_ms",
                (json_int_t)(e->key.data ? now - e->created_ms : 0), "used", s->used, "tags",
                (int)e->tag_count, "parts", (int)e->part_count);
  free(why);
  json_object_set_new(object, "dead_at_ms",
                      s->dead_at_ms == NXC_NEVER ? json_null()
                                                 : json_integer((json_int_t)s->dead_at_ms));
  if (full) json_object_set_new(object, "key", cli_json_text(e->key));
  return object;
}

/* Each row is written as soon as it is made: a hundred thousand of them as one value would
 * take a second and a lot of memory before the first byte. */
static void print_json(const listing *l, bool full, bool bar) {
  int64_t now = cli_now_ms();
  putchar('[');
  for (size_t i = 0; i < l->count; i++) {
    if (bar) cli_progress("writing", i, l->count);
    json_t *object = row_json(&l->rows[i], now, full);
    fputs(i ? ",\n" : "\n", stdout);
    json_dumpf(object, stdout, JSON_COMPACT | cli_json_flags());
    json_decref(object);
  }
  puts("\n]");
}

static void print_table(const listing *l, bool full, bool bar) {
  int64_t now = cli_now_ms();
  uint64_t bytes = 0;
  printf("%s%-12s  %-9s  %-7s  %8s  %8s  %9s  %4s  %s%s\n", cli_style_of(CLI_BOLD), "id", "class",
         "state", "age", "life", "size", "tags", "key", cli_style_of(CLI_RESET));
  for (size_t i = 0; i < l->count; i++) {
    if (bar) cli_progress("writing", i, l->count);
    bytes += l->rows[i].seen.disk_bytes;
    print_row(&l->rows[i], now, full);
  }
  printf("%s, %s\n", cli_things(l->count, "entry", "entries").text, cli_bytes(bytes).text);
}

static int list(nxc_view *view, listing *l, const char *sort, uint64_t limit, bool json,
                bool full) {
  int rc = nxc_view_each(view, collect, l);
  cli_progress_end();
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "out of memory");
  for (size_t i = 0; i < sizeof orders / sizeof *orders && l->count; i++) {
    if (strcmp(orders[i].name, sort) == 0) {
      qsort(l->rows, l->count, sizeof *l->rows, orders[i].compare);
    }
  }
  size_t all = l->count;
  /* After sorting: the first N are those of the order that was asked for. */
  if (limit && limit < l->count) l->count = (size_t)limit;
  bool bar = !isatty(STDOUT_FILENO); /* else what is written shows that it goes on */
  (json ? print_json : print_table)(l, full, bar);
  cli_progress_end();
  for (size_t i = 0; i < all; i++) free((void *)(uintptr_t)l->rows[i].record.key.data);
  free(l->rows);
  return CLI_OK;
}

int cli_cmd_ls(const cli_command *self, int argc, char **argv) {
  cli_selection selection = {.classes = 0};
  bool json = false, full = false, sane = false;
  const char *sort = "age";
  uint64_t limit = 0;
  int code;
  nxc_view *view;
  const cli_option options[] = {
      CLI_SELECT_OPTIONS(selection),
      {"stale", CLI_FLAG, &selection.stale, NULL, "only what is stale, dead or damaged"},
      {"sort", CLI_TEXT, &sort, "age|size|key|life",
       "age: the newest first; life: the first to die"},
      {"limit", CLI_NUMBER, &limit, "N", "only the first N"},
      {"full", CLI_FLAG, &full, NULL, "whole keys; those of cached functions hold arguments"},
      {"json", CLI_FLAG, &json, NULL, "as JSON"},
      {0},
  };

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    sane = sane || strcmp(orders[i].name, sort) == 0;
  }
  if (!sane) {
    return cli_fail(CLI_USAGE, "ls: --sort is \"%s\"; it should be age, size, key or life", sort);
  }
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  listing l = {.selection = &selection};
  code = list(view, &l, sort, limit, json, full);
  nxc_view_close(view);
  return code;
}
