/* test_store_crash.c - processes share one cache while a controller kills and stops
 * them at random, and an oracle beside it judges every answer.
 *
 *   controller --- SIGKILL, SIGSTOP, SIGCONT, rm -rf ---> workers (2 threads each)
 *        `---- "is this put still there?" --------------> verifier (is never killed)
 *
 * The oracle lives in anonymous shared memory and knows only stamps: one shared
 * counter is read before and after every operation. A version is wrong if its put
 * had ended before another one began that has returned, or was seen, before the
 * get began: that is what "linearizable" forbids. So stamps are enough, whatever
 * order the cache itself gives to puts that overlap. A miss is always allowed, but
 * the run fails when hits are rare, for then it would prove nothing.
 *
 * Workers use the public header alone. A timer signal makes them sleep at random
 * instructions, which stands in for a sleep at every race point.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nextcache.h"

#define MB ((uint64_t)1 << 20)
#define KEYS 200
#define TAGS 40
#define TAGS_OF_KEY 4
#define RARE_TAGS 5000 /* more than there are rows: the floor rises */
#define HISTORY 16384  /* versions of a key whose end is remembered */
#define WORKERS 6      /* at most */
#define THREADS 2      /* of a worker */
#define DISK_BYTES (8 * MB)
#define SURE_BYTES (3 * MB) /* so much later a put cannot have been recycled yet */
#define HANG_MS 30000
#define COHERENT_MS 110 /* 100, and the coarse clock's tick */

typedef _Atomic uint64_t word;

/* ---- what all processes share ----------------------------------------------------- */

/* clang-format off */
#define COUNTS(X)                                                                             \
  X(gets) X(hits) X(memory_hits) X(stale_hits) X(puts) X(superseded) X(born_dead)             \
  X(memory_only) X(refused) X(overtaken) X(removes) X(marks) X(clears) X(failed) X(told)      \
  X(kills) X(stops) X(wipes) X(checked) X(readable) X(overwritten) X(invalidated)             \
  X(recycled) X(overrun) X(lost) X(violations)
/* clang-format on */

typedef struct shared {
  word stamp;
  word bytes; /* put so far: how far the ring has turned */
  word wiped; /* nothing whose birth was taken before this stamp is believed */
  /* The directory was just removed: for 100 ms processes that map the old store and
   * newcomers with a new one need not know of each other. */
  atomic_bool unsettled;
  atomic_bool over;
  struct {
    word next_version;
    word floor;        /* stamp before the newest change that took effect */
    word began, ended; /* puts and removes: equal when none is under way */
    struct {
      word version, end; /* end 0: in flight */
    } history[HISTORY];
  } keys[KEYS];
  struct {
    word dead, stale; /* stamps before the last mark that returned */
  } tags[TAGS];
  struct slot {    /* of a thread */
    word changing; /* key + 1 << 48 | version, or 0 for a remove; 0: nothing in flight */
    word returned; /* the same of the last put that answered OK, alone with its key */
    word returned_bytes, returned_birth, returned_began;
    word steps;
  } slots[WORKERS][THREADS];
#define X(name) word name;
  struct {
    COUNTS(X)
  } n;
#undef X
} shared;

static shared *all;

typedef struct settings {
  const char *parent, *dir;
  uint64_t kills, seed;
  double seconds;
  unsigned workers;
  bool small, wipe, clear, jitter;
} settings;

static settings set = {.kills = 500, .seconds = 60, .workers = 4, .seed = 1, .jitter = true};

static uint64_t now_stamp(void) {
  return atomic_fetch_add(&all->stamp, 1) + 1;
}

static void raise_to(word *w, uint64_t value) {
  uint64_t seen = atomic_load(w);
  while (seen < value && !atomic_compare_exchange_weak(w, &seen, value)) {}
}

static int64_t steady_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_us(uint64_t us) {
  struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
  nanosleep(&t, NULL);
}

static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void violation(const char *format, ...) {
  char text[400];
  va_list arguments;
  if (atomic_fetch_add(&all->n.violations, 1) >= 20) return;
  va_start(arguments, format);
  int n = vsnprintf(text, sizeof text - 1, format, arguments);
  va_end(arguments);
  if (n > 0) dprintf(STDERR_FILENO, "# VIOLATION [%d] %s\n", (int)getpid(), text);
}

/* An operation answered with an error, which nothing here is a reason for. */
static void failure(const char *operation, int result) {
  if (atomic_fetch_add(&all->n.failed, 1) >= 5) return;
  dprintf(STDERR_FILENO, "# %s answered: %s\n", operation, nxc_strerror(result));
}

