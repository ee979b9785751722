/* cache.c - the composition: judge, get, put, remove, mark.
 *
 * No disk, no callback and no large allocation happens under the engine's mutex. A
 * get looks at the clock and, at most every 100 ms, at the directory; a put, a
 * remove and a mark look at the directory every time.
 */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tags.h"
#include "times.h"

#define SPACE_QUIET_MS 60000 /* a disk that was full for so long no more has room */

bool nxc__is_sane(nxc_slice s) {
  return s.data || !s.size;
}

static bool all_sane(const nxc_slice *s, size_t n) {
  if (n && !s) return false;
  for (size_t i = 0; i < n; i++) {
    if (!nxc__is_sane(s[i])) return false;
  }
  return true;
}

uint64_t nxc_birth(nxc_cache *cache) {
  if (nxc__usable(cache) != NXC_OK) return 0;
  uv_mutex_lock(&cache->engine->lock);
  uint64_t epoch = nxc__epoch_load(cache->engine->store->index) & ~NXC__EPOCH_DEAD;
  uv_mutex_unlock(&cache->engine->lock);
  return epoch;
}

/* ---- judging ---------------------------------------------------------------------- */

/* What the rows say of further tags, numbered from `first`. */
static void add_soft_tags(nxc__index *x, const nxc__life *life, const nxc_slice *tags, size_t n,
                          size_t first, nxc__fate *fate) {
  for (size_t i = 0; i < n; i++) nxc__tags_judge(x, tags[i], life, fate, (int)(first + i));
  nxc__tags_judge_floor(x, life, n > 0, fate);
}

static void name_tag(nxc_found *found, nxc_slice tag) {
  size_t n = tag.size < sizeof found->why_tag ? tag.size : sizeof found->why_tag - 1;
  if (n) memcpy(found->why_tag, tag.data, n);
  found->why_tag[n] = '\0';
}

/* The verdict on an entry whose own fate is known; fills *found but its entry. */
static nxc_result judge(nxc__index *x, const nxc_entry *entry, const nxc__fate *own,
                        const nxc_query *q, uint64_t epoch, int64_t now, nxc_found *found) {
  nxc__life life = nxc__life_of(entry);
  nxc__fate fate = *own;
  size_t tags = entry->record->tag_count;
  int tag;

  add_soft_tags(x, &life, q->soft_tags, q->soft_tag_count, tags, &fate);
  nxc_result rc = nxc__verdict(&life, &fate, epoch, now, &found->why, &found->dead_at_ms, &tag);
  if (tag >= 0) {
    name_tag(found, (size_t)tag < tags ? nxc_entry_tag(entry, (size_t)tag)
                                       : q->soft_tags[(size_t)tag - tags]);
  }
  return rc;
}

/* Whether a look without further tags would find it dead. */
static bool is_dead_now(nxc__engine *e, const nxc__store *s, const nxc_entry *entry) {
  nxc_query none = {.soft_tag_count = 0};
  nxc_found found;
  nxc__fate fate;
  uint64_t epoch = nxc__epoch_load(s->index) & ~NXC__EPOCH_DEAD;
  nxc__tags_judge_entry(s->index, entry, &fate);
  return judge(s->index, entry, &fate, &none, epoch, nxc__wall_ms(e), &found) == NXC_MISS;
}

static void count_verdict(nxc__index *x, nxc_result rc, const nxc_found *found, unsigned class_id) {
  if (rc == NXC_MISS) {
    nxc__count(x, NXC__C_MISSES + class_id, 1);
    if (found->why == NXC_WHY_TAG || found->why == NXC_WHY_FLOOR) {
      nxc__count(x, NXC__C_DEAD_BY_TAG, 1);
    }
    if (found->why == NXC_WHY_AGE) nxc__count(x, NXC__C_DEAD_BY_AGE, 1);
    return;
  }
  nxc__count(x, (found->in_memory ? NXC__C_MEMORY_HITS : NXC__C_DISK_HITS) + class_id, 1);
  if (rc == NXC_STALE) nxc__count(x, NXC__C_STALE_HITS + class_id, 1);
}

