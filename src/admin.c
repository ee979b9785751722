/* admin.c - a view of a cache directory: its index and its ring, without an engine.
 *
 * What takes part in a cache makes what is missing and replaces what is damaged; a
 * tool must not. So a view opens what is there or says what is wrong with it. It
 * moves nothing: it counts no look-up, notes no use and fills no memory tier. It takes
 * neither a counter row nor the lock of the living, so that a screen which somebody
 * forgot to close does not keep the cache from being resized; what is replaced under a
 * view stays mapped, and nxc_view_is_over() tells.
 */
#include "nextcache_admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"
#include "remote.h"
#include "stats.h"
#include "tags.h"
#include "times.h"

struct nxc_view {
  nxc__index *index;
  nxc__ring ring;
  char *dir;
};

static int64_t wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- opening ------------------------------------------------------------------- */

typedef struct problem {
  const char *dir;
  char *text;
  size_t size;
} problem;

/* Says what is wrong with the directory; returns `rc`. */
__attribute__((format(printf, 3, 4))) static int tell(const problem *p, int rc, const char *format,
                                                      ...) {
  char what[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (p->size) snprintf(p->text, p->size, "%s: %s", p->dir, what);
  return rc;
}

/* What errno says, and what helps. */
static int tell_errno(const problem *p, const char *what) {
  const int error = errno;
  const char *remedy = error == EROFS                       ? "; it should be mounted writable"
                       : error == EACCES || error == EPERM  ? "; run it as the user of the cache"
                       : error == ENOTDIR || error == ELOOP ? "; move away what stands there"
                                                            : "";
  return tell(p, NXC_E_IO, "%s%s%s%s", what, *what ? ": " : "", strerror(error), remedy);
}

/* The highest <n> of the subdirectories v<n>; 0: there is none. */
static long newest_version(int parent) {
  long newest = 0;
  int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    char *end;
    long n = e->d_name[0] == 'v' ? strtol(e->d_name + 1, &end, 10) : 0;
    if (n > newest && *end == '\0') newest = n;
  }
  if (dir) {
    closedir(dir);
  } else if (fd >= 0) {
    close(fd);
  }
  return newest;
}

static int tell_absent(const problem *p, int parent) {
  long version = newest_version(parent);
  if (version <= 1) return tell(p, NXC_MISS, "no cache is there");
  return tell(p, NXC_E_NEWER,
              "the cache has format %ld and this is nextcache %s, which reads format 1; "
              "use the release that made it",
              version, nxc_version());
}

static int tell_foreign(const problem *p, uid_t uid) {
  return tell(p, NXC_E_IO,
              "the cache belongs to uid %u and this process runs as uid %u; run it as that user, "
              "or as root",
              (unsigned)uid, (unsigned)geteuid());
}

/* Opens the subdirectory, without making it. */
static int open_subdirectory(const problem *p, int *out) {
  struct stat st;
  int parent = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0 && errno == ENOENT) return tell(p, NXC_MISS, "there is no such directory");
  if (parent < 0) return tell_errno(p, "");
  int rc = NXC_OK;
  if (fstatat(parent, NXC__VERSION_DIR, &st, AT_SYMLINK_NOFOLLOW)) {
    rc = errno == ENOENT ? tell_absent(p, parent) : tell_errno(p, NXC__VERSION_DIR);
  } else if (S_ISDIR(st.st_mode) && st.st_uid != geteuid()) {
    rc = tell_foreign(p, st.st_uid);
  } else {
    *out = openat(parent, NXC__VERSION_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*out < 0) rc = tell_errno(p, NXC__VERSION_DIR);
  }
  close(parent);
  return rc;
}