/* ---- values that describe themselves ----------------------------------------------- */

typedef struct label { /* the meta of an entry */
  uint64_t key, version, writer, size, tags;
  uint64_t start;       /* stamp before its put */
  uint64_t birth_stamp; /* stamp after its nxc_birth() */
  uint64_t sum;
} label;

static uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t state = a * UINT64_C(0x2545f4914f6cdd1d) + b;
  return next_random(&state);
}

static uint64_t sum_of(const label *l, uint64_t pattern) {
  uint64_t sum = pattern;
  const uint64_t fields[] = {l->key,  l->version, l->writer,     l->size,
                             l->tags, l->start,   l->birth_stamp};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) sum = mix(sum, fields[i]);
  return sum;
}

static uint64_t pattern_of(const label *l) {
  return mix(mix(l->key, l->version), l->writer);
}

/* Word i of the value is pattern + i; the last bytes are the start of a word. */
static void fill(unsigned char *bytes, size_t size, uint64_t pattern) {
  for (size_t at = 0; at < size; at += 8, pattern++) {
    memcpy(bytes + at, &pattern, size - at < 8 ? size - at : 8);
  }
}

static bool is_filled(const unsigned char *bytes, size_t size, uint64_t pattern) {
  for (size_t at = 0; at < size; at += 8, pattern++) {
    if (memcmp(bytes + at, &pattern, size - at < 8 ? size - at : 8) != 0) return false;
  }
  return true;
}

static int tag_of(uint64_t key, int i) {
  return (int)((key * 7 + (uint64_t)i * 11) % TAGS);
}

static nxc_slice key_name(uint64_t key, char text[32]) {
  int n = snprintf(text, 32, "/page/%llu", (unsigned long long)key);
  return (nxc_slice){text, (size_t)n};
}

static nxc_slice tag_name(uint64_t tag, char text[32]) {
  int n = snprintf(text, 32, "tag-%llu", (unsigned long long)tag);
  return (nxc_slice){text, (size_t)n};
}

/* ---- a worker's thread ---------------------------------------------------------------- */

typedef struct thread {
  nxc_cache *cache;
  struct slot *slot;
  unsigned writer;
  uint64_t random;
  unsigned char *bytes;
  uint64_t birth, birth_stamp; /* of work that began a while ago; 0: none */
} thread;

static uint64_t below(thread *t, uint64_t n) {
  return next_random(&t->random) % n;
}

/* 100 bytes to 300 KB, small ones as often as large ones; now and then more than
 * a segment, which the disk tier has to refuse. */
static size_t random_size(thread *t) {
  if (below(t, 400) == 0) return MB + below(t, MB / 2);
  uint64_t octave = UINT64_C(100) << below(t, set.small ? 5 : 12);
  uint64_t size = octave + below(t, octave);
  return size > 300 * 1024 ? 300 * 1024 : size;
}

/* What must not be seen by a get that begins now. */
typedef struct view {
  uint64_t floor, wiped, dead[TAGS_OF_KEY], stale[TAGS_OF_KEY];
  bool unsettled;
} view;

static view look(uint64_t key) {
  view v = {.floor = atomic_load(&all->keys[key].floor), .wiped = atomic_load(&all->wiped)};
  for (int i = 0; i < TAGS_OF_KEY; i++) {
    v.dead[i] = atomic_load(&all->tags[tag_of(key, i)].dead);
    v.stale[i] = atomic_load(&all->tags[tag_of(key, i)].stale);
  }
  v.unsettled = atomic_load(&all->unsettled);
  return v;
}

/* When the put of a version had ended; UINT64_MAX: it may still be under way. */
static uint64_t end_of(uint64_t key, uint64_t version) {
  uint64_t of = atomic_load(&all->keys[key].history[version % HISTORY].version);
  uint64_t end = atomic_load(&all->keys[key].history[version % HISTORY].end);
  if (of != version) return 0; /* so long ago that it is forgotten */
  return end ? end : UINT64_MAX;
}

