/* tag_sums.h - the tags that entries carry, added up: for `tags` and the dashboard. */
#ifndef NXC_TAG_SUMS_H
#define NXC_TAG_SUMS_H

#include "cli.h"

typedef struct cli_tag_sum { /* of one tag; until they are merged, one tag of one entry */
  char *tag;
  size_t size;
  uint64_t entries, hits, bytes; /* hits: entries that a get would find */
  nxc_tag_marks marks;
} cli_tag_sum;

typedef struct cli_tag_sums {
  cli_tag_sum *items;
  size_t count, room;
} cli_tag_sums;

/* Adds the tags of an entry that begin so; NULL: all. */
void cli_tag_sums_add(cli_tag_sums *sums, const nxc_seen *seen, const char *begins);

/* One sum for each tag, with its marks, by name. */
void cli_tag_sums_merge(cli_tag_sums *sums, const nxc_view *view);
void cli_tag_sums_release(cli_tag_sums *sums);

/* Orders for qsort(): the most entries first, the last mark first. */
int cli_tag_by_entries(const void *a, const void *b);
int cli_tag_by_mark(const void *a, const void *b);

int64_t cli_tag_last_mark(const cli_tag_sum *sum); /* 0: none */
bool cli_tag_is_dead(const cli_tag_sum *sum);      /* by that mark; else stale */
json_t *cli_tag_json(const cli_tag_sum *sum);

#endif
