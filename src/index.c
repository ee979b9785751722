/* index.c - creates, maps, validates and publishes the shared table.
 *
 *   header 4 KiB | tag rows | segment words | slots | access bytes | counters
 *   `- flushed by every invalidation -'
 *
 * The file is preallocated whole before it is mapped and never truncated, so
 * that no touch of the mapping can fault. It appears under its name complete,
 * by link(), and leaves it by unlink(); who still maps it sees the DEAD bit of
 * the epoch word. Geometry is read once, checked, and kept outside the mapping.
 */
#include "index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INDEX_MAGIC "NXCINDEX"
#define PAGE 4096u
#define MIB (UINT64_C(1) << 20)
#define DEFAULT_TAG_ROWS 65536u
#define MAX_SEGMENTS (1u << 20)
#define MAX_BUCKETS (1u << 28)
#define MAX_TAG_BUCKETS (1u << 21)
#define LOCK_REPLACING (NXC__LOCK_COUNTERS + NXC__COUNTER_ROWS)

_Static_assert(sizeof(nxc__header) <= PAGE, "the header is one page");

/* ---- geometry ------------------------------------------------------------------ */

static uint64_t page_up(uint64_t n) {
  return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

nxc__geometry nxc__index_geometry(uint64_t bound_bytes, uint32_t tag_rows) {
  nxc__geometry g = {.bound_bytes = bound_bytes};
  uint64_t rows = tag_rows ? tag_rows : DEFAULT_TAG_ROWS;

  g.tag_buckets = (uint32_t)((rows + NXC__WAYS - 1) / NXC__WAYS);
  if (g.tag_buckets > MAX_TAG_BUCKETS) g.tag_buckets = MAX_TAG_BUCKETS;
  if (!bound_bytes) return g;
  uint64_t segment = MIB;
  while (segment < 16 * MIB && segment * 2 <= bound_bytes / 64) segment *= 2;
  g.segment_bytes = (uint32_t)segment;
  uint64_t segments = bound_bytes / segment;
  g.segments = segments > MAX_SEGMENTS ? MAX_SEGMENTS : (uint32_t)segments;
  uint64_t buckets = bound_bytes / 2048 / NXC__WAYS;
  g.buckets = buckets > MAX_BUCKETS ? MAX_BUCKETS : (uint32_t)buckets;
  return g;
}

static bool geometry_is_sane(const nxc__geometry *g) {
  uint32_t s = g->segment_bytes;
  return s >= MIB && s <= 16 * MIB && (s & (s - 1)) == 0 && g->segments >= 2 &&
         g->segments <= MAX_SEGMENTS && g->buckets >= 1 && g->buckets <= MAX_BUCKETS &&
         g->tag_buckets >= 1 && g->tag_buckets <= MAX_TAG_BUCKETS;
}

typedef struct layout {
  uint64_t rows, segments, slots, access, counters, end;
} layout;

static layout layout_of(const nxc__geometry *g) {
  layout l;
  l.rows = PAGE;
  l.segments = page_up(l.rows + (uint64_t)g->tag_buckets * sizeof(nxc__tag_bucket));
  l.slots = page_up(l.segments + (uint64_t)g->segments * 8);
  l.access = page_up(l.slots + (uint64_t)g->buckets * NXC__WAYS * 8);
  l.counters = page_up(l.access + (uint64_t)g->buckets * NXC__WAYS);
  l.end = l.counters + (uint64_t)(NXC__COUNTER_ROWS + 1) * NXC__COUNTERS * 8;
  return l;
}

uint64_t nxc__index_file_bytes(const nxc__geometry *g) {
  return layout_of(g).end;
}

/* ---- the header ---------------------------------------------------------------- */

static uint64_t header_check(const nxc__header *h) {
  return nxc__checksum(h, offsetof(nxc__header, check), h->version);
}

static uint64_t boot_hash(void) {
  char id[64];
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 1;
  ssize_t n = read(fd, id, sizeof id);
  close(fd);
  uint64_t h = nxc__checksum(id, n > 0 ? (size_t)n : 0, 0);
  return h ? h : 1;
}

/* An epoch that no earlier index of this directory reached: they count marks
 * from such a start, at most 2048 in a millisecond. Fits a double until 2109. */
static uint64_t epoch_start(int64_t now_ms, uint64_t above) {
  uint64_t start = (uint64_t)(now_ms > 0 ? now_ms : 1) << 11;
  return start > above ? start : above + NXC__BOOT_JUMP;
}

/* Entries will be born in the elder's count of marks: when the index goes on alone, it
 * goes on from there. */
static void adopt_marks(nxc__header *h, const nxc__index *elder) {
  const nxc__header *from = elder->header;
  atomic_init(&h->elder, elder->version);
  atomic_init(&h->epoch, nxc__epoch_load(elder) & ~NXC__EPOCH_DEAD);
  atomic_init(&h->floor, atomic_load(&from->floor));
  atomic_init(&h->floor_wall_ms, atomic_load(&from->floor_wall_ms));
  atomic_init(&h->origin, atomic_load(&from->origin));
  atomic_init(&h->origin_wall_ms, atomic_load(&from->origin_wall_ms));
}

static int header_init(nxc__header *h, const nxc__plan *plan) {
  const nxc__geometry *g = &plan->geometry;
  memset(h, 0, sizeof *h);
  memcpy(h->magic, INDEX_MAGIC, sizeof h->magic);
  h->version = plan->replaces ? plan->replaces->version : NXC__FORMAT;
  h->header_bytes = PAGE;
  h->geometry = *g;
  h->file_bytes = layout_of(g).end;
  h->elder_bytes = plan->elder_bytes;
  h->whole_bytes = plan->whole_bytes;
  if (nxc__random(h->instance, NXC__ID_SIZE) || nxc__random(h->key, NXC__ID_SIZE)) return -1;
  /* The rows that are kept hold hashes under the old key, and the same key tells that
   * two indexes belong together. */
  const nxc__index *kin = plan->replaces ? plan->replaces : plan->elder;
  if (kin) memcpy(h->key, kin->header->key, NXC__ID_SIZE);
  h->check = header_check(h);
  uint64_t epoch = epoch_start(plan->now_ms, plan->epoch_above);
  atomic_init(&h->boot, boot_hash());
  atomic_init(&h->epoch, epoch);
  /* Work that began before this index was made may have missed its marks. */
  atomic_init(&h->floor, epoch);
  atomic_init(&h->floor_wall_ms, (uint64_t)plan->floor_wall_ms);
  atomic_init(&h->origin, epoch);
  atomic_init(&h->origin_wall_ms, (uint64_t)plan->origin_wall_ms);
  /* At the end of a segment that never was: the first put enters the file at its
   * start, with the number of segments as sequence; 0 means "never used". */
  uint64_t before = g->segments ? g->segments - 1 : 0;
  atomic_init(&h->cursor, before << 32 | g->segment_bytes / NXC__UNIT);
  atomic_init(&h->ceiling, (uint64_t)g->segments * (NXC__CEILING_ROUNDS + 1));
  if (plan->elder) adopt_marks(h, plan->elder);
  return 0;
}

/* What holds for every version. */
static bool header_is_intact(const nxc__header *h, uint32_t version) {
  return memcmp(h->magic, INDEX_MAGIC, sizeof h->magic) == 0 && h->version == version &&
         h->header_bytes == PAGE && h->check == header_check(h);
}

/* Counts that only damage can have reached would make everything old, or from the
 * future, for good. */
static bool counts_are_sane(const nxc__header *h) {
  return (atomic_load(&h->epoch) & ~NXC__EPOCH_DEAD) <= NXC__EPOCH_MAX &&
         atomic_load(&h->floor) <= NXC__EPOCH_MAX && atomic_load(&h->origin) <= NXC__EPOCH_MAX;
}

static bool header_is_sane(const nxc__header *h, uint32_t version, uint64_t file_bytes) {
  return header_is_intact(h, version) && geometry_is_sane(&h->geometry) &&
         h->file_bytes == file_bytes && layout_of(&h->geometry).end == file_bytes &&
         counts_are_sane(h);
}

/* After another boot the words may be older than what the disk holds: jump over
 * every epoch and every position that could have been given out. Doing it twice
 * is harmless, so nobody locks. */
static void catch_up_after_boot(nxc__index *x) {
  nxc__header *h = x->header;
  uint64_t boot = boot_hash(), seen = atomic_load(&h->boot);

  if (seen == boot) return;
  atomic_fetch_add(&h->epoch, NXC__BOOT_JUMP);
  if (x->geometry.segments) {
    uint64_t n = x->geometry.segments, cursor = atomic_load(&h->cursor);
    uint64_t next = (cursor >> 32) + 1, ceiling = atomic_load(&h->ceiling);
    if (next < ceiling) next += (ceiling - next + n - 1) / n * n; /* keeps the order of the ring */
    if (next > UINT32_MAX) next = UINT32_MAX; /* damage, which the ring answers by its end */
    nxc__word_raise(&h->ceiling, next + n * NXC__CEILING_ROUNDS);
    (void)nxc__index_flush(x);
    nxc__word_raise(&h->cursor, (next - 1) << 32 | x->geometry.segment_bytes / NXC__UNIT);
  }
  (void)nxc__index_flush(x);
  atomic_compare_exchange_strong(&h->boot, &seen, boot);
}

/* ---- mapping ------------------------------------------------------------------- */

static nxc__index *index_new(void *map, const nxc__header *h, int fd) {
  nxc__index *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  layout l = layout_of(&h->geometry);
  char *base = map;

  x->map = map;
  x->map_bytes = (size_t)l.end;
  x->durable_bytes = (size_t)l.segments;
  x->header = map;
  x->tag_buckets = (void *)(base + l.rows);
  x->segments = (void *)(base + l.segments);
  x->slots = (void *)(base + l.slots);
  x->access = (void *)(base + l.access);
  x->counters = (void *)(base + l.counters);
  x->geometry = h->geometry;
  x->version = h->version;
  memcpy(x->instance, h->instance, NXC__ID_SIZE);
  x->seed = nxc__checksum(h->instance, NXC__ID_SIZE, h->version);
  nxc__secret_init(&x->secret, h->key);
  x->fd = fd;
  return x;
}

int nxc__index_anonymous(uint32_t tag_rows, int64_t now_ms, nxc__index **out) {
  nxc__plan plan = {.geometry = nxc__index_geometry(0, tag_rows), .now_ms = now_ms};
  size_t bytes = (size_t)layout_of(&plan.geometry).end;
  nxc__header *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NXC_E_NOMEM;
  if (header_init(map, &plan) == 0 && (*out = index_new(map, map, -1))) return NXC_OK;
  munmap(map, bytes);
  return NXC_E_NOMEM;
}

static int lock_byte(int fd, short type, off_t byte) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  return fcntl(fd, F_OFD_SETLK, &lock);
}