static void judge(const label *l, const view *v, int result, const nxc_found *found) {
  unsigned long long key = l->key, version = l->version;
  const char *tier = found->in_memory ? "memory" : "disk";
  uint64_t end = end_of(l->key, l->version);
  if (end < v->floor && !v->unsettled) {
    violation("stale: key %llu version %llu (%s) had ended at %llu, floor %llu, start %llu", key,
              version, tier, (unsigned long long)end, (unsigned long long)v->floor,
              (unsigned long long)l->start);
  }
  if (l->birth_stamp < v->wiped) {
    violation("from before a clearing: key %llu version %llu (%s) born %llu wiped %llu", key,
              version, tier, (unsigned long long)l->birth_stamp, (unsigned long long)v->wiped);
  }
  for (int i = 0; i < TAGS_OF_KEY && !v->unsettled; i++) {
    if (!(l->tags >> i & 1)) continue;
    if (l->birth_stamp < v->dead[i]) {
      violation("invalidated: key %llu version %llu (%s) born %llu, tag %d marked %llu", key,
                version, tier, (unsigned long long)l->birth_stamp, tag_of(l->key, i),
                (unsigned long long)v->dead[i]);
    }
    if (result == NXC_OK && l->birth_stamp < v->stale[i]) {
      violation("stale served as fresh: key %llu version %llu (%s)", key, version, tier);
    }
  }
}

/* Whether the bytes are what they say they are. */
static bool read_label(const nxc_entry *entry, uint64_t key, label *l) {
  nxc_record r;
  char text[32];
  nxc_entry_read(entry, &r);
  nxc_slice name = key_name(key, text), part = nxc_entry_part(entry, 0);
  if (r.meta.size != sizeof *l || r.part_count != 1) return false;
  memcpy(l, r.meta.data, sizeof *l);
  return l->key == key && r.key.size == name.size && !memcmp(r.key.data, name.data, name.size) &&
         part.size == l->size && sum_of(l, pattern_of(l)) == l->sum &&
         is_filled(part.data, part.size, pattern_of(l));
}

/* Gets a key and judges the answer; the version, 0 on a miss. */
static uint64_t get(nxc_cache *cache, uint64_t key, nxc_why *why) {
  char text[32];
  nxc_query q = {.key = key_name(key, text), .class_id = 1};
  nxc_found found;
  label l;
  view v = look(key);
  int result = nxc_get(cache, &q, &found);
  if (why) *why = found.why;
  atomic_fetch_add(&all->n.gets, 1);
  if (result == NXC_MISS) return 0;
  if (result < 0) {
    violation("get of key %llu answered %s", (unsigned long long)key, nxc_strerror(result));
    return 0;
  }
  atomic_fetch_add(&all->n.hits, 1);
  if (found.in_memory) atomic_fetch_add(&all->n.memory_hits, 1);
  if (result == NXC_STALE) atomic_fetch_add(&all->n.stale_hits, 1);
  bool intact = read_label(found.entry, key, &l);
  nxc_entry_unref(found.entry);
  if (!intact) {
    violation("wrong bytes under key %llu", (unsigned long long)key);
    return 0;
  }
  judge(&l, &v, result, &found);
  raise_to(&all->keys[key].floor, l.start); /* seen once, nothing older is seen again */
  return l.version;
}

static uint64_t pack(uint64_t key, uint64_t version) {
  return (key + 1) << 48 | version;
}

static void unpack(uint64_t packed, uint64_t *key, uint64_t *version) {
  *key = (packed >> 48) - 1;
  *version = packed & ((UINT64_C(1) << 48) - 1);
}

/* A change of a key begins; returns how many began before it, and sets *alone when
 * none of them is still under way. */
static uint64_t begin_change(const thread *t, uint64_t key, uint64_t version, bool *alone) {
  atomic_store(&t->slot->changing, pack(key, version));
  uint64_t before = atomic_fetch_add(&all->keys[key].began, 1);
  *alone = atomic_load(&all->keys[key].ended) == before;
  return before;
}

static void end_change(struct slot *slot, uint64_t key) {
  atomic_fetch_add(&all->keys[key].ended, 1);
  atomic_store(&slot->changing, 0);
}

