/* store_bench.c - put, get, open and bytes on disk of three stores in one run:
 * nextcache, LMDB, and one file per entry (written aside and renamed).
 *
 * The stores take turns in small rounds, so that a machine that slows down slows
 * all of them; medians over the rounds are printed, and ratios. Each round of gets is
 * done twice, and the second time counts, so that nobody profits from what another
 * read before. LMDB copies the value out; "lmdb+" also verifies a checksum, as ours
 * does. "put+" is ours while entries that were read get their second lives. "alone" is
 * nothing but the pwrite or the pread of the same bytes in a file that is there, which
 * is as fast as a store can be that neither maps its data nor gathers its writes.
 * "cold" is a put after the kernel has dropped the pages of the files. Nothing here is
 * a test: no figure fails.
 *
 *   store_bench DIRECTORY [--short] [--warm]
 *
 * With --warm only the first table, which is all that means something in a tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <nextcache.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxh_x86dispatch.h> /* as fast a checksum as ours */

#define ROUNDS 15
#define BOUND (UINT64_C(64) << 20)       /* of our ring: written round and round */
#define WORKING_SET (UINT64_C(16) << 20) /* bytes under different keys */

static char root[512];
static uint64_t bound = BOUND;
static unsigned char *body;

static void fail(const char *what) {
  fprintf(stderr, "store_bench: %s: %s\n", what, strerror(errno));
  exit(2);
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int n) {
  qsort(values, (size_t)n, sizeof *values, by_value);
  return values[n / 2];
}

/* ---- the stores ------------------------------------------------------------------ */

typedef struct store {
  const char *name;
  void (*open)(const char *dir);
  void (*put)(const char *key, size_t size);
  bool (*get)(const char *key);
  void (*close)(void);
} store;

static nxc_cache *cache;

static void nextcache_open(const char *dir) {
  nxc_options options;
  nxc_options_init(&options);
  options.dir = dir;
  options.disk_bytes = bound;
  options.memory_bytes = 0; /* the disk tier is what is compared */
  if (nxc_open(&cache, &options) != NXC_OK) fail("nxc_open");
}

static void nextcache_put(const char *key, size_t size) {
  nxc_slice part = {body, size};
  nxc_record record = {.key = {key, strlen(key)},
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .parts = &part,
                       .part_count = 1};
  if (nxc_put(cache, &record) != NXC_OK) fail("nxc_put");
}

static bool nextcache_get(const char *key) {
  nxc_query query = {.key = {key, strlen(key)}};
  nxc_found found;
  bool hit = nxc_get(cache, &query, &found) == NXC_OK;
  nxc_entry_unref(found.entry);
  return hit;
}

static void nextcache_close(void) {
  nxc_close(cache);
}

static MDB_env *env;
static MDB_dbi dbi;

static void lmdb_check(int rc) {
  if (rc == 0) return;
  fprintf(stderr, "store_bench: lmdb: %s\n", mdb_strerror(rc));
  exit(2);
}

static void lmdb_open(const char *dir) {
  MDB_txn *txn;
  mkdir(dir, 0700);
  lmdb_check(mdb_env_create(&env));
  lmdb_check(mdb_env_set_mapsize(env, 16 * BOUND));
  /* No flush per commit, as our entries have none. */
  lmdb_check(mdb_env_open(env, dir, MDB_NOSYNC | MDB_NOMETASYNC, 0600));
  lmdb_check(mdb_txn_begin(env, NULL, 0, &txn));
  lmdb_check(mdb_dbi_open(txn, NULL, MDB_CREATE, &dbi));
  lmdb_check(mdb_txn_commit(txn));
}

static void lmdb_put(const char *key, size_t size) {
  MDB_txn *txn;
  MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {size + 8, NULL};
  lmdb_check(mdb_txn_begin(env, NULL, 0, &txn));
  lmdb_check(mdb_put(txn, dbi, &k, &v, MDB_RESERVE));
  uint64_t sum = XXH3_64bits(body, size);
  memcpy(v.mv_data, &sum, 8);
  memcpy((char *)v.mv_data + 8, body, size);
  lmdb_check(mdb_txn_commit(txn));
}