int nxc_judge(nxc_cache *cache, const nxc_record *record, const nxc_slice *soft_tags,
              size_t soft_tag_count, nxc_found *found) {
  int rc = nxc__usable(cache), tag;
  if (rc != NXC_OK) return rc;
  if (!record || !found || !all_sane(record->tags, record->tag_count) ||
      !all_sane(soft_tags, soft_tag_count)) {
    return NXC_E_INVALID;
  }
  nxc__engine *e = cache->engine;
  nxc__look_sometimes(e);
  *found = (nxc_found){.why = NXC_WHY_ERROR, .dead_at_ms = NXC_NEVER};
  uint64_t epoch;
  if (!nxc__lock_alive(e, &epoch)) return NXC_MISS;
  nxc__store *s = nxc__store_ref(e->store);
  uv_mutex_unlock(&e->lock);
  nxc__index *x = s->index;
  nxc__life life = {record->birth, record->created_ms, record->revalidate_ms, record->expire_ms};
  nxc__fate fate;
  nxc__fate_init(&fate);
  add_soft_tags(x, &life, record->tags, record->tag_count, 0, &fate);
  add_soft_tags(x, &life, soft_tags, soft_tag_count, record->tag_count, &fate);
  rc = nxc__verdict(&life, &fate, epoch, nxc__wall_ms(e), &found->why, &found->dead_at_ms, &tag);
  if (tag >= 0) {
    size_t i = (size_t)tag;
    name_tag(found, i < record->tag_count ? record->tags[i] : soft_tags[i - record->tag_count]);
  }
  nxc__store_unref(s);
  return rc;
}

/* ---- get -------------------------------------------------------------------------- */

static int query_sane(const nxc_query *q, const nxc_found *found) {
  return q && found && nxc__is_sane(q->key) && q->class_id < NXC_CLASSES &&
                 all_sane(q->soft_tags, q->soft_tag_count)
             ? NXC_OK
             : NXC_E_INVALID;
}

/* Which version of an entry, and which marks, an answer rests on. */
static void stamp_write(const nxc__index *x, const nxc__token *token, uint64_t epoch,
                        uint64_t stamp[4]) {
  memcpy(&stamp[0], x->instance, sizeof stamp[0]);
  stamp[1] = (uint64_t)(token->slot - x->slots) + 1;
  stamp[2] = token->word;
  stamp[3] = epoch;
}

/* Under the lock, because a stamp may be of a store that is not mapped any more. */
static bool stamp_holds(nxc__store *s, const uint64_t stamp[4]) {
  nxc__index *x = s->index;
  uint64_t instance;
  memcpy(&instance, x->instance, sizeof instance);
  size_t slots = (size_t)x->geometry.buckets * NXC__WAYS;
  if (!s->disk || instance != stamp[0] || stamp[1] - 1 >= slots) return false;
  if (nxc__epoch_load(x) != stamp[3]) return false;
  nxc__token token = {&x->slots[stamp[1] - 1], stamp[2]};
  if (!nxc__token_holds(&token)) return false;
  nxc__ring_touch(&s->ring, &token);
  return true;
}

int nxc__unchanged(nxc_cache *cache, unsigned class_id, const uint64_t stamp[4]) {
  if (nxc__usable(cache) != NXC_OK || class_id >= NXC_CLASSES) return 0;
  nxc__engine *e = cache->engine;
  nxc__look_sometimes(e);
  uv_mutex_lock(&e->lock);
  bool holds = stamp_holds(e->store, stamp);
  if (holds) nxc__count(e->store->index, NXC__C_MEMORY_HITS + class_id, 1);
  uv_mutex_unlock(&e->lock);
  return holds;
}

