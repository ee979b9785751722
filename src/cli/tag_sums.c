/* tag_sums.c - adds up the tags of entries.
 *
 * While entries are read each tag of each is one row; they are sorted and merged at the
 * end. That takes more memory than a table by tag would, and no table.
 */
#include "tag_sums.h"

#include <stdlib.h>
#include <string.h>

static void add(cli_tag_sums *t, nxc_slice tag, const nxc_seen *seen, const char *begins) {
  size_t wanted = begins ? strlen(begins) : 0;
  if (tag.size < wanted || (wanted && memcmp(tag.data, begins, wanted) != 0)) return;
  if (t->count == t->room) {
    t->room = t->room ? 2 * t->room : 1024;
    t->items = cli_alloc(t->items, t->room * sizeof *t->items);
  }
  /* The entry, which holds the text, is gone after the visit. */
  char *copy = cli_alloc(NULL, tag.size);
  if (tag.size) memcpy(copy, tag.data, tag.size);
  t->items[t->count++] = (cli_tag_sum){.tag = copy,
                                       .size = tag.size,
                                       .entries = 1,
                                       .hits = seen->result != NXC_MISS,
                                       .bytes = seen->disk_bytes};
}

void cli_tag_sums_add(cli_tag_sums *t, const nxc_seen *seen, const char *begins) {
  nxc_record r;
  if (!seen->entry) return;
  nxc_entry_read(seen->entry, &r);
  for (size_t i = 0; i < r.tag_count; i++) add(t, nxc_entry_tag(seen->entry, i), seen, begins);
}

void cli_tag_sums_release(cli_tag_sums *t) {
  for (size_t i = 0; i < t->count; i++) free(t->items[i].tag);
  free(t->items);
  *t = (cli_tag_sums){0};
}

/* ---- order ------------------------------------------------------------------------------ */

static int by_tag(const void *a, const void *b) {
  const cli_tag_sum *x = a, *y = b;
  int order = memcmp(x->tag, y->tag, x->size < y->size ? x->size : y->size);
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

int cli_tag_by_entries(const void *a, const void *b) {
  const cli_tag_sum *x = a, *y = b;
  int order = (x->entries < y->entries) - (x->entries > y->entries);
  return order ? order : by_tag(a, b);
}

int64_t cli_tag_last_mark(const cli_tag_sum *s) {
  return s->marks.dead_ms > s->marks.stale_ms ? s->marks.dead_ms : s->marks.stale_ms;
}

bool cli_tag_is_dead(const cli_tag_sum *s) {
  return s->marks.dead_ms >= s->marks.stale_ms;
}

int cli_tag_by_mark(const void *a, const void *b) {
  int64_t x = cli_tag_last_mark(a), y = cli_tag_last_mark(b);
  return x == y ? cli_tag_by_entries(a, b) : (x < y) - (x > y);
}

/* ---- merging ---------------------------------------------------------------------------- */

void cli_tag_sums_merge(cli_tag_sums *t, const nxc_view *view) {
  size_t n = 0;
  if (t->count) qsort(t->items, t->count, sizeof *t->items, by_tag);
  for (size_t i = 0; i < t->count; i++) {
    cli_tag_sum *s = &t->items[i], *last = n ? &t->items[n - 1] : NULL;
    if (last && by_tag(last, s) == 0) {
      last->entries++;
      last->hits += s->hits;
      last->bytes += s->bytes;
      free(s->tag);
    } else {
      t->items[n++] = *s;
    }
  }
  t->count = n;
  for (size_t i = 0; i < n; i++) {
    nxc_slice tag = {t->items[i].tag, t->items[i].size};
    nxc_view_tag(view, tag, &t->items[i].marks);
  }
}

json_t *cli_tag_json(const cli_tag_sum *s) {
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "tag",
                   cli_json_text((nxc_slice){s->tag, s->size}), "entries", (json_int_t)s->entries,
                   "hits", (json_int_t)s->hits, "bytes", (json_int_t)s->bytes, "dead_ms",
                   (json_int_t)s->marks.dead_ms, "stale_ms", (json_int_t)s->marks.stale_ms,
                   "deadline_ms", (json_int_t)s->marks.deadline_ms);
}
