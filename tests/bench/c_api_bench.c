/* c_api_bench.c - operations per second of the C interface, beside what the machine
 * does without us: 4 KB entries under 12 000 keys, by one thread and by two.
 *
 *   get       hits in memory, without reading the bytes
 *   disk_get  hits on disk, without a memory tier
 *   put       to memory and disk, in a ring whose pages exist, as those of `file` do
 *   new_put   the same in a new ring: the kernel makes the pages, as it does once for each
 *   pread, pwrite   the same 4 KB alone, in a file that exists
 *   copy      memcpy of 4 KB, from place to place in 64 MB
 *   flush     microseconds of one msync of one page of a mapped file
 *   obeyed    microseconds from the call of a mark until another process, which gets an
 *             entry of that tag without end, misses it
 *   consumed  bytes of the ring that distinct puts took, by bytes of their contents
 *
 * Prints "<name> <threads or bytes> <number>" lines for one short round; tests/bench/run
 * repeats and compares. Nothing here is a test: no figure fails.
 *
 *   c_api_bench DIRECTORY MILLISECONDS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h" /* where the ring stands */

#define KEYS 12000
#define SIZE 4096
#define BOUND (UINT64_C(256) << 20) /* of either tier */
#define AREA (UINT64_C(64) << 20)
#define BATCH 64 /* operations between two looks at the clock */
#define THREADS_MAX 2
#define FLUSHES 41
#define MARKS 41
#define PATIENCE_US 10e6

static nxc_cache *cache;
static unsigned char *area; /* what is put, and copied from */
static int file;
static double round_us;

static void fail(const char *what) {
  fprintf(stderr, "c_api_bench: %s: %s\n", what, strerror(errno));
  exit(2);
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the operations, each on some key ---------------------------------------------- */

typedef struct worker {
  pthread_t thread;
  void (*operation)(struct worker *self, unsigned key);
  unsigned char *buffer;
  unsigned seed;
  uint64_t done, missed;
} worker;

static size_t name_of(unsigned key, char name[32]) {
  return (size_t)snprintf(name, 32, "/products/%u", key);
}

static void put_key(unsigned key, size_t size) {
  char name[32];
  nxc_slice part = {area + key % 1024 * 1024, size};
  nxc_slice tags[2] = {{"catalogue", 9}, {"_N_T_/products/[slug]/page", 26}};
  nxc_record record = {.key = {name, name_of(key, name)},
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .tags = tags,
                       .tag_count = 2,
                       .meta = {"\1l", 2},
                       .parts = &part,
                       .part_count = 1};
  int result = nxc_put(cache, &record);
  /* Superseded: the other thread was faster with the same key. */
  if (result != NXC_OK && result != NXC_SUPERSEDED) fail(nxc_strerror(result));
}

static void do_put(worker *self, unsigned key) {
  (void)self;
  put_key(key, SIZE);
}

static void do_get(worker *self, unsigned key) {
  char name[32];
  nxc_query query = {.key = {name, name_of(key, name)}};
  nxc_found found;
  int result = nxc_get(cache, &query, &found);
  if (result != NXC_OK && result != NXC_MISS) fail(nxc_strerror(result));
  self->missed += result == NXC_MISS;
  nxc_entry_unref(found.entry);
}

static void do_pread(worker *self, unsigned key) {
  if (pread(file, self->buffer, SIZE, (off_t)key * SIZE) != SIZE) fail("pread");
}

static void do_pwrite(worker *self, unsigned key) {
  if (pwrite(file, self->buffer, SIZE, (off_t)key * SIZE) != SIZE) fail("pwrite");
}

static void do_copy(worker *self, unsigned key) {
  memcpy(self->buffer, area + (uint64_t)key * SIZE % AREA, SIZE);
  atomic_signal_fence(memory_order_seq_cst); /* it is not to be left out */
}

/* ---- rounds ------------------------------------------------------------------------- */

static void *work(void *arg) {
  worker *self = arg;
  double end = now_us() + round_us;
  while (now_us() < end) {
    for (int i = 0; i < BATCH; i++) {
      self->seed = self->seed * 1664525u + 1013904223u;
      self->operation(self, (self->seed >> 8) % KEYS);
    }
    self->done += BATCH;
  }
  return NULL;
}

static void measure(const char *name, void (*operation)(worker *, unsigned)) {
  for (int threads = 1; threads <= THREADS_MAX; threads++) {
    worker workers[THREADS_MAX] = {0};
    uint64_t done = 0, missed = 0;
    double begin = now_us();
    for (int i = 0; i < threads; i++) {
      workers[i] =
          (worker){.operation = operation, .buffer = malloc(SIZE), .seed = 77u + (unsigned)i};
      if (!workers[i].buffer) fail("malloc");
      if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) fail("pthread_create");
    }
    for (int i = 0; i < threads; i++) {
      pthread_join(workers[i].thread, NULL);
      done += workers[i].done;
      missed += workers[i].missed;
      free(workers[i].buffer);
    }
    /* Two keys of one bucket with one fingerprint: one run in fifteen has such a pair. */
    if (missed * 1000 > done) fail("too many misses");
    printf("%s %d %.0f\n", name, threads, (double)done / (now_us() - begin) * 1e6);
    fflush(stdout);
  }
}

static void open_cache(const char *root, const char *name, uint64_t memory_bytes) {
  char dir[600];
  nxc_options options;
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  nxc_options_init(&options);
  options.dir = dir;
  options.memory_bytes = memory_bytes;
  options.disk_bytes = BOUND;
  if (nxc_open(&cache, &options) != NXC_OK) fail("nxc_open");
}