/* The answer of the memory tier, under the lock; NXC__WOULD_BLOCK: look further. */
static int get_from_memory(nxc__engine *e, nxc__hash hash, const nxc_query *q, uint64_t epoch,
                           int64_t now, nxc_found *found) {
  nxc__known *known;
  nxc__index *x = e->store->index;
  nxc_entry *entry = nxc__memory_find(e->memory, hash, q->key, &known);

  if (!entry) return NXC__WOULD_BLOCK;
  if (!nxc__token_holds(&known->token)) { /* another process replaced or removed it */
    nxc__memory_remove(e->memory, hash, q->key);
    return NXC__WOULD_BLOCK;
  }
  if (known->epoch != epoch) {
    nxc__tags_judge_entry(x, entry, &known->fate);
    known->epoch = epoch;
  }
  found->in_memory = 1;
  nxc_result rc = judge(x, entry, &known->fate, q, epoch, now, found);
  count_verdict(x, rc, found, q->class_id);
  if (rc == NXC_MISS) {
    /* A soft tag may condemn it for this look-up alone. */
    if (known->fate.dead || found->why != NXC_WHY_TAG) {
      nxc__memory_remove(e->memory, hash, q->key);
    }
    return rc;
  }
  if (e->store->disk && known->token.slot) {
    nxc__ring_touch(&e->store->ring, &known->token);
    if (rc == NXC_OK) stamp_write(x, &known->token, epoch, found->stamp);
  }
  found->entry = nxc_entry_ref(entry);
  return rc;
}

static int conclude(nxc__engine *e, const nxc_query *q, const nxc__fetched *f, int64_t now,
                    nxc_found *found) {
  nxc__index *x = f->store->index;

  if (f->result != NXC_OK) {
    found->why = f->result == NXC_MISS       ? NXC_WHY_ABSENT
                 : f->result == NXC__CORRUPT ? NXC_WHY_CORRUPT
                                             : NXC_WHY_ERROR;
    count_verdict(x, NXC_MISS, found, q->class_id);
    return NXC_MISS;
  }
  uint64_t epoch = nxc__epoch_load(x);
  nxc__known known = {.token = f->token, .epoch = epoch};
  nxc__tags_judge_entry(x, f->entry, &known.fate);
  nxc_result rc = judge(x, f->entry, &known.fate, q, epoch, now, found);
  count_verdict(x, rc, found, q->class_id);
  if (rc == NXC_MISS) return rc;
  found->entry = nxc_entry_ref(f->entry);
  uv_mutex_lock(&e->lock);
  if (e->store == f->store && nxc__token_holds(&f->token)) {
    nxc__memory_insert(e->memory, f->hash, f->entry, &known);
    nxc__show_memory(e);
  }
  uv_mutex_unlock(&e->lock);
  return rc;
}

int nxc__conclude(nxc_cache *cache, const nxc_query *query, const nxc__fetched *fetched,
                  nxc_found *found) {
  *found = (nxc_found){.dead_at_ms = NXC_NEVER};
  return conclude(cache->engine, query, fetched, nxc__wall_ms(cache->engine), found);
}

bool nxc__fetched_stands(nxc_cache *cache, const nxc__fetched *f) {
  nxc__engine *e = cache->engine;
  uint64_t epoch;
  if (f->result != NXC_OK || !nxc__lock_alive(e, &epoch)) return false;
  bool stands = e->store == f->store && nxc__token_holds(&f->token);
  uv_mutex_unlock(&e->lock);
  return stands;
}

void nxc__fetched_release(nxc__fetched *f) {
  nxc_entry_unref(f->entry);
  nxc__store_unref(f->store);
  *f = (nxc__fetched){.result = NXC_MISS};
}

static void fetch(nxc__store *s, nxc__hash hash, nxc_slice key, bool nowait, nxc__fetched *f) {
  *f = (nxc__fetched){.result = NXC_MISS, .store = s, .hash = hash};
  if (!s->disk) return;
  NXC__UNCANCELLED();
  uint64_t began = nxc__time_sometimes();
  f->result = nxc__ring_get(&s->ring, hash, key, nowait, &f->entry, &f->token);
  if (f->result == NXC_OK) nxc__time_count(s->index, NXC__TIMED_READ, began);
}

