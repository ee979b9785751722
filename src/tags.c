/* tags.c - the tag rows: find, mark, recycle.
 *
 * A row is the hash of a tag and words that only grow. The order of everything:
 *
 *   mark   value = epoch + 1 -> row words -> epoch + 1
 *   read   epoch -> row words -> floor
 *   free   hash | DYING -> floor >= row words -> flush -> epoch + 1 -> hash = 0
 *
 * So a reader whose epoch has not moved since it last looked has missed nothing,
 * and a reader that no longer finds a row sees a floor that covers it. A reader that
 * finds a mark above the epoch moves the epoch for the process that did not come to
 * it: or else whatever is born now would be dead at once. Content
 * whose birth was read after a mark returned is never hit by it; content born
 * while it ran may go either way.
 *
 * A row that is taken over keeps its old words: they are at most the floor, so
 * they condemn nothing that the floor does not. Two rows of one tag, made by two
 * processes at once, are harmless: readers look at all ways of a bucket.
 */
#include "tags.h"

#define TRIES 64 /* of a loop that other processes can upset */

/* Where the rows are that count. */
static nxc__index *home_of(nxc__index *x) {
  return x->elder ? x->elder : x;
}

static nxc__tag_bucket *bucket_of(const nxc__index *x, uint64_t hash) {
  /* The hash has 63 bits; the place is chosen by its top ones. */
  return &x->tag_buckets[nxc__hash_place(hash << 1, x->geometry.tag_buckets)];
}

/* A damaged word must not become a time before all others. */
static int64_t wall_of(const nxc__word *word) {
  uint64_t w = atomic_load(word);
  return w > INT64_MAX ? INT64_MAX : (int64_t)w;
}

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* ---- rows come and go ---------------------------------------------------------- */

/* Completes the freeing of a row, whoever began it. Any number of processes may
 * do so at once, and one that is late changes nothing. */
static void row_free(nxc__index *x, nxc__tag_bucket *b, int way, uint64_t dying) {
  nxc__header *h = x->header;
  uint64_t marked = larger(atomic_load(&b->dead[way]), atomic_load(&b->stale[way]));
  uint64_t wall = larger(atomic_load(&b->dead_wall_ms[way]), atomic_load(&b->stale_wall_ms[way]));

  nxc__word_raise(&h->floor_wall_ms, wall);
  if (nxc__word_raise(&h->floor, marked)) nxc__count(x, NXC__C_FLOOR_RAISES, 1);
  /* In a full table each tag takes a row, and most of what goes the floor covers already. */
  if (!nxc__index_has_flushed(x, marked, wall)) (void)nxc__index_flush(x);
  atomic_fetch_add(&h->epoch, 1);
  atomic_compare_exchange_strong(&b->hash[way], &dying, 0);
}

/* The row of a tag, dying or not; -1: it has none. */
static int row_find(const nxc__tag_bucket *b, uint64_t hash, uint64_t *seen) {
  for (int way = 0; way < NXC__WAYS; way++) {
    *seen = atomic_load(&b->hash[way]);
    if (*seen && (*seen & ~NXC__ROW_DYING) == hash) return way;
  }
  return -1;
}

/* A free row, or else the one whose last mark is the oldest: freeing that raises
 * the floor least. */
static int row_to_take(const nxc__tag_bucket *b, uint64_t *seen) {
  uint64_t best = UINT64_MAX;
  int oldest = 0;
  for (int way = 0; way < NXC__WAYS; way++) {
    *seen = atomic_load(&b->hash[way]);
    if (!*seen) return way;
    uint64_t marked = larger(atomic_load(&b->dead[way]), atomic_load(&b->stale[way]));
    if (marked < best) {
      best = marked;
      oldest = way;
    }
  }
  *seen = atomic_load(&b->hash[oldest]);
  return oldest;
}

/* The row of a tag, claimed when it has none; -1 when others keep interfering. */
static int row_claim(nxc__index *x, nxc__tag_bucket *b, uint64_t hash) {
  for (int tries = 0; tries < TRIES; tries++) {
    uint64_t seen;
    int way = row_find(b, hash, &seen);
    if (way >= 0 && seen == hash) return way;
    if (way < 0) {
      way = row_to_take(b, &seen);
      if (!seen) {
        if (atomic_compare_exchange_strong(&b->hash[way], &seen, hash)) return way;
        nxc__count(x, NXC__C_RETRIES, 1);
        continue;
      }
    }
    uint64_t dying = seen | NXC__ROW_DYING;
    if (seen != dying && !atomic_compare_exchange_strong(&b->hash[way], &seen, dying)) continue;
    row_free(x, b, way, dying);
  }
  return -1;
}

/* ---- marking ------------------------------------------------------------------- */

/* A deadline that has passed becomes "dead" before anything replaces it, so that
 * what it condemned stays so. */