static nxc__word *past_of(const nxc__index *x) {
  return x->counters + (size_t)NXC__COUNTER_ROWS * NXC__COUNTERS;
}

/* Waits a little for another process, but never for one that was stopped. */
static void lock_patiently(int fd, short type, off_t byte) {
  const struct timespec pause = {0, 1000000};
  for (int tries = 0; tries < 200 && lock_byte(fd, type, byte) && errno == EAGAIN; tries++) {
    nanosleep(&pause, NULL);
  }
}

/* Where another process is just replacing the index, the caller finds it dead afterwards,
 * and what took its place under its name. */
static void await_replacing(const nxc__index *x) {
  if (!(atomic_load(&x->header->epoch) & NXC__EPOCH_DEAD)) return;
  lock_patiently(x->fd, F_RDLCK, LOCK_REPLACING);
  (void)lock_byte(x->fd, F_UNLCK, LOCK_REPLACING);
}

void nxc__index_lock_replacing(nxc__index *x) {
  lock_patiently(x->fd, F_WRLCK, LOCK_REPLACING);
}

bool nxc__index_claim(nxc__index *x) {
  return lock_byte(x->fd, F_WRLCK, NXC__LOCK_LIVE) == 0;
}

void nxc__index_unclaim(nxc__index *x) {
  (void)lock_byte(x->fd, F_RDLCK, NXC__LOCK_LIVE);
}