void nxc__fetch(nxc_cache *cache, nxc_slice key, nxc__fetched *f) {
  nxc__store *s = nxc__store_of(cache->engine);
  fetch(s, nxc__hash_key(&s->index->secret, key), key, false, f);
}

int nxc__get(nxc_cache *cache, const nxc_query *q, bool nowait, nxc_found *found) {
  int rc = nxc__usable(cache);
  if (rc == NXC_OK) rc = query_sane(q, found);
  if (rc != NXC_OK) return rc;

  nxc__engine *e = cache->engine;
  *found = (nxc_found){.dead_at_ms = NXC_NEVER};
  nxc__look_sometimes(e);
  int64_t now = nxc__wall_ms(e);
  uint64_t epoch;
  if (!nxc__lock_alive(e, &epoch)) {
    found->why = NXC_WHY_ERROR;
    return NXC_MISS;
  }
  nxc__hash hash = nxc__hash_key(&e->store->index->secret, q->key);
  if (e->store->disk) nxc__ring_expect(&e->store->ring, hash);
  rc = get_from_memory(e, hash, q, epoch, now, found);
  nxc__store *s = rc == NXC__WOULD_BLOCK ? nxc__store_ref(e->store) : NULL;
  uv_mutex_unlock(&e->lock);
  if (!s) return rc;

  nxc__fetched f;
  fetch(s, hash, q->key, nowait, &f);
  rc = f.result == NXC__WOULD_BLOCK ? NXC__WOULD_BLOCK : conclude(e, q, &f, now, found);
  nxc__fetched_release(&f);
  return rc;
}

int nxc_get(nxc_cache *cache, const nxc_query *query, nxc_found *found) {
  return nxc__get(cache, query, false, found);
}

/* ---- second lives ----------------------------------------------------------------- */

typedef struct moving {
  nxc__engine *engine;
  nxc__store *store;
} moving;

static bool is_worth_moving(void *arg, const nxc_entry *entry) {
  const moving *m = arg;
  return !nxc__store_is_dead(m->store) && !is_dead_now(m->engine, m->store, entry);
}

static void move_records(void *arg) {
  moving *m = arg;
  nxc__engine *e = m->engine;
  do {
    atomic_store(&e->mover_wanted, false);
    nxc__ring_move(&m->store->ring, is_worth_moving, m);
    atomic_store(&e->mover_busy, false);
    /* Another segment was entered meanwhile: its successor is due already. */
  } while (atomic_load(&e->mover_wanted) && !atomic_exchange(&e->mover_busy, true));
  nxc__store_unref(m->store);
  free(m);
}

/* One short-lived thread for each segment, so that no caller pays for it. */
static void start_mover(nxc__engine *e, nxc__store *s) {
  atomic_store(&e->mover_wanted, true);
  if (atomic_exchange(&e->mover_busy, true)) return;
  moving *m = malloc(sizeof *m);
  uv_mutex_lock(&e->mover_lock);
  if (e->mover_started) uv_thread_join(&e->mover);
  e->mover_started = false;
  if (m) {
    *m = (moving){e, nxc__store_ref(s)};
    e->mover_started = uv_thread_create(&e->mover, move_records, m) == 0;
    if (!e->mover_started) {
      nxc__store_unref(s);
      free(m);
    }
  }
  if (!e->mover_started) atomic_store(&e->mover_busy, false);
  uv_mutex_unlock(&e->mover_lock);
}

/* ---- put -------------------------------------------------------------------------- */