static bool lmdb_read(const char *key, bool verify) {
  MDB_txn *txn;
  MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v;
  lmdb_check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
  bool hit = mdb_get(txn, dbi, &k, &v) == 0;
  if (hit) {
    unsigned char *copy = malloc(v.mv_size);
    if (!copy) fail("malloc");
    memcpy(copy, v.mv_data, v.mv_size);
    __asm__ volatile("" : : "r"(copy) : "memory"); /* somebody will read the copy */
    uint64_t sum;
    memcpy(&sum, copy, 8);
    if (verify) hit = XXH3_64bits(copy + 8, v.mv_size - 8) == sum;
    free(copy);
  }
  mdb_txn_abort(txn);
  return hit;
}

static bool lmdb_get(const char *key) {
  return lmdb_read(key, false);
}

static bool lmdb_get_verified(const char *key) {
  return lmdb_read(key, true);
}

static void lmdb_close(void) {
  mdb_env_close(env);
}

static char files_dir[600];

static void files_open(const char *dir) {
  mkdir(dir, 0700);
  snprintf(files_dir, sizeof files_dir, "%s", dir);
}

static void files_path(const char *key, const char *suffix, char path[700]) {
  snprintf(path, 700, "%s/%016llx%s", files_dir, (unsigned long long)XXH3_64bits(key, strlen(key)),
           suffix);
}

static void files_put(const char *key, size_t size) {
  char path[700], aside[700];
  files_path(key, "", path);
  files_path(key, ".tmp", aside);
  int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, body, size) != (ssize_t)size) fail("write");
  close(fd);
  if (rename(aside, path)) fail("rename");
}