bool nxc__index_leave(nxc__index *x) {
  struct flock lock = {.l_type = F_WRLCK, .l_start = NXC__LOCK_LIVE, .l_len = 1};
  (void)lock_byte(x->fd, F_UNLCK, NXC__LOCK_LIVE);
  return fcntl(x->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

/* Takes a counter row whose owner is gone and folds it into the past. With all
 * rows taken the last one is shared: counting is atomic anyway. */
static void counters_claim(nxc__index *x) {
  nxc__word *past = past_of(x);

  for (int row = 0; row < NXC__COUNTER_ROWS; row++) {
    x->counter_row = row;
    if (lock_byte(x->fd, F_WRLCK, NXC__LOCK_COUNTERS + row)) continue;
    nxc__word *mine = nxc__counters_of(x);
    for (int i = NXC__GAUGES; i < NXC__COUNTERS; i++) atomic_store(&mine[i], 0);
    for (int i = 0; i < NXC__GAUGES; i++) {
      /* Added before it is taken away: a crash here counts twice, never less. */
      uint64_t n = atomic_load(&mine[i]);
      if (!n) continue;
      atomic_fetch_add(&past[i], n);
      atomic_fetch_sub(&mine[i], n);
    }
    return;
  }
}

/* Maps the file; who takes part in the cache takes the locks that say so. */
static int map_file(int fd, uint32_t version, const struct stat *st, bool takes_part,
                    nxc__index **out) {
  nxc__header h;
  ssize_t n = pread(fd, &h, sizeof h, 0);

  if (n < 0) return NXC_E_IO;
  if (n != (ssize_t)sizeof h || !header_is_sane(&h, version, (uint64_t)st->st_size)) {
    return NXC_E_FORMAT;
  }
  /* A copy may have holes where ours was preallocated: a touch must not fault. */
  if (fallocate(fd, 0, 0, st->st_size) && errno != EOPNOTSUPP && errno != EINTR) return NXC_E_IO;
  void *map = mmap(NULL, (size_t)st->st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return NXC_E_IO;
  nxc__index *x = index_new(map, &h, fd);
  if (!x) {
    munmap(map, (size_t)st->st_size);
    return NXC_E_NOMEM;
  }
  if (takes_part) lock_patiently(fd, F_RDLCK, NXC__LOCK_LIVE);
  await_replacing(x);
  if (takes_part) {
    counters_claim(x);
  } else {
    x->counter_row = NXC__COUNTER_ROWS - 1; /* which may have an owner, as when all are taken */
  }
  catch_up_after_boot(x);
  *out = x;
  return NXC_OK;
}

static int index_map(int fd, uint32_t version, const struct stat *st, nxc__index **out) {
  return map_file(fd, version, st, true, out);
}

static int index_watch(int fd, uint32_t version, const struct stat *st, nxc__index **out) {
  return map_file(fd, version, st, false, out);
}

/* A newer release may have moved all that comes after the header. */
static int header_map(int fd, uint32_t version, const struct stat *st, nxc__index **out) {
  nxc__header h;
  ssize_t n = pread(fd, &h, sizeof h, 0);

  if (n < 0) return NXC_E_IO;
  if (n != (ssize_t)sizeof h || !header_is_intact(&h, version) || st->st_size < (off_t)PAGE) {
    return NXC_E_FORMAT;
  }
  void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return NXC_E_IO;
  nxc__index *x = calloc(1, sizeof *x);
  if (!x) {
    munmap(map, PAGE);
    return NXC_E_NOMEM;
  }
  *x = (nxc__index){.header = map,
                    .geometry = h.geometry,
                    .version = version,
                    .map = map,
                    .map_bytes = PAGE,
                    .fd = fd};
  memcpy(x->instance, h.instance, NXC__ID_SIZE);
  *out = x;
  return NXC_OK;
}

static int open_file(int dir, uint32_t version,
                     int (*map)(int, uint32_t, const struct stat *, nxc__index **),
                     nxc__index **out) {
  struct stat st;
  int fd = openat(dir, "index", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

  if (fd < 0) {
    if (errno == ENOENT) return NXC_MISS;
    /* A link, a directory or a socket in its place is damage, not an error. */
    return errno == ELOOP || errno == EISDIR || errno == ENXIO ? NXC_E_FORMAT : NXC_E_IO;
  }
  int rc = NXC_E_IO;
  if (fstat(fd, &st) == 0) {
    bool ours = S_ISREG(st.st_mode) && st.st_uid == geteuid();
    rc = ours ? map(fd, version, &st, out) : NXC_E_FORMAT;
  }
  if (rc != NXC_OK) {
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
  }
  (*out)->dev = st.st_dev;
  (*out)->ino = st.st_ino;
  return NXC_OK;
}

int nxc__index_open_version(int dir, uint32_t version, nxc__index **out) {
  return open_file(dir, version, index_map, out);
}

int nxc__index_peek(int dir, uint32_t version, nxc__index **out) {
  return open_file(dir, version, header_map, out);
}

int nxc__index_open(int dir, nxc__index **out) {
  return nxc__index_open_version(dir, NXC__FORMAT, out);
}

int nxc__index_watch(int dir, nxc__index **out) {
  return open_file(dir, NXC__FORMAT, index_watch, out);
}

void nxc__index_close(nxc__index *x) {
  if (!x) return;
  nxc__index_close(x->elder);
  munmap(x->map, x->map_bytes);
  if (x->fd >= 0) close(x->fd); /* gives the locks back */
  free(x);
}

/* ---- building and publishing --------------------------------------------------- */

void nxc__index_data_name(const unsigned char instance[NXC__ID_SIZE], char name[static 48]) {
  char *at = name + sprintf(name, "data-");
  for (int i = 0; i < NXC__ID_SIZE; i++) at += sprintf(at, "%02x", instance[i]);
}

static void unlink_data(int dir, const unsigned char instance[NXC__ID_SIZE]) {
  char name[48];
  nxc__index_data_name(instance, name);
  unlinkat(dir, name, 0);
}

static int create_file(int dir, const char *name) {
  return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int write_all(int fd, const void *bytes, size_t size, off_t at) {
  ssize_t n = pwrite(fd, bytes, size, at);
  if (n == (ssize_t)size) return 0;
  if (n >= 0) errno = EIO;
  return -1;
}

/* Copies what is to be kept. Dead before it is read, so that no mark can be made in
 * between; a row that was freed meanwhile has raised the floor by then. */
static int copy_marks(int fd, nxc__header *h, const nxc__index *from) {
  uint64_t past[NXC__COUNTERS] = {0};
  off_t at = (off_t)(layout_of(&h->geometry).end - sizeof past);

  atomic_fetch_or(&from->header->epoch, NXC__EPOCH_DEAD);
  for (unsigned i = 0; i < NXC__GAUGES; i++) past[i] = nxc__counter_sum(from, i);
  size_t rows = (size_t)h->geometry.tag_buckets * sizeof(nxc__tag_bucket);
  if (write_all(fd, from->tag_buckets, rows, PAGE)) return -1;
  nxc__word_raise(&h->floor_wall_ms, atomic_load(&from->header->floor_wall_ms));
  nxc__word_raise(&h->origin_wall_ms, atomic_load(&from->header->origin_wall_ms));
  return write_all(fd, past, sizeof past, at);
}

/* Piece by piece, because a signal undoes what a call has reserved so far: a profiler's
 * would never let a large one come to its end. */
static int preallocate(int fd, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += MIB) {
    uint64_t size = bytes - at < MIB ? bytes - at : MIB;
    do errno = posix_fallocate(fd, (off_t)at, (off_t)size);
    while (errno == EINTR);
    if (errno) return -1;
  }
  return 0;
}

static int fill_index(int fd, nxc__header *h, const nxc__index *replaces) {
  if (preallocate(fd, h->file_bytes)) return -1;
  if (replaces && copy_marks(fd, h, replaces)) return -1;
  return write_all(fd, h, sizeof *h, 0) ? -1 : fdatasync(fd);
}

static int create_files(int dir, const char *temporary, const char *data, nxc__header *h,
                        const nxc__index *replaces, int *held) {
  int fd = create_file(dir, temporary);
  if (fd < 0) return -1;
  int rc = fill_index(fd, h, replaces);
  int saved = errno;
  if (held && rc == 0) {
    (void)lock_byte(fd, F_RDLCK, NXC__LOCK_LIVE);
    *held = fd;
  } else {
    close(fd);
  }
  if (rc == 0) {
    fd = create_file(dir, data);
    saved = errno;
    if (fd >= 0) close(fd);
    rc = fd < 0 ? -1 : 0;
  }
  errno = saved;
  return rc;
}

/* 0, or an errno. */
static int publish(int dir, const char *temporary, const nxc__index *over) {
  struct stat st;
  if (over) {
    /* We may have been stopped for long: what stands there now need not be it. */
    if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW)) return errno;
    if (st.st_ino != over->ino) return EEXIST;
    /* It is dead already; so the data of both never stand there together. */
    unlink_data(dir, over->instance);
    if (renameat(dir, temporary, dir, "index")) return errno;
  } else if (linkat(dir, temporary, dir, "index", 0)) {
    return errno;
  }
  unlinkat(dir, temporary, 0);
  /* Without its directory entry a power cut would take the marks along. */
  return fsync(dir) && errno != EINVAL ? errno : 0;
}

static int create_held(int dir, const nxc__plan *plan, int *held) {
  nxc__header h;
  char data[48], temporary[48];

  if (held) *held = -1;
  if (header_init(&h, plan)) return NXC_E_IO;
  nxc__index_data_name(h.instance, data);
  snprintf(temporary, sizeof temporary, "tmp-%s", data + sizeof "data-" - 1);
  int error = create_files(dir, temporary, data, &h, plan->replaces, held) ? errno : 0;
  if (!error) error = publish(dir, temporary, plan->replaces ? plan->replaces : plan->over);
  if (!error) return NXC_OK;
  if (held && *held >= 0) close(*held);
  if (held) *held = -1;
  unlinkat(dir, temporary, 0);
  unlinkat(dir, data, 0);
  errno = error;
  /* ENOENT: somebody swept our temporary file away. Both mean "look again". */
  return error == EEXIST || error == ENOENT ? NXC_MISS : NXC_E_IO;
}

int nxc__index_create(int dir, const nxc__plan *plan) {
  return create_held(dir, plan, NULL);
}

int nxc__index_replace(int dir, const nxc__index *x, uint64_t bound_bytes, uint64_t whole_bytes,
                       int64_t now_ms, int *held) {
  nxc__plan plan = {
      .geometry = nxc__index_geometry(bound_bytes, 0),
      .now_ms = now_ms,
      .epoch_above = atomic_load(&x->header->epoch) & ~NXC__EPOCH_DEAD,
      .replaces = x,
      .whole_bytes = whole_bytes,
  };
  plan.geometry.tag_buckets = x->geometry.tag_buckets;
  return create_held(dir, &plan, held);
}

bool nxc__index_is_named(int dir, const nxc__index *x) {
  struct stat st;
  return fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == x->ino &&
         st.st_dev == x->dev;
}

void nxc__index_sweep(int dir, const nxc__index *index) {
  char keep[48];
  int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);

  if (!d) {
    if (fd >= 0) close(fd);
    return;
  }
  nxc__index_data_name(index->instance, keep);
  for (struct dirent *e; (e = readdir(d));) {
    bool data = strncmp(e->d_name, "data-", 5) == 0 && strcmp(e->d_name, keep) != 0;
    bool temporary = strncmp(e->d_name, "tmp-", 4) == 0;
    if (!data && !temporary) continue;
    /* The sweep of a creator that was stopped in the middle must not hit what a
     * later one made. */
    struct stat st;
    if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != index->ino) break;
    unlinkat(dir, e->d_name, 0);
  }
  closedir(d);
}