static void put_all(void) {
  for (unsigned key = 0; key < KEYS; key++) put_key(key, SIZE);
}

static void measure_cache(const char *root) {
  open_cache(root, "memory", BOUND);
  put_all();
  measure("get", do_get);
  measure("new_put", do_put);
  for (uint64_t bytes = 0; bytes < BOUND; bytes += KEYS * SIZE) put_all();
  measure("put", do_put);
  put_all(); /* those that were not put for a whole round of the ring are gone */
  nxc_close(cache);
  open_cache(root, "memory", 0);
  measure("disk_get", do_get);
  nxc_close(cache);
}

static void measure_machine(const char *root) {
  char path[600];
  snprintf(path, sizeof path, "%s/file", root);
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) fail(path);
  for (unsigned key = 0; key < KEYS; key++) {
    if (pwrite(file, area, SIZE, (off_t)key * SIZE) != SIZE) fail("pwrite");
  }
  measure("pread", do_pread);
  measure("pwrite", do_pwrite);
  measure("copy", do_copy);
}

/* ---- flush and bytes ---------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure_flush(void) {
  double times[FLUSHES];
  unsigned char *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) fail("mmap");
  for (int i = 0; i < FLUSHES; i++) {
    page[0]++;
    double begin = now_us();
    if (msync(page, SIZE, MS_SYNC)) fail("msync");
    times[i] = now_us() - begin;
  }
  munmap(page, SIZE);
  qsort(times, FLUSHES, sizeof *times, by_value);
  printf("flush 1 %.1f\n", times[FLUSHES / 2]);
}

/* What the one who marks and the one who looks share. */
typedef struct meeting {
  atomic_int wanted; /* which mark is next; -1: the end */
  atomic_int seen;   /* for which of them the entry is looked at */
  atomic_int missed; /* after which of them it was missed */
  double missed_us;  /* when */
} meeting;

static void await(atomic_int *at_least, int i) {
  for (double end = now_us() + PATIENCE_US; atomic_load(at_least) < i;) {
    if (now_us() > end) fail("the other process");
  }
}

static int get_key(unsigned key) {
  char name[32];
  nxc_query query = {.key = {name, name_of(key, name)}};
  nxc_found found;
  int result = nxc_get(cache, &query, &found);
  nxc_entry_unref(found.entry);
  return result;
}

static void look(const char *root, meeting *m) {
  open_cache(root, "obeyed", UINT64_C(8) << 20);
  for (int i = 0, wanted; (wanted = atomic_load(&m->wanted)) >= 0;) {
    if (wanted < i || get_key(0) != NXC_OK) continue;
    atomic_store(&m->seen, i);
    while (get_key(0) == NXC_OK) {}
    m->missed_us = now_us();
    atomic_store(&m->missed, i++);
  }
  nxc_close(cache);
}

static double mark_once(meeting *m, int i) {
  nxc_slice tag = {"catalogue", 9};
  put_key(0, SIZE);
  atomic_store(&m->wanted, i);
  await(&m->seen, i);
  double begin = now_us();
  if (nxc_mark(cache, &tag, 1, 0) != NXC_OK) fail("nxc_mark");
  await(&m->missed, i);
  return m->missed_us - begin;
}

static void measure_obeyed(const char *root) {
  double times[MARKS];
  meeting *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) fail("mmap");
  *m = (meeting){.seen = -1, .missed = -1};
  pid_t other = fork(); /* no cache is open now */
  if (other < 0) fail("fork");
  if (other == 0) {
    look(root, m);
    _exit(0);
  }
  open_cache(root, "obeyed", UINT64_C(8) << 20);
  for (int i = 0; i < MARKS; i++) times[i] = mark_once(m, i);
  atomic_store(&m->wanted, -1);
  waitpid(other, NULL, 0);
  nxc_close(cache);
  munmap(m, SIZE);
  qsort(times, MARKS, sizeof *times, by_value);
  printf("obeyed 1 %.2f\n", times[MARKS / 2]);
}

static uint64_t ring_position(void) {
  nxc__store *store = nxc__store_of(cache->engine);
  uint64_t cursor = atomic_load(&store->index->header->cursor);
  uint64_t at =
      (cursor >> 32) * store->index->geometry.segment_bytes + (cursor & UINT32_MAX) * NXC__UNIT;
  nxc__store_unref(store);
  return at;
}

static void measure_consumed(const char *root, size_t size) {
  char name[64], text[32];
  uint64_t contents = 0;
  snprintf(name, sizeof name, "bytes-%zu", size);
  open_cache(root, name, 0);
  put_key(KEYS, size); /* the first segment is open now */
  uint64_t begin = ring_position();
  for (unsigned key = 0; key < (UINT64_C(64) << 20) / size; key++) {
    put_key(key, size);
    contents += name_of(key, text) + 9 + 26 + 2 + size;
  }
  printf("consumed %zu %.4f\n", size, (double)(ring_position() - begin) / (double)contents);
  nxc_close(cache);
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {2048, 8192, 40000, 400000};
  if (argc < 3) {
    fprintf(stderr, "usage: c_api_bench DIRECTORY MILLISECONDS\n");
    return 2;
  }
  round_us = strtod(argv[2], NULL) * 1000;
  area = malloc(AREA);
  if (!area) fail("malloc");
  for (uint64_t i = 0; i < AREA; i++) area[i] = (unsigned char)(i * 2654435761u >> 13);
  measure_cache(argv[1]);
  measure_machine(argv[1]);
  measure_flush();
  measure_obeyed(argv[1]);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) measure_consumed(argv[1], sizes[i]);
  close(file);
  free(area);
  return 0;
}