static int create(nxc_cache *cache, const nxc_record *record, nxc_entry **out) {
  if (!record || !out || !nxc__is_sane(record->key) || !nxc__is_sane(record->meta) ||
      !all_sane(record->tags, record->tag_count)) {
    return NXC_E_INVALID;
  }
  nxc_record r = *record;
  if (!r.birth) r.birth = nxc_birth(cache);
  if (!r.created_ms) r.created_ms = nxc__wall_ms(cache->engine);
  *out = NULL;
  return nxc__record_build(&r, out);
}

int nxc_entry_create(nxc_cache *cache, const nxc_record *record, nxc_entry **out) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  /* A birth in a store that is over would be too old. */
  if (record && !record->birth) nxc__refresh(cache->engine);
  return create(cache, record, out);
}

static nxc_slice key_of(const nxc_entry *entry) {
  nxc_record r;
  nxc_entry_read(entry, &r);
  return r.key;
}

/* A position for the put, or for the tombstone that stands in for it: taken now, so
 * that it is not later than that of a put which the same caller begins next. */
static void reserve(nxc__put *p) {
  nxc__ring *ring = &p->store->ring;
  p->write = (nxc__write){.word = 0}; /* one in a store before is that one's */
  if (!p->store->disk) return;
  if (p->planned == NXC_OK) p->planned = nxc__ring_reserve(ring, p->hash, p->entry, &p->write);
  if (p->planned != NXC_OK && nxc__ring_reserve(ring, p->hash, NULL, &p->write) != NXC_OK) {
    p->planned = NXC_E_IO;
    p->write.word = 0;
    if (nxc__ring_is_spent(ring)) nxc__store_kill(p->store); /* the next call makes it anew */
  }
}

static void complain_of_space(nxc__engine *e) {
  char text[300];
  snprintf(text, sizeof text,
           "the file system of the cache directory %.200s is full; new entries live in memory only",
           e->dir);
  nxc__complain(e, NXC__CAUSE_SPACE, text);
}

/* Takes a position in the store in use. Whether that is the directory's is looked at
 * when the put is published. */
static void begin(nxc__put *p) {
  NXC__UNCANCELLED();
  nxc__engine *e = p->cache->engine;
  p->store = nxc__store_of(e);
  p->hash = nxc__hash_key(&p->store->index->secret, p->key);
  if (p->store->disk) nxc__ring_expect(&p->store->ring, p->hash);
  p->planned = p->entry && is_dead_now(e, p->store, p->entry) ? NXC_BORN_DEAD : NXC_OK;
  reserve(p);
  if (p->store->disk && p->planned == NXC_E_IO) {
    nxc__count(p->store->index, NXC__C_DISK_ERRORS, 1);
    complain_of_space(e);
  } else if (p->store->disk && p->planned == NXC_OK) {
    nxc__recovered(e, NXC__CAUSE_SPACE, SPACE_QUIET_MS,
                   "there is room again in the file system of the cache directory");
  }
}

int nxc__put_begin(nxc_cache *cache, nxc_entry *entry, nxc__put *p) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!entry) return NXC_E_INVALID;
  *p = (nxc__put){.cache = cache, .entry = nxc_entry_ref(entry), .key = key_of(entry)};
  begin(p);
  return NXC_OK;
}

int nxc__remove_begin(nxc_cache *cache, nxc_slice key, nxc__put *p) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!nxc__is_sane(key)) return NXC_E_INVALID;
  *p = (nxc__put){.cache = cache, .key = key};
  begin(p);
  return NXC_OK;
}

bool nxc__put_blocks(nxc__put *p) {
  return p->store->disk && !nxc__ring_writes_at_once(&p->store->ring, &p->write);
}

/* Puts into the memory tier, unless it is not the tier of this store any more. */
static bool keep_in_memory(const nxc__put *p, const nxc__token *token) {
  nxc__engine *e = p->cache->engine;
  /* Epoch 0: the first hit looks its tags up. */
  nxc__known known = {.token = *token};
  uv_mutex_lock(&e->lock);
  bool kept = e->store == p->store && nxc__token_holds(token) && /* or a newer one is there */
              nxc__memory_insert(e->memory, p->hash, p->entry, &known);
  nxc__show_memory(e);
  uv_mutex_unlock(&e->lock);
  return kept;
}