static bool files_get(const char *key) {
  char path[700];
  struct stat st;
  files_path(key, "", path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool hit = fstat(fd, &st) == 0;
  void *copy = hit ? malloc((size_t)st.st_size) : NULL;
  hit = copy && read(fd, copy, (size_t)st.st_size) == st.st_size;
  free(copy);
  close(fd);
  return hit;
}

static void files_close(void) {
}

static int alone_file;
static off_t alone_at;
static size_t alone_size;
static void *alone_copy;

static void alone_open(const char *dir) {
  alone_file = open(dir, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (alone_file < 0 || fallocate(alone_file, 0, 0, (off_t)BOUND)) fail(dir);
  alone_copy = malloc(1 << 20);
  if (!alone_copy) fail("malloc");
}

static off_t alone_stride(void) {
  return (off_t)((alone_size + 63) / 64 * 64);
}

static void alone_put(const char *key, size_t size) { /* one after the other */
  (void)key;
  alone_size = size;
  off_t at = alone_at + alone_stride() <= (off_t)BOUND ? alone_at : 0;
  alone_at = at + alone_stride();
  if (pwrite(alone_file, body, size, at) != (ssize_t)size) fail("pwrite");
}

static bool alone_get(const char *key) {
  off_t at = atoi(key + strlen("/products/")) * alone_stride();
  return pread(alone_file, alone_copy, alone_size, at) == (ssize_t)alone_size;
}

static void alone_close(void) {
  free(alone_copy);
  close(alone_file);
}

static const store stores[] = {
    {"nextcache", nextcache_open, nextcache_put, nextcache_get, nextcache_close},
    {"lmdb", lmdb_open, lmdb_put, lmdb_get, lmdb_close},
    {"lmdb+", lmdb_open, lmdb_put, lmdb_get_verified, lmdb_close},
    {"files", files_open, files_put, files_get, files_close},
    {"alone", alone_open, alone_put, alone_get, alone_close},
};
#define STORES (sizeof stores / sizeof *stores)
enum { OURS, LMDB, LMDB_VERIFIED, FILES, ALONE };

/* ---- measuring ------------------------------------------------------------------- */

static void key_of(int i, char key[64]) {
  snprintf(key, 64, "/products/%d/variant-%d", i, i % 7);
}

static double put_some(const store *s, int first, int n, int keys, size_t size) {
  char key[64];
  double start = now_us();
  for (int i = 0; i < n; i++) {
    key_of((first + i * 7) % keys, key);
    s->put(key, size);
  }
  return (now_us() - start) / n;
}

static double get_some(const store *s, int first, int n, int keys) {
  char key[64];
  int hits = 0;
  double start = now_us();
  for (int i = 0; i < n; i++) {
    key_of((first + i * 7) % keys, key);
    hits += s->get(key);
  }
  double each = (now_us() - start) / n;
  if (hits != n) fprintf(stderr, "%s: only %d hits of %d\n", s->name, hits, n);
  return each;
}

/* lmdb+ reads what lmdb wrote. */
static bool has_files_of_its_own(size_t i) {
  return i != LMDB_VERIFIED;
}

static void compare(size_t size, int n) {
  static double put[STORES][ROUNDS], get[STORES][ROUNDS];
  double p[STORES], g[STORES];
  char dir[600];
  int keys = (int)(WORKING_SET / size);

  for (size_t i = 0; i < STORES; i++) {
    if (!has_files_of_its_own(i)) continue;
    snprintf(dir, sizeof dir, "%s/%s-%zu", root, stores[i].name, size);
    stores[i].open(dir);
    /* Until every page that it will use has been used once. */
    for (uint64_t written = 0; written < BOUND + BOUND / 4; written += WORKING_SET) {
      put_some(&stores[i], 0, keys, keys, size);
    }
  }
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < STORES; i++) {
      if (has_files_of_its_own(i)) put[i][round] = put_some(&stores[i], round * 131, n, keys, size);
    }
  }
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < STORES; i++) {
      (void)get_some(&stores[i], round * 131, n, keys);
      get[i][round] = get_some(&stores[i], round * 131, n, keys);
    }
    /* All that was read is worth a second life now. */
    put[LMDB_VERIFIED][round] = put_some(&stores[0], round * 131, n, keys, size);
  }
  for (size_t i = 0; i < STORES; i++) {
    if (has_files_of_its_own(i)) stores[i].close();
    p[i] = median(put[i], ROUNDS);
    g[i] = median(get[i], ROUNDS);
  }
  printf("| %zu | %.1f | %.1f | %.1f | %.1f | %.1f | %.2f ", size, p[OURS], p[LMDB_VERIFIED],
         p[ALONE], p[LMDB], p[FILES], p[OURS] / p[LMDB]);
  printf("| %.1f | %.1f | %.1f | %.1f | %.1f | %.2f | %.2f |\n", g[OURS], g[ALONE], g[LMDB],
         g[LMDB_VERIFIED], g[FILES], g[OURS] / g[LMDB], g[OURS] / g[LMDB_VERIFIED]);
  fflush(stdout);
}

static int drop_pages(const char *path, const struct stat *st, int type, struct FTW *where) {
  (void)st;
  if (type != FTW_F || strcmp(path + where->base, "index") == 0) return 0;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || fsync(fd)) fail(path);
  if ((errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))) fail(path);
  close(fd);
  return 0;
}

/* Every key once more, with files that have been written and are not in memory. */
static void compare_cold(size_t size) {
  int keys = (int)(BOUND / 2 / size);
  printf("| %zu |", size);
  for (size_t i = 0; i <= LMDB; i++) {
    char dir[600];
    snprintf(dir, sizeof dir, "%s/cold-%s-%zu", root, stores[i].name, size);
    stores[i].open(dir);
    for (int round = 0; round < 3; round++) put_some(&stores[i], 0, keys, keys, size);
    stores[i].close();
    if (nftw(dir, drop_pages, 16, FTW_PHYS)) fail("nftw");
    stores[i].open(dir);
    printf(" %.1f |", put_some(&stores[i], 0, keys, keys, size));
    stores[i].close();
  }
  printf("\n");
  fflush(stdout);
}

static uint64_t bytes_seen, index_bytes;

