/* cmd_tags.c - nextcache tags: which tags entries carry, when they were marked, and the
 * last reasons that were given for it.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

typedef struct sum { /* of one tag; while collecting, one tag of one entry */
  char *tag;
  size_t size;
  uint64_t entries, hits, bytes; /* hits: entries that a get would find */
  nxc_tag_marks marks;
} sum;

typedef struct tally {
  const cli_selection *selection;
  const char *begins;
  sum *sums;
  size_t count, room;
} tally;

static void add(tally *t, nxc_slice tag, const nxc_seen *seen) {
  if (t->begins && (tag.size < strlen(t->begins) ||
                    memcmp(tag.data ? tag.data : "", t->begins, strlen(t->begins)) != 0)) {
    return;
  }
  if (t->count == t->room) {
    t->room = t->room ? 2 * t->room : 1024;
    t->sums = cli_alloc(t->sums, t->room * sizeof *t->sums);
  }
  char *copy = cli_alloc(NULL, tag.size);
  if (tag.size) memcpy(copy, tag.data, tag.size);
  t->sums[t->count++] = (sum){.tag = copy,
                              .size = tag.size,
                              .entries = 1,
                              .hits = seen->result != NXC_MISS,
                              .bytes = seen->disk_bytes};
}

static int collect(void *arg, const nxc_seen *seen) {
  tally *t = arg;
  nxc_record r;
  cli_progress("reading", seen->number, seen->count);
  if (!seen->entry || !cli_selects(t->selection, seen)) return 1;
  nxc_entry_read(seen->entry, &r);
  for (size_t i = 0; i < r.tag_count; i++) add(t, nxc_entry_tag(seen->entry, i), seen);
  return 1;
}

/* ---- adding up ----------------------------------------------------------------------- */

static int by_tag(const void *a, const void *b) {
  const sum *x = a, *y = b;
  int order = memcmp(x->tag, y->tag, x->size < y->size ? x->size : y->size);
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

static int by_entries(const void *a, const void *b) {
  const sum *x = a, *y = b;
  int order = (x->entries < y->entries) - (x->entries > y->entries);
  return order ? order : by_tag(a, b);
}

static int64_t last_mark(const sum *s) {
  return s->marks.dead_ms > s->marks.stale_ms ? s->marks.dead_ms : s->marks.stale_ms;
}

static int by_mark(const void *a, const void *b) {
  int64_t x = last_mark(a), y = last_mark(b);
  return x == y ? by_entries(a, b) : (x < y) - (x > y);
}

/* One row for each tag, with its marks. */
static void merge(tally *t, const nxc_view *view) {
  size_t n = 0;
  if (t->count) qsort(t->sums, t->count, sizeof *t->sums, by_tag);
  for (size_t i = 0; i < t->count; i++) {
    sum *s = &t->sums[i], *last = n ? &t->sums[n - 1] : NULL;
    if (last && by_tag(last, s) == 0) {
      last->entries++;
      last->hits += s->hits;
      last->bytes += s->bytes;
      free(s->tag);
    } else {
      t->sums[n++] = *s;
    }
  }
  t->count = n;
  for (size_t i = 0; i < n; i++) {
    nxc_view_tag(view, (nxc_slice){t->sums[i].tag, t->sums[i].size}, &t->sums[i].marks);
  }
}

/* ---- output --------------------------------------------------------------------------- */

static void print_row(const sum *s, int64_t now) {
  int64_t mark = last_mark(s);
  const char *kind = !mark ? "-" : s->marks.dead_ms >= s->marks.stale_ms ? "dead" : "stale";
  printf("%9s  %9s  %9s  %-5s  %8s  ", cli_count(s->entries).text, cli_count(s->hits).text,
         cli_bytes(s->bytes).text, kind, mark ? cli_duration(now - mark).text : "-");
  cli_put_text(stdout, (nxc_slice){s->tag, s->size});
  putchar('\n');
}

static json_t *row_json(const sum *s) {
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "tag",
                   cli_json_text((nxc_slice){s->tag, s->size}), "entries", (json_int_t)s->entries,
                   "hits", (json_int_t)s->hits, "bytes", (json_int_t)s->bytes, "dead_ms",
                   (json_int_t)s->marks.dead_ms, "stale_ms", (json_int_t)s->marks.stale_ms,
                   "deadline_ms", (json_int_t)s->marks.deadline_ms);
}