/* What superseded the put may be there; an older version is known by its token. */
static void forget_in_memory(const nxc__put *p, int committed) {
  nxc__engine *e = p->cache->engine;
  if (committed == NXC_SUPERSEDED) return;
  uv_mutex_lock(&e->lock);
  nxc__memory_remove(e->memory, p->hash, p->key);
  nxc__show_memory(e);
  uv_mutex_unlock(&e->lock);
}

/* Publishes what was reserved: as nxc__ring_commit(). Without a disk the memory tier
 * is all there is. */
static int commit(const nxc__put *p, nxc__token *token) {
  if (p->store->disk) {
    uint64_t began = nxc__time_sometimes();
    int rc = p->write.word ? nxc__ring_commit(&p->store->ring, &p->write, token) : NXC_E_IO;
    if (rc == NXC_OK && p->entry) nxc__time_count(p->store->index, NXC__TIMED_PUT, began);
    return rc;
  }
  return p->entry && p->planned == NXC_OK ? NXC_MEMORY_ONLY : NXC_OK;
}

static int finish_remove(const nxc__put *p, int committed) {
  forget_in_memory(p, committed);
  nxc__count(p->store->index, NXC__C_REMOVES, 1);
  bool shared = p->store->disk || !p->cache->engine->dir;
  return shared && committed != NXC_E_IO ? NXC_OK : NXC_E_IO;
}

/* A put that could not be planned: a tombstone was committed for it. The memory tier
 * may keep a value that is only too large, as long as the tombstone stands. */
static int finish_unwritten(const nxc__put *p, int committed, const nxc__token *token) {
  nxc__index *x = p->store->index;
  if (committed == NXC_OK && p->planned != NXC_BORN_DEAD && keep_in_memory(p, token)) {
    nxc__count(x, NXC__C_PUTS + p->entry->record->class_id, 1);
    return NXC_MEMORY_ONLY;
  }
  forget_in_memory(p, committed);
  if (p->planned == NXC_BORN_DEAD) {
    nxc__count(x, NXC__C_BORN_DEAD, 1);
    return committed == NXC_E_IO ? NXC_E_IO : NXC_BORN_DEAD;
  }
  if (committed == NXC_SUPERSEDED) return committed;
  nxc__count(x, NXC__C_REFUSED, 1);
  return committed == NXC_E_IO ? NXC_E_IO : p->planned;
}

static int finish_put(const nxc__put *p, int committed, const nxc__token *token) {
  nxc__index *x = p->store->index;
  if (p->planned != NXC_OK) return finish_unwritten(p, committed, token);
  bool stands = committed == NXC_OK || committed == NXC_MEMORY_ONLY;
  bool kept = stands && keep_in_memory(p, token);
  if (committed == NXC_OK || (committed == NXC_MEMORY_ONLY && kept)) {
    nxc__count(x, NXC__C_PUTS + p->entry->record->class_id, 1);
    return committed;
  }
  forget_in_memory(p, committed);
  if (committed == NXC_SUPERSEDED) {
    nxc__count(x, NXC__C_SUPERSEDED, 1);
    return committed;
  }
  nxc__count(x, NXC__C_REFUSED, 1);
  return p->store->disk ? NXC_E_IO : NXC_E_TOO_LARGE;
}

/* Publishes in the store that was in use at the beginning. */
static int finish_once(nxc__put *p) {
  nxc__token token = {NULL, 0};
  int committed = commit(p, &token);
  int rc = p->entry ? finish_put(p, committed, &token) : finish_remove(p, committed);
  if (p->write.moves) start_mover(p->cache->engine, p->store);
  return rc;
}

/* What nobody can vouch for must not be found. */
static void take_back(const nxc__put *p) {
  nxc__put removal = {.cache = p->cache, .key = p->key};
  begin(&removal);
  (void)finish_once(&removal);
  nxc__store_unref(removal.store);
}