static void fold_deadline(nxc__tag_bucket *b, int way, int64_t now_ms) {
  uint64_t deadline = atomic_load(&b->deadline_ms[way]);
  if (!deadline || (int64_t)deadline > now_ms) return;
  uint64_t stale = atomic_load(&b->stale[way]);
  uint64_t wall = atomic_load(&b->stale_wall_ms[way]);
  if (atomic_load(&b->deadline_ms[way]) != deadline) return; /* folded by another */
  nxc__word_raise(&b->dead_wall_ms[way], wall);
  nxc__word_raise(&b->dead[way], stale);
  atomic_compare_exchange_strong(&b->deadline_ms[way], &deadline, 0);
}

/* Of two deadlines the earlier one holds, for all that is stale: content marked
 * stale between them may die early, and none dies late. */
static void set_deadline(nxc__tag_bucket *b, int way, int64_t deadline_ms) {
  uint64_t seen = atomic_load(&b->deadline_ms[way]);
  while (!seen || (int64_t)seen > deadline_ms) {
    if (atomic_compare_exchange_weak(&b->deadline_ms[way], &seen, (uint64_t)deadline_ms)) return;
  }
}

static int64_t deadline_of(int64_t dead_after_ms, int64_t now_ms) {
  int64_t deadline;
  if (dead_after_ms == NXC_NEVER) return NXC_NEVER;
  if (__builtin_add_overflow(now_ms, dead_after_ms, &deadline)) return NXC_NEVER;
  return deadline > 0 ? deadline : 1; /* 0 means none */
}

static void mark_row(nxc__tag_bucket *b, int way, uint64_t value, int64_t dead_after_ms,
                     int64_t now_ms) {
  uint64_t wall = now_ms > 0 ? (uint64_t)now_ms : 1;

  fold_deadline(b, way, now_ms);
  if (dead_after_ms == 0) {
    nxc__word_raise(&b->dead_wall_ms[way], wall);
    nxc__word_raise(&b->dead[way], value);
    return;
  }
  int64_t deadline = deadline_of(dead_after_ms, now_ms);
  if (deadline != NXC_NEVER) set_deadline(b, way, deadline);
  nxc__word_raise(&b->stale_wall_ms[way], wall);
  nxc__word_raise(&b->stale[way], value);
}

/* Marks one tag. A row that was taken away meanwhile may have been read before it
 * was written, so it is done again; where no row can be had, all tags pay. */
static void mark_tag(nxc__index *x, nxc_slice tag, uint64_t value, int64_t dead_after_ms,
                     int64_t now_ms) {
  uint64_t hash = nxc__hash_tag(&x->secret, tag);
  nxc__tag_bucket *b = bucket_of(x, hash);

  for (int tries = 0; tries < TRIES; tries++) {
    int way = row_claim(x, b, hash);
    if (way < 0) break;
    mark_row(b, way, value, dead_after_ms, now_ms);
    if (atomic_load(&b->hash[way]) == hash) return;
    nxc__count(x, NXC__C_RETRIES, 1);
  }
  nxc__tags_raise_floor(x, false, now_ms);
}

void nxc__tags_mark(nxc__index *x, const nxc_slice *tags, size_t tag_count, int64_t dead_after_ms,
                    int64_t now_ms) {
  x = home_of(x);
  uint64_t value = (nxc__epoch_load(x) & ~NXC__EPOCH_DEAD) + 1;
  for (size_t i = 0; i < tag_count; i++) mark_tag(x, tags[i], value, dead_after_ms, now_ms);
  atomic_fetch_add(&x->header->epoch, 1);
}

void nxc__tags_raise_floor(nxc__index *x, bool all, int64_t now_ms) {
  x = home_of(x);
  nxc__header *h = x->header;
  uint64_t value = (nxc__epoch_load(x) & ~NXC__EPOCH_DEAD) + 1;
  uint64_t wall = now_ms > 0 ? (uint64_t)now_ms : 1;

  nxc__word_raise(&h->floor_wall_ms, wall);
  if (nxc__word_raise(&h->floor, value)) nxc__count(x, NXC__C_FLOOR_RAISES, 1);
  if (all) {
    nxc__word_raise(&h->origin_wall_ms, wall);
    nxc__word_raise(&h->origin, value);
  }
  atomic_fetch_add(&h->epoch, 1);
}

/* ---- taking over ---------------------------------------------------------------- */

static void take_over_row(nxc__tag_bucket *to, nxc__tag_bucket *from, int way) {
  uint64_t hash = atomic_load(&from->hash[way]) & ~NXC__ROW_DYING, none = 0;
  uint64_t deadline = atomic_load(&from->deadline_ms[way]);

  if (!hash) return;
  nxc__word_raise(&to->dead_wall_ms[way], atomic_load(&from->dead_wall_ms[way]));
  nxc__word_raise(&to->stale_wall_ms[way], atomic_load(&from->stale_wall_ms[way]));
  if (deadline) set_deadline(to, way, (int64_t)deadline);
  nxc__word_raise(&to->dead[way], atomic_load(&from->dead[way]));
  nxc__word_raise(&to->stale[way], atomic_load(&from->stale[way]));
  atomic_compare_exchange_strong(&to->hash[way], &none, hash);
}