void nxc__index_unlink(int dir, const nxc__index *index) {
  if (nxc__index_is_named(dir, index)) unlinkat(dir, "index", 0);
  unlink_data(dir, index->instance);
}

int nxc__index_flush(nxc__index *x) {
  if (x->fd < 0) return 0;
  if (x->elder && nxc__index_flush(x->elder)) return -1;
  /* Loaded before: what is raised meanwhile may miss the flush. */
  uint64_t floor = atomic_load(&x->header->floor);
  uint64_t wall = atomic_load(&x->header->floor_wall_ms);
  if (msync(x->map, x->durable_bytes, MS_SYNC)) return -1;
  nxc__word_raise(&x->flushed_floor, floor);
  nxc__word_raise(&x->flushed_wall_ms, wall);
  return 0;
}

bool nxc__index_has_flushed(const nxc__index *x, uint64_t floor, uint64_t floor_wall_ms) {
  return atomic_load(&x->flushed_floor) >= floor &&
         atomic_load(&x->flushed_wall_ms) >= floor_wall_ms;
}

/* ---- words --------------------------------------------------------------------- */

int64_t nxc__steady_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool nxc__word_raise(nxc__word *word, uint64_t value) {
  uint64_t seen = atomic_load(word);
  while (seen < value) {
    if (atomic_compare_exchange_weak(word, &seen, value)) return true;
  }
  return false;
}