static void count_put(thread *t, int result, const label *l, uint64_t alone_after,
                      uint64_t bytes_before) {
  /* Whatever the result, the version before it is gone. */
  raise_to(&all->keys[l->key].floor, l->start);
  if (result == NXC_SUPERSEDED) atomic_fetch_add(&all->n.superseded, 1);
  if (result == NXC_BORN_DEAD) atomic_fetch_add(&all->n.born_dead, 1);
  if (result == NXC_MEMORY_ONLY) atomic_fetch_add(&all->n.memory_only, 1);
  if (result == NXC_E_TOO_LARGE) atomic_fetch_add(&all->n.refused, 1);
  if (result == NXC_E_IO) atomic_fetch_add(&all->n.overtaken, 1); /* stopped for a round */
  if (result < 0 && result != NXC_E_TOO_LARGE && result != NXC_E_IO) failure("put", result);
  if (result != NXC_OK) return;
  atomic_fetch_add(&all->n.puts, 1);
  atomic_store(&t->slot->returned, 0);
  if (!alone_after || atomic_load(&all->keys[l->key].began) != alone_after) return;
  atomic_store(&t->slot->returned_began, alone_after);
  atomic_store(&t->slot->returned_bytes, bytes_before);
  atomic_store(&t->slot->returned_birth, l->birth_stamp);
  atomic_store(&t->slot->returned, pack(l->key, l->version));
}

static int put_label(thread *t, label *l, uint64_t birth) {
  char key[32], tags[TAGS_OF_KEY][32];
  nxc_slice tag_slices[TAGS_OF_KEY], part = {t->bytes, l->size};
  nxc_record r = {.key = key_name(l->key, key),
                  .class_id = 1,
                  .birth = birth,
                  .revalidate_ms = NXC_NEVER,
                  .expire_ms = NXC_NEVER,
                  .tags = tag_slices,
                  .meta = {l, sizeof *l},
                  .parts = &part,
                  .part_count = 1};
  for (int i = 0; i < TAGS_OF_KEY; i++) {
    if (l->tags >> i & 1) {
      tag_slices[r.tag_count++] = tag_name((uint64_t)tag_of(l->key, i), tags[i]);
    }
  }
  fill(t->bytes, l->size, pattern_of(l));
  l->sum = sum_of(l, pattern_of(l));
  return nxc_put(t->cache, &r);
}

static void put(thread *t, uint64_t key) {
  label l = {.key = key, .writer = t->writer, .size = random_size(t), .tags = below(t, 16)};
  uint64_t birth = t->birth;
  l.birth_stamp = t->birth_stamp;
  t->birth = 0;
  if (!birth) {
    birth = nxc_birth(t->cache);
    l.birth_stamp = now_stamp();
  }
  l.version = atomic_fetch_add(&all->keys[key].next_version, 1) + 1;
  uint64_t history = l.version % HISTORY;
  atomic_store(&all->keys[key].history[history].end, 0);
  atomic_store(&all->keys[key].history[history].version, l.version);
  bool alone;
  uint64_t before = begin_change(t, key, l.version, &alone);
  l.start = now_stamp();
  /* Taken before: a put may be stopped for a while after it took its place. */
  uint64_t bytes_before = atomic_fetch_add(&all->bytes, l.size + 512);
  int result = put_label(t, &l, birth);
  atomic_store(&all->keys[key].history[history].end, now_stamp());
  count_put(t, result, &l, alone ? before + 1 : 0, bytes_before);
  end_change(t->slot, key);
}

static void remove_key(thread *t, uint64_t key) {
  char text[32];
  bool alone;
  (void)begin_change(t, key, 0, &alone);
  uint64_t start = now_stamp();
  int result = nxc_remove(t->cache, key_name(key, text));
  atomic_fetch_add(&all->n.removes, 1);
  if (result == NXC_OK)
    raise_to(&all->keys[key].floor, start);
  else
    failure("remove", result);
  end_change(t->slot, key);
}

static void mark(thread *t) {
  char text[2][32];
  nxc_slice tags[2];
  uint64_t chosen = below(t, TAGS);
  size_t n = 0;
  bool stale = below(t, 3) == 0;
  /* A rare tag takes a row from another one: then the floor rises in between. */
  if (below(t, 8) == 0) tags[n++] = tag_name(TAGS + below(t, RARE_TAGS), text[0]);
  tags[n++] = tag_name(chosen, text[1]);
  uint64_t start = now_stamp();
  int result = nxc_mark(t->cache, tags, n, stale ? NXC_NEVER : 0);
  atomic_fetch_add(&all->n.marks, 1);
  if (result == NXC_OK)
    raise_to(stale ? &all->tags[chosen].stale : &all->tags[chosen].dead, start);
  else
    failure("mark", result);
}

static void clear(thread *t) {
  uint64_t start = now_stamp();
  int result = nxc_clear(t->cache);
  atomic_fetch_add(&all->n.clears, 1);
  if (result == NXC_OK)
    raise_to(&all->wiped, start);
  else
    failure("clear", result);
}