void nxc__tags_take_over(nxc__index *x, const nxc__index *from) {
  nxc__header *h = x->header, *f = from->header;

  for (uint32_t i = 0; i < from->geometry.tag_buckets; i++) {
    for (int way = 0; way < NXC__WAYS; way++) {
      take_over_row(&x->tag_buckets[i], &from->tag_buckets[i], way);
    }
  }
  nxc__word_raise(&h->floor_wall_ms, atomic_load(&f->floor_wall_ms));
  nxc__word_raise(&h->floor, atomic_load(&f->floor));
  nxc__word_raise(&h->origin_wall_ms, atomic_load(&f->origin_wall_ms));
  nxc__word_raise(&h->origin, atomic_load(&f->origin));
  /* Far above what those may still count who have not seen that it is over. */
  uint64_t epoch = atomic_load(&f->epoch) & ~NXC__EPOCH_DEAD;
  nxc__word_raise(&h->epoch, epoch + NXC__BOOT_JUMP);
}

/* ---- asking -------------------------------------------------------------------- */

/* Only a mark that is just one ahead: damage must not push the epoch. */
static void finish_mark(nxc__index *x, uint64_t value) {
  uint64_t epoch = nxc__epoch_load(x);
  if (value == epoch + 1) nxc__word_raise(&x->header->epoch, value);
}

/* stale before deadline: the reverse of how they are written, so that a new stale
 * mark is never judged by the lack of its deadline. */
static nxc__marks read_row(const nxc__tag_bucket *b, int way) {
  nxc__marks m = {.dead_wall_ms = 0};
  m.stale = atomic_load(&b->stale[way]);
  m.stale_wall_ms = wall_of(&b->stale_wall_ms[way]);
  m.deadline_ms = (int64_t)atomic_load(&b->deadline_ms[way]);
  m.dead = atomic_load(&b->dead[way]);
  m.dead_wall_ms = wall_of(&b->dead_wall_ms[way]);
  return m;
}

bool nxc__tags_find(const nxc__index *x, nxc_slice tag, nxc__marks *out) {
  if (x->elder) x = x->elder;
  uint64_t hash = nxc__hash_tag(&x->secret, tag);
  const nxc__tag_bucket *b = bucket_of(x, hash);
  bool found = false;

  *out = (nxc__marks){.dead = 0};
  for (int way = 0; way < NXC__WAYS; way++) {
    if ((atomic_load(&b->hash[way]) & ~NXC__ROW_DYING) != hash) continue;
    nxc__marks m = read_row(b, way);
    if (!found || larger(m.dead, m.stale) > larger(out->dead, out->stale)) *out = m;
    found = true;
  }
  return found;
}

void nxc__tags_judge(nxc__index *x, nxc_slice tag, const nxc__life *life, nxc__fate *fate,
                     int tag_number) {
  x = home_of(x);
  uint64_t hash = nxc__hash_tag(&x->secret, tag);
  const nxc__tag_bucket *b = bucket_of(x, hash);

  for (int way = 0; way < NXC__WAYS; way++) {
    if ((atomic_load(&b->hash[way]) & ~NXC__ROW_DYING) != hash) continue;
    nxc__marks m = read_row(b, way);
    finish_mark(x, larger(m.dead, m.stale));
    nxc__fate_add(fate, life, &m, tag_number);
  }
}

void nxc__tags_judge_floor(nxc__index *x, const nxc__life *life, bool tagged, nxc__fate *fate) {
  x = home_of(x);
  nxc__header *h = x->header;
  uint64_t origin = atomic_load(&h->origin), floor = atomic_load(&h->floor);

  finish_mark(x, larger(origin, floor));
  nxc__fate_add_floor(fate, life, origin, wall_of(&h->origin_wall_ms));
  if (tagged) nxc__fate_add_floor(fate, life, floor, wall_of(&h->floor_wall_ms));
}

nxc__life nxc__life_of(const nxc_entry *entry) {
  const nxc__head *h = entry->record;
  return (nxc__life){h->birth, h->created_ms, h->revalidate_ms, h->expire_ms};
}

void nxc__tags_judge_entry(nxc__index *x, const nxc_entry *entry, nxc__fate *fate) {
  nxc__life life = nxc__life_of(entry);
  nxc__fate_init(fate);
  for (size_t i = 0; i < entry->record->tag_count; i++) {
    nxc__tags_judge(x, nxc_entry_tag(entry, i), &life, fate, (int)i);
  }
  nxc__tags_judge_floor(x, &life, entry->record->tag_count > 0, fate);
}