uint64_t nxc__counter_sum(const nxc__index *x, unsigned counter) {
  uint64_t sum = 0;
  for (size_t row = 0; row <= NXC__COUNTER_ROWS; row++) {
    sum += atomic_load_explicit(&x->counters[row * NXC__COUNTERS + counter], memory_order_relaxed);
  }
  return sum;
}

static void carry_row(nxc__word *from, nxc__word *to) {
  for (unsigned i = 0; i < NXC__GAUGES; i++) {
    uint64_t n = atomic_exchange(&from[i], 0);
    if (n) atomic_fetch_add(&to[i], n);
  }
}

void nxc__counters_carry(nxc__index *from, nxc__index *to) {
  /* Somebody wrote over it: then its numbers are no numbers. */
  if (from->header->check != header_check(from->header)) return;
  nxc__word *mine = nxc__counters_of(from);
  for (unsigned i = NXC__GAUGES; i < NXC__COUNTERS; i++) atomic_store(&mine[i], 0);
  carry_row(mine, nxc__counters_of(to));
  if (from->fd >= 0 && !(atomic_load(&from->header->epoch) & NXC__EPOCH_DEAD)) return;
  /* It is over, for all. Others come when they next look, and bring what they count until
   * then; one that was killed never does. */
  for (size_t row = 0; row <= NXC__COUNTER_ROWS; row++) {
    carry_row(from->counters + row * NXC__COUNTERS, past_of(to));
  }
}