static void step(thread *t) {
  uint64_t key = below(t, 4) ? below(t, KEYS) : below(t, 8); /* a few are hot */
  unsigned dice = (unsigned)below(t, 1000);
  if (dice < 630) {
    (void)get(t->cache, key, NULL);
  } else if (dice < 950) {
    put(t, key);
    if (below(t, 2)) (void)get(t->cache, key, NULL);
  } else if (dice < 965) {
    remove_key(t, key);
    (void)get(t->cache, key, NULL);
  } else if (dice < 975) {
    mark(t);
  } else if (dice < 999 && !t->birth) { /* work begins that will be put later */
    t->birth = nxc_birth(t->cache);
    t->birth_stamp = now_stamp();
  } else if (set.clear && below(t, 4) == 0) {
    clear(t);
  }
}

static void *run_thread(void *argument) {
  thread *t = argument;
  t->bytes = malloc(2 * MB);
  while (t->bytes && !atomic_load(&all->over)) {
    step(t);
    atomic_fetch_add(&t->slot->steps, 1);
  }
  free(t->bytes);
  return NULL;
}

/* ---- a worker ------------------------------------------------------------------------- */

static void note_error(void *argument, const char *message) {
  (void)argument;
  if (atomic_fetch_add(&all->n.told, 1) < 5) dprintf(STDERR_FILENO, "# told: %s\n", message);
}

static nxc_cache *open_cache(uint64_t memory_bytes) {
  nxc_options o;
  nxc_cache *cache = NULL;
  nxc_options_init(&o);
  o.dir = set.dir;
  o.memory_bytes = memory_bytes;
  o.disk_bytes = DISK_BYTES;
  o.tag_rows = 256;
  o.on_error = note_error;
  int result = nxc_open(&cache, &o);
  if (result != NXC_OK) violation("open answered %s", nxc_strerror(result));
  return cache;
}

static uint64_t jitter_random;

/* Sleeps wherever the thread happens to be: mostly a little, seldom long. */
static void on_timer(int unused) {
  int saved = errno;
  uint64_t r = next_random(&jitter_random);
  (void)unused;
  sleep_us((r >> 8 & 63) == 0 ? 20000 : (r >> 16 & 1023) >> (r & 7));
  struct itimerval next = {.it_value.tv_usec = 100 + (long)(r >> 32 & 2047)};
  setitimer(ITIMER_REAL, &next, NULL);
  errno = saved;
}

static void start_jitter(uint64_t seed) {
  struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
  struct itimerval first = {.it_value.tv_usec = 500};
  jitter_random = seed;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &first, NULL);
}

static int open_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static _Noreturn void run_worker(unsigned index, uint64_t seed) {
  pthread_t ids[THREADS];
  thread threads[THREADS];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int descriptors = open_descriptors();
  nxc_cache *cache = open_cache(4 * MB);
  if (!cache) _exit(1);
  for (unsigned i = 0; i < THREADS; i++) {
    threads[i] = (thread){.cache = cache,
                          .slot = &all->slots[index][i],
                          .writer = index * THREADS + i,
                          .random = seed + i};
    if (pthread_create(&ids[i], NULL, run_thread, &threads[i])) _exit(1);
  }
  if (set.jitter && seed % 2) start_jitter(seed);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(ids[i], NULL);
  nxc_close(cache);
  int left = open_descriptors();
  if (left != descriptors) violation("%d descriptors before, %d after", descriptors, left);
  _exit(0);
}

/* ---- the verifier: does a put that returned survive its process? -------------------------- */

typedef struct question {
  uint64_t put, bytes, birth_stamp, began;
} question;

static void lose(uint64_t key, uint64_t version, nxc_why why) {
  atomic_fetch_add(why == NXC_WHY_CORRUPT ? &all->n.overrun : &all->n.lost, 1);
  dprintf(STDERR_FILENO, "# lost: key %llu version %llu, why %d\n", (unsigned long long)key,
          (unsigned long long)version, (int)why);
}

static void verify(nxc_cache *cache, const question *q) {
  uint64_t key, version;
  nxc_why why = NXC_WHY_NONE;
  unpack(q->put, &key, &version);
  uint64_t seen = get(cache, key, &why);
  bool newer = atomic_load(&all->keys[key].began) != q->began;
  bool marked = why == NXC_WHY_TAG || why == NXC_WHY_FLOOR || set.wipe || set.clear;
  atomic_fetch_add(&all->n.checked, 1);
  if (seen == version)
    atomic_fetch_add(&all->n.readable, 1);
  else if (newer)
    atomic_fetch_add(&all->n.overwritten, 1);
  else if (marked)
    atomic_fetch_add(&all->n.invalidated, 1);
  else if (atomic_load(&all->bytes) - q->bytes > SURE_BYTES)
    atomic_fetch_add(&all->n.recycled, 1);
  else
    lose(key, version, why);
}