static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *where) {
  if (type != FTW_F) return 0;
  bool is_index = strcmp(path + where->base, "index") == 0;
  *(is_index ? &index_bytes : &bytes_seen) += (uint64_t)st->st_blocks * 512;
  return 0;
}

/* What is allocated for values that were put once, per byte of them; our index, whose
 * size depends on the bound alone, apart. */
static void compare_bytes(size_t size, uint64_t all) {
  int keys = (int)(all / size);
  printf("| %zu |", size);
  bound = 4 * all;
  for (size_t i = 0; i < STORES; i++) {
    char dir[600];
    if (!has_files_of_its_own(i) || i == ALONE) continue;
    snprintf(dir, sizeof dir, "%s/bytes-%s-%zu", root, stores[i].name, size);
    stores[i].open(dir);
    for (int k = 0; k < keys; k++) put_some(&stores[i], k, 1, keys, size);
    stores[i].close();
    bytes_seen = index_bytes = 0;
    if (nftw(dir, add_bytes, 16, FTW_PHYS)) fail("nftw");
    printf(" %.2f |", (double)bytes_seen / ((double)keys * (double)size));
    if (i == 0) printf(" %.1f MB |", (double)index_bytes / (1 << 20));
  }
  printf("\n");
  fflush(stdout);
}

static double open_time(const store *s, const char *dir) {
  double times[21];
  for (int i = 0; i < 21; i++) {
    double start = now_us();
    s->open(dir);
    times[i] = now_us() - start;
    s->close();
  }
  return median(times, 21);
}

static void compare_open(int entries) {
  char key[64], dir[2][600];
  bound = (uint64_t)entries * 4096 + BOUND; /* so that all of them stay */
  for (int i = 0; i < 2; i++) {
    snprintf(dir[i], sizeof dir[i], "%s/open-%s-%d", root, stores[i].name, entries);
    stores[i].open(dir[i]);
    for (int k = 0; k < entries; k++) {
      snprintf(key, sizeof key, "/products/%d", k);
      stores[i].put(key, 200);
    }
    stores[i].close();
  }
  double ours = open_time(&stores[0], dir[0]), theirs = open_time(&stores[LMDB], dir[1]);
  printf("| %8d | %7.1f | %7.1f |\n", entries, ours, theirs);
  fflush(stdout);
}

static bool has_option(int argc, char **argv, const char *name) {
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], name) == 0) return true;
  }
  return false;
}

int main(int argc, char **argv) {
  static const size_t sizes[] = {2048, 8192, 40000, 400000};
  if (argc < 2) {
    fprintf(stderr, "usage: store_bench DIRECTORY [--short] [--warm]\n");
    return 2;
  }
  bool brief = has_option(argc, argv, "--short");
  snprintf(root, sizeof root, "%s", argv[1]);
  body = malloc(1 << 20);
  if (!body) fail("malloc");
  for (size_t i = 0; i < 1 << 20; i++) body[i] = (unsigned char)(i * 2654435761u >> 13);
  printf("microseconds per operation, median of %d rounds\n\n", ROUNDS);
  printf("| bytes | put | put+ | alone | lmdb | file | put / lmdb | get | alone | lmdb | lmdb+ "
         "| file | get / lmdb | get / lmdb+ |\n"
         "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    int n = sizes[i] > 100000 ? 100 : 500;
    compare(sizes[i], brief ? n / 10 : n);
  }
  if (has_option(argc, argv, "--warm")) return 0;
  printf("\nmicroseconds per put, cold\n\n| bytes | nextcache | lmdb |\n|--:|--:|--:|\n");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) compare_cold(sizes[i]);
  printf("\nbytes allocated per byte put\n\n| bytes | nextcache | its index | lmdb | file |\n"
         "|--:|--:|--:|--:|--:|\n");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    compare_bytes(sizes[i], brief ? WORKING_SET : 4 * WORKING_SET);
  printf("\nmicroseconds to open, median of 21\n\n| entries | nextcache | lmdb |\n|---|---|---|\n");
  compare_open(brief ? 1000 : 100000);
  if (!brief) compare_open(1000000);
  free(body);
  return 0;
}