static void print_all(const tally *t, size_t limit, bool json) {
  json_t *array = json ? json_array() : NULL;
  int64_t now = cli_now_ms();
  if (!json) {
    printf("%s%9s  %9s  %9s  %-5s  %8s  %s%s\n", cli_style_of(CLI_BOLD), "entries", "would hit",
           "size", "mark", "ago", "tag", cli_style_of(CLI_RESET));
  }
  for (size_t i = 0; i < t->count && (!limit || i < limit); i++) {
    if (json) {
      json_array_append_new(array, row_json(&t->sums[i]));
    } else {
      print_row(&t->sums[i], now);
    }
  }
  if (json) {
    cli_put_json(array);
  } else {
    printf("%s tags\n", cli_count(t->count).text);
  }
}

/* ---- reasons -------------------------------------------------------------------------- */

static void put_string(const json_t *text) {
  cli_put_text(stdout, (nxc_slice){json_string_value(text), json_string_length(text)});
}

static int print_reasons(size_t limit, bool json) {
  json_t *list = cli_reasons_read(limit), *record, *tag;
  size_t i, k;
  if (json) return cli_put_json(list);
  json_array_foreach(list, i, record) {
    int64_t ago = cli_now_ms() - json_integer_value(json_object_get(record, "time_ms"));
    printf("%8s ago  ", cli_duration(ago).text);
    put_string(json_object_get(record, "by"));
    printf(": ");
    put_string(json_object_get(record, "reason"));
    json_array_foreach(json_object_get(record, "tags"), k, tag) {
      printf("%s", k ? ", " : "  [");
      put_string(tag);
    }
    puts(k ? "]" : "");
  }
  printf("%s reasons\n", cli_count(json_array_size(list)).text);
  json_decref(list);
  return CLI_OK;
}

/* ---- the command ------------------------------------------------------------------------ */

int cli_cmd_tags(const cli_command *self, int argc, char **argv) {
  cli_selection selection = {.classes = 0};
  tally t = {.selection = &selection};
  const char *sort = "entries";
  bool json = false, reasons = false;
  uint64_t limit = 0;
  int code;
  nxc_view *view;
  const cli_option options[] = {
      {"class", CLI_CLASS, &selection.classes, "NAME", "only tags of such entries"},
      {"begins", CLI_TEXT, &t.begins, "TEXT", "only tags that begin so"},
      {"sort", CLI_TEXT, &sort, "ORDER", "entries (most first), name or mark (newest first)"},
      {"limit", CLI_NUMBER, &limit, "N", "only the first N"},
      {"reasons", CLI_FLAG, &reasons, NULL, "instead: the last reasons given, the newest first"},
      {"json", CLI_FLAG, &json, NULL, "as JSON"},
      {0},
  };

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  bool name = strcmp(sort, "name") == 0, mark = strcmp(sort, "mark") == 0;
  if (!name && !mark && strcmp(sort, "entries") != 0) {
    return cli_fail(CLI_USAGE, "tags: --sort is \"%s\"; it should be entries, name or mark", sort);
  }
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  if (reasons) {
    nxc_view_close(view);
    return print_reasons((size_t)limit, json);
  }
  if (nxc_view_each(view, collect, &t) != NXC_OK) code = cli_fail(CLI_UNREADABLE, "out of memory");
  cli_progress_end();
  merge(&t, view);
  if (t.count && !name) qsort(t.sums, t.count, sizeof *t.sums, mark ? by_mark : by_entries);
  print_all(&t, (size_t)limit, json);
  for (size_t i = 0; i < t.count; i++) free(t.sums[i].tag);
  free(t.sums);
  nxc_view_close(view);
  return code;
}