static _Noreturn void run_verifier(int questions, int answers) {
  question q;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  nxc_cache *cache = open_cache(0);
  while (cache && read(questions, &q, sizeof q) == (ssize_t)sizeof q) {
    verify(cache, &q);
    if (write(answers, "", 1) != 1) break;
  }
  nxc_close(cache);
  _exit(0);
}

/* ---- the controller ------------------------------------------------------------------------- */

typedef struct worker {
  pid_t process;
  int64_t resume_ms; /* 0: it is running */
  uint64_t steps;
  int64_t moved_ms; /* when its steps last changed */
} worker;

static worker workers[WORKERS];
static uint64_t chance;
static int ask_verifier, hear_verifier;

static void start_worker(unsigned i) {
  uint64_t seed = next_random(&chance);
  worker *w = &workers[i];
  *w = (worker){.process = fork(), .moved_ms = steady_ms()};
  if (w->process == 0) run_worker(i, seed);
}

static void start_verifier(void) {
  int to[2], from[2];
  if (pipe(to) || pipe(from)) exit(2);
  if (fork() == 0) {
    close(to[1]);
    close(from[0]);
    run_verifier(to[0], from[1]);
  }
  close(to[0]);
  close(from[1]);
  ask_verifier = to[1];
  hear_verifier = from[0];
}

/* What the dead worker had under way can no longer take effect; what it was told
 * to be stored must still be there. */
static void bury(unsigned i) {
  for (unsigned k = 0; k < THREADS; k++) {
    struct slot *s = &all->slots[i][k];
    uint64_t changing = atomic_load(&s->changing), key, version, none = 0;
    unpack(changing, &key, &version);
    if (changing && version && end_of(key, version) == UINT64_MAX) {
      atomic_compare_exchange_strong(&all->keys[key].history[version % HISTORY].end, &none,
                                     now_stamp());
    }
    if (changing) end_change(s, key);
    question q = {atomic_exchange(&s->returned, 0), atomic_load(&s->returned_bytes),
                  atomic_load(&s->returned_birth), atomic_load(&s->returned_began)};
    char answer;
    if (!q.put) continue;
    if (write(ask_verifier, &q, sizeof q) != (ssize_t)sizeof q) exit(2);
    if (read(hear_verifier, &answer, 1) != 1) violation("the verifier died");
  }
}

static void kill_worker(unsigned i) {
  int status;
  kill(workers[i].process, SIGKILL);
  waitpid(workers[i].process, &status, 0);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    violation("worker %u had ended by itself, status %#x", i, (unsigned)status);
  }
  atomic_fetch_add(&all->n.kills, 1);
  bury(i);
  start_worker(i);
}

static void stop_or_resume(unsigned i) {
  worker *w = &workers[i];
  if (w->resume_ms) return;
  uint64_t r = next_random(&chance);
  kill(w->process, SIGSTOP);
  atomic_fetch_add(&all->n.stops, 1);
  w->resume_ms = steady_ms() + (int64_t)(r & 15 ? r >> 8 & 15 : r >> 8 & 255);
}

static void watch(unsigned i) {
  worker *w = &workers[i];
  int64_t now = steady_ms();
  uint64_t steps = 0;
  if (w->resume_ms && now >= w->resume_ms) {
    kill(w->process, SIGCONT);
    w->resume_ms = 0;
    w->moved_ms = now;
  }
  for (unsigned k = 0; k < THREADS; k++) steps += atomic_load(&all->slots[i][k].steps);
  if (steps != w->steps) {
    w->steps = steps;
    w->moved_ms = now;
  }
  if (!w->resume_ms && now - w->moved_ms > HANG_MS) {
    violation("worker %u (%d) hangs", i, (int)w->process);
    w->moved_ms = now;
  }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
  (void)st;
  (void)type;
  if (walk->level > 0) (void)remove(path);
  return 0;
}

/* Removes everything in the directory, as rm -rf does it; what is found there 100 ms
 * later must not be from before. */