/* The directory is looked at after the publication: a put in a store that was replaced
 * before would be seen by nobody, and one that is replaced later went with it. */
int nxc__put_finish(nxc__put *p) {
  NXC__UNCANCELLED();
  int rc, stays;
  for (int tries = 0;; tries++) {
    rc = finish_once(p);
    stays = nxc__stays(p->cache->engine, p->store);
    if (stays || tries == NXC__REOPENS) break;
    nxc__store_unref(p->store);
    begin(p);
  }
  if (stays != 1 && rc >= 0) {
    if (p->entry) take_back(p);
    rc = NXC_E_IO;
  }
  nxc_entry_unref(p->entry);
  nxc__store_unref(p->store);
  return rc;
}

int nxc_put_entry(nxc_cache *cache, nxc_entry *entry) {
  nxc__put p;
  int rc = nxc__put_begin(cache, entry, &p);
  return rc == NXC_OK ? nxc__put_finish(&p) : rc;
}

static int put_copy(nxc_cache *cache, const nxc_record *record) {
  nxc_entry *entry;
  int rc = create(cache, record, &entry);
  if (rc == NXC_E_TOO_LARGE || rc == NXC_E_NOMEM) (void)nxc_remove(cache, record->key);
  if (rc != NXC_OK) return rc;
  rc = nxc_put_entry(cache, entry);
  nxc_entry_unref(entry);
  return rc;
}

int nxc_put(nxc_cache *cache, const nxc_record *record) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (record && !all_sane(record->parts, record->part_count)) return NXC_E_INVALID;
  rc = put_copy(cache, record);
  /* What is born at this call, in a store that was over, is born again in the next. */
  return rc == NXC_BORN_DEAD && !record->birth ? put_copy(cache, record) : rc;
}

int nxc_remove(nxc_cache *cache, nxc_slice key) {
  nxc__put p;
  int rc = nxc__remove_begin(cache, key, &p);
  return rc == NXC_OK ? nxc__put_finish(&p) : rc;
}

/* ---- marks ------------------------------------------------------------------------ */

int nxc__mark(nxc_cache *cache, const nxc_slice *tags, size_t n, int64_t dead_after_ms,
              nxc__store **store) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!all_sane(tags, n) || dead_after_ms < 0) return NXC_E_INVALID;
  nxc__engine *e = cache->engine;
  nxc__store *s = nxc__store_of(e);

  nxc__tags_mark(s->index, tags, n, dead_after_ms, nxc__wall_ms(e));
  /* Looked at afterwards: a store that was replaced before the mark was made must
   * not be the only one that knows it. */
  int stays = nxc__stays(e, s);
  for (int tries = 0; tries < NXC__REOPENS && stays == 0; tries++) {
    nxc__store_unref(s);
    s = nxc__store_of(e);
    nxc__tags_mark(s->index, tags, n, dead_after_ms, nxc__wall_ms(e));
    stays = nxc__stays(e, s);
  }
  nxc__count(s->index, NXC__C_MARKS, n);
  if (stays == 1) {
    *store = s;
    return NXC_OK;
  }
  nxc__store_unref(s);
  return NXC_E_IO;
}

int nxc__mark_flush(nxc_cache *cache, nxc__store *s) {
  NXC__UNCANCELLED();
  uint64_t began = nxc__time_now();
  int rc = nxc__flush(cache->engine, s);
  if (rc == NXC_OK) nxc__time_count(s->index, NXC__TIMED_MARK, began);
  nxc__store_unref(s);
  return rc;
}

int nxc_mark(nxc_cache *cache, const nxc_slice *tags, size_t tag_count, int64_t dead_after_ms) {
  nxc__store *store;
  if (!tag_count) return nxc__usable(cache);
  int rc = nxc__mark(cache, tags, tag_count, dead_after_ms, &store);
  return rc == NXC_OK ? nxc__mark_flush(cache, store) : rc;
}