/* Why the index is none of ours. */
static int tell_format(const problem *p, int dir) {
  nxc__header h = {.version = 0};
  int fd = openat(dir, "index", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  ssize_t n = fd < 0 ? 0 : pread(fd, &h, sizeof h, 0);
  if (fd >= 0) close(fd);
  if (n == (ssize_t)sizeof h && memcmp(h.magic, "NXCINDEX", 8) == 0 && h.version > 1) {
    return tell(p, NXC_E_NEWER,
                "the index has version %u and this is nextcache %s, which reads version 1; "
                "use the release that made it",
                h.version, nxc_version());
  }
  return tell(p, NXC_E_FORMAT,
              "the index (" NXC__VERSION_DIR
              "/index) is damaged; a server that opens the cache makes "
              "it anew, empty");
}

static int open_files(const problem *p, int dir, nxc_view *v) {
  int rc = nxc__index_watch(dir, &v->index);
  if (rc == NXC_MISS) return tell(p, rc, "no cache is there");
  if (rc == NXC_E_FORMAT) return tell_format(p, dir);
  if (rc == NXC_E_IO) return tell_errno(p, NXC__VERSION_DIR "/index");
  if (rc != NXC_OK) return tell(p, rc, "%s", nxc_strerror(rc));
  if (nxc__epoch_load(v->index) & NXC__EPOCH_DEAD) {
    rc = tell(p, NXC_MISS, "the cache was removed a moment ago");
  } else if ((rc = nxc__ring_open(dir, v->index, &v->ring)) != NXC_OK) {
    rc = rc == NXC_E_IO
             ? tell_errno(p, "the data file")
             : tell(p, NXC_E_FORMAT,
                    "the data file of the index is not there; a server that opens the cache makes "
                    "both anew, empty");
  }
  if (rc != NXC_OK) nxc__index_close(v->index);
  return rc;
}

int nxc_view_owner(const char *dir, uint32_t *uid, uint32_t *gid) {
  struct stat st;
  int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return errno == ENOENT ? NXC_MISS : NXC_E_IO;
  int rc = fstatat(parent, NXC__VERSION_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 ? NXC_OK
           : errno == ENOENT                                                ? NXC_MISS
                                                                            : NXC_E_IO;
  close(parent);
  if (rc != NXC_OK) return rc;
  *uid = st.st_uid;
  *gid = st.st_gid;
  return NXC_OK;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the text is written through a struct. */
int nxc_view_open(nxc_view **out, const char *dir, char *text, size_t size) {
  const problem p = {dir, text, size};
  int fd = -1;

  *out = NULL;
  nxc_view *v = calloc(1, sizeof *v);
  if (v) v->dir = strdup(dir);
  int rc = v && v->dir ? open_subdirectory(&p, &fd) : tell(&p, NXC_E_NOMEM, "out of memory");
  if (rc == NXC_OK) rc = open_files(&p, fd, v);
  if (fd >= 0) close(fd);
  if (rc == NXC_OK) {
    *out = v;
  } else if (v) {
    free(v->dir);
    free(v);
  }
  return rc;
}

void nxc_view_close(nxc_view *v) {
  if (!v) return;
  nxc__ring_close(&v->ring);
  nxc__index_close(v->index);
  free(v->dir);
  free(v);
}

int nxc_view_is_over(const nxc_view *v) {
  char path[4096];
  struct stat st;
  if (nxc__epoch_load(v->index) & NXC__EPOCH_DEAD) return 1;
  snprintf(path, sizeof path, "%s/" NXC__VERSION_DIR "/index", v->dir);
  return lstat(path, &st) || st.st_ino != v->index->ino || st.st_dev != v->index->dev;
}

/* ---- what it is ---------------------------------------------------------------- */

static uint32_t count_slots(const nxc__index *x) {
  uint32_t n = 0;
  for (size_t i = 0; i < (size_t)x->geometry.buckets * NXC__WAYS; i++) {
    n += atomic_load_explicit(&x->slots[i], memory_order_relaxed) != 0;
  }
  return n;
}

static uint32_t count_rows(const nxc__index *x) {
  uint32_t n = 0;
  for (size_t i = 0; i < x->geometry.tag_buckets; i++) {
    for (int way = 0; way < NXC__WAYS; way++) n += atomic_load(&x->tag_buckets[i].hash[way]) != 0;
  }
  return n;
}

void nxc_view_shape(const nxc_view *v, nxc_shape *out) {
  const nxc__index *x = v->index;
  const nxc__geometry *g = &x->geometry;
  *out = (nxc_shape){
      .limit_bytes = g->bound_bytes,
      .held_bytes = nxc__ring_held_bytes(&v->ring),
      .index_bytes = nxc__index_file_bytes(g),
      .record_bytes = nxc__ring_largest_bytes(&v->ring),
      .segment_bytes = g->segment_bytes,
      .segments = g->segments,
      .slots = g->buckets * NXC__WAYS,
      .slots_used = count_slots(x),
      .tag_rows = g->tag_buckets * NXC__WAYS,
      .tag_rows_used = count_rows(x),
      .epoch = nxc__epoch_load(x) & ~NXC__EPOCH_DEAD,
      .floor_ms = (int64_t)atomic_load(&x->header->floor_wall_ms),
      .origin_ms = (int64_t)atomic_load(&x->header->origin_wall_ms),
  };
  for (size_t i = 0; i < NXC__ID_SIZE; i++) sprintf(out->instance + 2 * i, "%02x", x->instance[i]);
}

void nxc_view_stats(const nxc_view *v, nxc_stats *out) {
  *out = (nxc_stats){.epoch = nxc__epoch_load(v->index) & ~NXC__EPOCH_DEAD};
  nxc__stats_sum(v->index, out);
  for (int row = 0; row < NXC__COUNTER_ROWS; row++) {
    if (nxc__row_is_live(v->index, row)) nxc__stats_add_gauges(v->index, row, out);
  }
  nxc__stats_disk(v->index, &v->ring, out);
}

void nxc_view_remote(const nxc_view *v, nxc_remote *out) {
  int64_t now_ms = wall_ms();
  *out = (nxc_remote){.gets = 0};
  nxc__remote_sum(v->index, out);
  for (int row = 0; row < NXC__COUNTER_ROWS; row++) {
    if (nxc__row_is_live(v->index, row)) nxc__remote_add_gauges(v->index, row, now_ms, out);
  }
}

void nxc_view_times(const nxc_view *v, nxc_timed what, nxc_times *out) {
  static const nxc__timed kinds[] = {NXC__TIMED_READ, NXC__TIMED_PUT, NXC__TIMED_MARK};
  nxc__times times;
  nxc__times_sum(v->index, kinds[what], &times);
  *out = (nxc_times){times.total, nxc__times_quantile(&times, 0.5) / 1000,
                     nxc__times_quantile(&times, 0.9) / 1000,
                     nxc__times_quantile(&times, 0.99) / 1000};
}

static void read_counters(const nxc__index *x, int row, nxc_process *out) {
  uint64_t words[NXC__COUNTERS];
  const nxc__word *from = x->counters + (size_t)row * NXC__COUNTERS;
  for (int i = 0; i < NXC__COUNTERS; i++) {
    words[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
  }
  nxc__stats_from(words, &out->stats);
  nxc__stats_add_gauges(x, row, &out->stats);
  nxc__remote_from(words, &out->remote);
  nxc__remote_add_gauges(x, row, wall_ms(), &out->remote);
}

int nxc_view_processes(const nxc_view *v, nxc_process **out, size_t *count) {
  nxc__holder *holders;
  int rc = nxc__processes_list(v->index, &holders, count);
  if (rc != NXC_OK) return rc;
  nxc_process *list = calloc(*count + 1, sizeof *list);
  for (size_t i = 0; list && i < *count; i++) {
    list[i].pid = holders[i].pid;
    if (list[i].pid) nxc__process_command(list[i].pid, list[i].command, sizeof list[i].command);
    if (holders[i].counter_row >= 0) {
      read_counters(v->index, holders[i].counter_row, &list[i]);
    }
  }
  free(holders);
  *out = list;
  return list ? NXC_OK : NXC_E_NOMEM;
}

/* ---- what is in it --------------------------------------------------------------- */

/* What a get would make of an intact entry. */
static void judge(nxc__index *x, nxc_seen *seen) {
  nxc__life life = nxc__life_of(seen->entry);
  uint64_t epoch = nxc__epoch_load(x) & ~NXC__EPOCH_DEAD;
  nxc__fate fate;
  int tag;

  nxc__tags_judge_entry(x, seen->entry, &fate);
  seen->result = nxc__verdict(&life, &fate, epoch, wall_ms(), &seen->why, &seen->dead_at_ms, &tag);
  if (tag < 0) return;
  nxc_slice text = nxc_entry_tag(seen->entry, (size_t)tag);
  size_t n = text.size < sizeof seen->why_tag ? text.size : sizeof seen->why_tag - 1;
  if (n) memcpy(seen->why_tag, text.data, n);
  seen->why_tag[n] = '\0';
}

/* Looks at what a word points at; NXC_MISS: it does not stand any more. */
static int look(nxc_view *v, const nxc__token *at, nxc_seen *seen) {
  int rc = nxc__ring_peek(&v->ring, at, &seen->entry);

  if (rc == NXC_MISS || rc == NXC_E_NOMEM) return rc;
  seen->slot = at->slot;
  seen->word = at->word;
  seen->used = nxc__ring_was_used(&v->ring, at);
  seen->dead_at_ms = NXC_NEVER;
  if (rc != NXC_OK) {
    seen->result = rc == NXC__CORRUPT ? NXC_E_FORMAT : NXC_E_IO;
    seen->why = rc == NXC__CORRUPT ? NXC_WHY_CORRUPT : NXC_WHY_ERROR;
    return NXC_OK;
  }
  nxc_record record;
  nxc_entry_read(seen->entry, &record);
  seen->id = nxc__hash_key(&v->index->secret, record.key).lo;
  seen->disk_bytes = nxc__ring_record_bytes(seen->entry);
  judge(v->index, seen);
  return NXC_OK;
}

int nxc_view_each(nxc_view *v, int (*visit)(void *arg, const nxc_seen *seen), void *arg) {
  nxc__token *list;
  size_t count;
  int rc = nxc__ring_list(&v->ring, &list, &count);

  if (rc != NXC_OK) return rc;
  for (size_t i = 0, more = 1; i < count && more; i++) {
    nxc_seen seen = {.number = i, .count = count};
    rc = look(v, &list[i], &seen);
    if (rc == NXC_E_NOMEM) break;
    if (rc == NXC_OK) more = (size_t)visit(arg, &seen);
    nxc_entry_unref(seen.entry);
    rc = NXC_OK;
  }
  free(list);
  return rc;
}

int nxc_view_find(nxc_view *v, nxc_slice key, nxc_seen *out) {
  nxc__token at;
  *out = (nxc_seen){.result = NXC_MISS, .why = NXC_WHY_ABSENT, .dead_at_ms = NXC_NEVER, .count = 1};
  if (nxc__ring_find(&v->ring, nxc__hash_key(&v->index->secret, key), &at) != NXC_OK ||
      look(v, &at, out) != NXC_OK) {
    return out->result;
  }
  if (out->entry && !nxc__record_has_key(out->entry, key)) { /* the same fingerprint */
    nxc_entry_unref(out->entry);
    *out = (nxc_seen){.result = NXC_MISS, .why = NXC_WHY_ABSENT, .dead_at_ms = NXC_NEVER};
  }
  return out->result;
}

int nxc_view_forget(nxc_view *v, const nxc_seen *damaged) {
  nxc__token at = {(nxc__word *)(uintptr_t)damaged->slot, damaged->word};
  return damaged->result == NXC_E_FORMAT && nxc__ring_forget(&v->ring, &at);
}

int nxc_view_tag(const nxc_view *v, nxc_slice tag, nxc_tag_marks *out) {
  nxc__marks m;
  *out = (nxc_tag_marks){.dead_ms = 0};
  if (!nxc__tags_find(v->index, tag, &m)) return NXC_MISS;
  /* What is not above the floor was left in the row by another tag. */
  uint64_t floor = atomic_load(&v->index->header->floor);
  if (m.dead > floor) out->dead_ms = m.dead_wall_ms;
  if (m.stale > floor) {
    out->stale_ms = m.stale_wall_ms;
    out->deadline_ms = m.deadline_ms;
  }
  return m.dead > floor || m.stale > floor ? NXC_OK : NXC_MISS;
}