static void wipe(void) {
  static uint64_t pending;
  static int64_t due_ms;
  int64_t now = steady_ms();
  if (pending && now >= due_ms) {
    raise_to(&all->wiped, pending);
    pending = 0;
    atomic_store(&all->unsettled, false);
  }
  if (pending || next_random(&chance) % 40) return;
  atomic_store(&all->unsettled, true);
  pending = now_stamp();
  if (next_random(&chance) % 2) {
    char aside[4200];
    (void)snprintf(aside, sizeof aside, "%s.aside", set.dir);
    if (rename(set.dir, aside) == 0) {
      (void)nftw(aside, remove_one, 16, FTW_DEPTH | FTW_PHYS);
      (void)rmdir(aside);
    }
  } else {
    (void)nftw(set.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(set.dir);
  }
  atomic_fetch_add(&all->n.wipes, 1);
  due_ms = steady_ms() + COHERENT_MS;
}

/* Half of the workers are killed seldom: what they keep in memory has to stay right
 * for many turns of the ring. */
static unsigned choose_worker(uint64_t r) {
  unsigned veterans = set.workers / 2;
  if (veterans && r % 24 == 0) return (unsigned)(r >> 8) % veterans;
  return veterans + (unsigned)(r >> 8) % (set.workers - veterans);
}

static void control(void) {
  int64_t end_ms = steady_ms() + (int64_t)(set.seconds * 1000);
  start_verifier();
  for (unsigned i = 0; i < set.workers; i++) start_worker(i);
  while (atomic_load(&all->n.kills) < set.kills && steady_ms() < end_ms) {
    uint64_t r = next_random(&chance);
    sleep_us(1000 + (r & 4095));
    if ((r >> 32) % 4)
      kill_worker(choose_worker(r >> 16));
    else
      stop_or_resume((unsigned)(r >> 16) % set.workers);
    for (unsigned k = 0; k < set.workers; k++) watch(k);
    if (set.wipe) wipe();
  }
}

/* Lets the workers end by themselves: what they leave is checked once more. */
static void finish(void) {
  atomic_store(&all->over, true);
  int64_t end_ms = steady_ms() + HANG_MS;
  for (unsigned i = 0; i < set.workers; i++) {
    int status = 0;
    pid_t ended = 0;
    kill(workers[i].process, SIGCONT);
    while (!(ended = waitpid(workers[i].process, &status, WNOHANG)) && steady_ms() < end_ms) {
      sleep_us(1000);
    }
    if (!ended) {
      violation("worker %u does not end", i);
      kill(workers[i].process, SIGKILL);
    } else if (status != 0) {
      violation("worker %u ended with status %#x", i, (unsigned)status);
    }
    bury(i);
  }
  close(ask_verifier);
  nxc_cache *cache = open_cache(4 * MB);
  for (unsigned round = 0; round < 2; round++) {
    for (uint64_t key = 0; key < KEYS; key++) (void)get(cache, key, NULL);
  }
  nxc_close(cache);
}

/* ---- the result ------------------------------------------------------------------------------- */

static int report(void) {
#define X(name) unsigned long long name = atomic_load(&all->n.name);
  COUNTS(X)
#undef X
  double hit_share = gets ? 100.0 * (double)hits / (double)gets : 0;
  double survival = readable ? 100.0 * (double)readable / (double)(readable + overrun + lost) : 0;
  printf("# %llu kills, %llu stops, %llu wipes, %llu clears | %llu gets, %.1f %% hits "
         "(%llu from memory, %llu stale)\n",
         kills, stops, wipes, clears, gets, hit_share, memory_hits, stale_hits);
  printf("# %llu puts, %llu superseded, %llu born dead, %llu in memory only, %llu refused, "
         "%llu overtaken, %llu removes, %llu marks, %llu failed, %llu messages\n",
         puts, superseded, born_dead, memory_only, refused, overtaken, removes, marks, failed,
         told);
  printf("# put, then killed: %llu checked, %llu readable, %llu overwritten, %llu invalidated, "
         "%llu recycled, %llu overrun, %llu lost (%.2f %% survive)\n",
         checked, readable, overwritten, invalidated, recycled, overrun, lost, survival);
  bool enough = kills >= set.kills && hit_share >= 15 && memory_hits > 0 && memory_hits < hits;
  enough = enough && overtaken * 100 < puts;
  /* A writer that was stopped for a round and wakes may write over what stands there
   * by then: that is counted apart, and a short run may see it once or twice. */
  bool survived = lost * 1000 <= readable && overrun * 1000 <= readable + 2000;
  bool good = violations == 0 && failed == 0 && told == 0 && enough && survived;
  printf("%s - store_crash%s%s%s in %s, seed %llu: %llu kills, %llu gets, %llu violations\n",
         good ? "ok" : "not ok", set.small ? ", small values" : "", set.wipe ? ", rm -rf" : "",
         set.clear ? ", clears" : "", set.parent, (unsigned long long)set.seed, kills, gets,
         violations);
  if (!enough) printf("# too few kills or hits: this run proves nothing\n");
  if (!survived) printf("# too few of the puts that returned survived\n");
  if (failed || told) printf("# operations failed that have no reason to\n");
  return good ? 0 : 1;
}

/* ---- the command line --------------------------------------------------------------------------- */

typedef struct run {
  const char *kills_short, *kills_long, *parent, *options[2];
} run;

static const run runs[] = {
    {"150", "3000", NULL, {"--no-jitter", NULL}},  {"100", "2000", "/dev/shm", {NULL, NULL}},
    {"50", "1000", "/dev/shm", {"--small", NULL}}, {"100", "2000", NULL, {"--clear", NULL}},
    {"100", "2000", NULL, {"--wipe", "--clear"}},
};
#define RUNS (sizeof runs / sizeof runs[0])

/* Runs this program once for each row; all rows together kill 500 or 10 000 times. */
static int run_all(bool is_long) {
  int failed = 0;
  printf("1..%zu\n", RUNS);
  for (size_t i = 0; i < RUNS; i++) {
    const run *r = &runs[i];
    char seed[24];
    (void)snprintf(seed, sizeof seed, "%zu", i + 1);
    const char *arguments[] = {"test_store_crash",
                               "--kills",
                               is_long ? r->kills_long : r->kills_short,
                               "--seconds",
                               is_long ? "600" : "60",
                               "--seed",
                               seed,
                               "--parent",
                               r->parent && access(r->parent, W_OK) == 0 ? r->parent : "",
                               r->options[0],
                               r->options[1],
                               NULL};
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      execv("/proc/self/exe", (char **)(uintptr_t)arguments);
      _exit(127);
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
      printf("not ok - store_crash ended with status %#x\n", status);
    if (status != 0) failed = 1;
  }
  return failed;
}

static void usage(void) {
  fprintf(
      stderr,
      "usage: test_store_crash [--long]\n"
      "       test_store_crash --kills N [--seconds S] [--seed X] [--workers W] [--parent DIR]\n"
      "                        [--small] [--wipe] [--clear] [--no-jitter]\n"
      "Without --kills: a row of runs with 500 kills, with --long 10 000.\n"
      "  --parent DIR  where the cache directory is made; else $TMPDIR or /tmp\n"
      "  --small       values of at most 3 KB: more operations in the same time\n"
      "  --wipe        somebody removes the directory now and then\n"
      "  --clear       workers call nxc_clear() now and then\n"
      "  --no-jitter   workers do not sleep at random instructions\n");
  exit(2);
}

static void parse(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *a = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
    if (!strcmp(a, "--wipe"))
      set.wipe = true;
    else if (!strcmp(a, "--clear"))
      set.clear = true;
    else if (!strcmp(a, "--small"))
      set.small = true;
    else if (!strcmp(a, "--no-jitter"))
      set.jitter = false;
    else if (!value)
      usage();
    else if (!strcmp(a, "--kills"))
      set.kills = strtoull(value, NULL, 10), i++;
    else if (!strcmp(a, "--seconds"))
      set.seconds = strtod(value, NULL), i++;
    else if (!strcmp(a, "--seed"))
      set.seed = strtoull(value, NULL, 10), i++;
    else if (!strcmp(a, "--workers"))
      set.workers = (unsigned)strtoul(value, NULL, 10), i++;
    else if (!strcmp(a, "--parent"))
      set.parent = value, i++;
    else
      usage();
  }
  if (set.workers < 1 || set.workers > WORKERS || set.kills == 0) usage();
}

int main(int count, char **arguments) {
  static char dir[4096];
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count == 1) return run_all(false);
  if (count == 2 && !strcmp(arguments[1], "--long")) return run_all(true);
  parse(count, arguments);
  if (!set.parent || !set.parent[0]) set.parent = getenv("TMPDIR");
  if (!set.parent) set.parent = "/tmp";
  (void)snprintf(dir, sizeof dir, "%s/store-crash-%d", set.parent, (int)getpid());
  set.dir = dir;
  all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return 2;
  chance = set.seed;
  control();
  finish();
  (void)nftw(set.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  (void)rmdir(set.dir);
  return report();
}
