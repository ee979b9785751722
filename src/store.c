/* store.c - finds, makes, recognises and replaces what stands in a directory.
 *
 *   <dir>/CACHEDIR.TAG  <dir>/v1/index  <dir>/v1/data-<instance>   (v1: our format)
 *
 * The subdirectory is ours alone (0700, our uid) and is opened without following
 * links; what its parent allows is the host's business. A store that is damaged,
 * or whose half is missing, is replaced, and then nothing from before is believed:
 * its marks are gone.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sibling.h"

#define TRIES 16
#define DEFAULT_DISK_BYTES (UINT64_C(1) << 30)

/* ---- the directory ------------------------------------------------------------- */

/* -1 with errno and the trouble set; `what` may be NULL for the error's own text. */
static int fail(nxc__trouble *t, const char *dir, int error, const char *what) {
  t->fatal = true;
  snprintf(t->text, sizeof t->text,
           "cannot use the cache directory %.200s: %.200s; the cache lives in memory only", dir,
           what ? what : strerror(error));
  errno = error;
  return -1;
}

/* mkdir -p; a component that cannot be made because it exists is fine. */
static int make_dirs(const char *dir) {
  char path[4096];
  size_t n = strlen(dir);

  if (n == 0 || n >= sizeof path) {
    errno = n ? ENAMETOOLONG : ENOENT;
    return -1;
  }
  memcpy(path, dir, n + 1);
  for (size_t i = 1; i <= n; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    char kept = path[i];
    path[i] = '\0';
    if (mkdir(path, 0777) && errno != EEXIST) {
      int error = errno;
      if (kept == '\0' || access(path, X_OK)) {
        errno = error;
        return -1;
      }
    }
    path[i] = kept;
  }
  return 0;
}

/* A lock or a shared mapping there means little or nothing. */
static const char *foreign_file_system(int fd) {
  static const struct {
    unsigned magic;
    const char *name;
  } foreign[] = {
      {0x6969, "NFS"},      {0x517b, "SMB"},      {0xff534d42, "CIFS"},
      {0xfe534d42, "SMB2"}, {0x01021997, "9p"},   {0x65735546, "FUSE or virtiofs"},
      {0x5346414f, "AFS"},  {0x00c36400, "Ceph"}, {0x0bd00bd0, "Lustre"},
      {0x01161970, "GFS2"},
  };
  struct statfs s;
  if (fstatfs(fd, &s)) return NULL;
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    if ((unsigned)s.f_type == foreign[i].magic) return foreign[i].name;
  }
  return NULL;
}

/* So that backups leave the cache out; its absence harms nobody. */
static void write_cachedir_tag(int parent) {
  static const char text[] =
      "Signature: 8a477f597d28d172789f06886806bc55\n"
      "# This directory is a cache made by nextcache; it may be removed at any time.\n";
  int fd =
      openat(parent, "CACHEDIR.TAG", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return;
  if (write(fd, text, sizeof text - 1) < 0) unlinkat(parent, "CACHEDIR.TAG", 0);
  close(fd);
}

static int fail_by_owner(nxc__trouble *t, const char *dir, uid_t owner) {
  char text[160];
  snprintf(text, sizeof text,
           "its subdirectory " NXC__VERSION_DIR
           " belongs to uid %u and this process runs as uid %u",
           (unsigned)owner, (unsigned)geteuid());
  return fail(t, dir, EPERM, text);
}

static int check_version_dir(int fd, const char *dir, nxc__trouble *t) {
  struct stat st;
  char text[160];

  if (fstat(fd, &st)) return fail(t, dir, errno, NULL);
  if (st.st_uid != geteuid()) return fail_by_owner(t, dir, st.st_uid);
  if ((st.st_mode & 077) && fchmod(fd, 0700)) return fail(t, dir, errno, NULL);
  const char *foreign = foreign_file_system(fd);
  if (!foreign) return 0;
  snprintf(text, sizeof text, "it is on a network or user-space file system (%s)", foreign);
  return fail(t, dir, ENOTSUP, text);
}

/* All files are opened after their directory. One that is given the number of a standard
 * descriptor, because the program has closed that, would leave it to the index, and what the
 * program prints would be written into what all processes map. So that number is taken for good. */
static int open_directory(const char *dir, int flags) {
  int fd = open(dir, flags);
  while (fd >= 0 && fd <= STDERR_FILENO) {
    close(fd);
    fd = open("/dev/null", O_RDWR) < 0 ? -1 : open(dir, flags);
  }
  return fd;
}

/* Made only when it is missing: a mkdir() that finds a directory costs as much as a lock
 * on its parent, and most openings find everything. */
static int open_parent(const char *dir, nxc__trouble *t) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int parent = open_directory(dir, flags);
  if (parent < 0 && errno == ENOENT && make_dirs(dir) == 0) parent = open_directory(dir, flags);
  return parent < 0 ? fail(t, dir, errno, NULL) : parent;
}

static int make_version_dir(int parent) {
  if (mkdirat(parent, NXC__VERSION_DIR, 0700)) return errno == EEXIST ? 0 : -1;
  write_cachedir_tag(parent);
  fsync(parent);
  return 0;
}

/* The descriptor of our subdirectory, or -1 with the trouble. */
static int open_version_dir(int parent, const char *dir, nxc__trouble *t) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  struct stat st;
  int fd = openat(parent, NXC__VERSION_DIR, flags);
  if (fd < 0 && errno == ENOENT && make_version_dir(parent) == 0) {
    fd = openat(parent, NXC__VERSION_DIR, flags);
  }
  int error = errno;
  if (fd < 0 && error == EACCES &&
      fstatat(parent, NXC__VERSION_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != geteuid()) {
    return fail_by_owner(t, dir, st.st_uid);
  }
  if (fd < 0) return fail(t, dir, error, NULL);
  if (check_version_dir(fd, dir, t) == 0) return fd;
  close(fd);
  return -1;
}

/* ---- opening ------------------------------------------------------------------- */

typedef struct opening {
  const nxc__place *place;
  int parent;
  int dir;
  bool died;    /* something stood here and is gone */
  bool created; /* by us */
  uint64_t epoch_above;
  uint64_t known_bytes;                 /* the bound of what stood here; 0: unknown */
  unsigned char dead_key[NXC__ID_SIZE]; /* of the first that died */
} opening;

/* Where an index had counted to; 0 when somebody wrote over it. */
static uint64_t epoch_of(const nxc__index *index) {
  uint64_t epoch = nxc__epoch_load(index) & ~NXC__EPOCH_DEAD;
  return epoch <= NXC__EPOCH_MAX ? epoch : 0;
}

static void note_death(opening *o, const nxc__index *index) {
  uint64_t epoch = epoch_of(index);
  if (epoch > o->epoch_above) o->epoch_above = epoch;
  if (!o->died) memcpy(o->dead_key, index->header->key, NXC__ID_SIZE);
  o->died = true;
}

/* Always asked for anew: marks may have been made since the opening began. */
static int64_t now(const opening *o) {
  return nxc__clock_now(&o->place->clock);
}

/* Whether a write into the files would end this process, by a signal whose default that is:
 * it may not write so far into a file. Where that signal is ignored a limit is a full disk. */
static bool is_beyond_limit(const nxc__geometry *g) {
  uint64_t ring = (uint64_t)g->segments * g->segment_bytes, index = nxc__index_file_bytes(g);
  struct rlimit limit;
  struct sigaction action;

  if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur >= (ring > index ? ring : index)) {
    return false;
  }
  if (sigaction(SIGXFSZ, NULL, &action) || action.sa_handler != SIG_DFL) return false;
  errno = EFBIG;
  return true;
}

static int create_from(opening *o, nxc__plan *plan) {
  if (is_beyond_limit(&plan->geometry)) return NXC_E_IO;
  int rc = nxc__index_create(o->dir, plan);
  o->created = o->created || rc == NXC_OK;
  return rc;
}

/* Makes the index, in the place of a dead one or of none. */
static int create(opening *o, const nxc__index *over) {
  const nxc__place *place = o->place;
  nxc__sibling elder;
  int rc = nxc__elder_open(o->parent, &elder);
  uint64_t bytes = place->disk_bytes;

  if (rc != NXC_OK && rc != NXC_MISS) return rc;
  if (bytes == NXC_ADOPT && rc == NXC_OK) bytes = 0;
  if (bytes == NXC_ADOPT) bytes = o->known_bytes ? o->known_bytes : DEFAULT_DISK_BYTES;
  nxc__plan plan = {
      .geometry = nxc__index_geometry(bytes, place->tag_rows),
      .now_ms = now(o),
      .epoch_above = o->epoch_above,
      .over = over,
  };
  if (o->died) plan.floor_wall_ms = plan.origin_wall_ms = plan.now_ms;
  if (rc == NXC_MISS) {
    rc = nxc__younger_divide(o->parent, &plan);
    return rc == NXC_OK ? create_from(o, &plan) : rc;
  }
  if (nxc__epoch_load(elder.index) & NXC__EPOCH_DEAD) {
    note_death(o, elder.index);
    nxc__index_unlink(elder.dir, elder.index);
    rc = NXC_MISS;
  } else {
    nxc__elder_divide(&elder, &plan);
    rc = create_from(o, &plan);
  }
  nxc__sibling_close(&elder);
  return rc;
}

static int replace(const opening *o, const nxc__index *x, uint64_t wanted) {
  const nxc__geometry geometry = nxc__index_geometry(wanted, 0);
  if (is_beyond_limit(&geometry)) return NXC_E_IO;
  return nxc__index_replace(o->dir, x, wanted, 0, now(o), NULL);
}

/* Another bound than the index was made for: taken over when nobody else has it
 * open, its entries given up; else the index's own holds. */
static int match_bound(opening *o, nxc__index *x, nxc__trouble *t) {
  uint64_t wanted = o->place->disk_bytes;

  if (wanted == NXC_ADOPT || wanted == x->geometry.bound_bytes) return NXC_OK;
  if (nxc__index_claim(x)) {
    int rc = replace(o, x, wanted), error = errno;
    if (rc == NXC_OK) o->created = true;
    if (rc == NXC_OK || (nxc__epoch_load(x) & NXC__EPOCH_DEAD)) return NXC_MISS;
    nxc__index_unclaim(x);
    snprintf(t->text, sizeof t->text,
             "the cache directory %.300s keeps its bound of %llu bytes, because the index for %llu "
             "cannot be made: %.60s",
             o->place->dir, (unsigned long long)x->geometry.bound_bytes, (unsigned long long)wanted,
             strerror(error));
    return NXC_OK;
  }
  snprintf(t->text, sizeof t->text,
           "the cache directory %.300s is in use with a bound of %llu bytes, which holds until all "
           "its processes have ended; asked for: %llu",
           o->place->dir, (unsigned long long)x->geometry.bound_bytes, (unsigned long long)wanted);
  return NXC_OK;
}

static void tell_of_sharing(const opening *o, const nxc__index *x, nxc__trouble *t) {
  uint64_t wanted = o->place->disk_bytes, bound = x->geometry.bound_bytes;

  if (wanted == NXC_ADOPT || wanted == bound) return;
  snprintf(
      t->text, sizeof t->text,
      "the cache directory %.300s is shared with another release of nextcache; as long as both "
      "are in use this one has %llu bytes of it; asked for: %llu",
      o->place->dir, (unsigned long long)bound, (unsigned long long)wanted);
}

/* Whether the intact index that stands there is to be used: as try_open(), and
 * NXC_E_FORMAT when it is not. */
static int agree(opening *o, nxc__index *x, nxc__trouble *t) {
  bool shared;
  int rc = nxc__siblings_meet(o->parent, x, &o->place->clock, &shared);
  if (rc == NXC_OK && !shared) return match_bound(o, x, t);
  if (rc == NXC_OK) tell_of_sharing(o, x, t);
  return rc;
}

/* Puts a new index in the place of a dead one in one step: whoever comes meanwhile finds
 * either, and knows by either that nothing from before is to be believed. NXC_MISS: look
 * again. */
static int supersede(opening *o, nxc__index *dead) {
  note_death(o, dead);
  atomic_fetch_or(&dead->header->epoch, NXC__EPOCH_DEAD);
  int rc = nxc__elder_tell(o->parent, dead, &o->place->clock);
  if (rc != NXC_OK) return rc;
  rc = create(o, dead);
  if (rc != NXC_OK) nxc__index_unlink(o->dir, dead); /* perhaps there is room then */
  return NXC_MISS;
}

/* One look at what stands there: NXC_OK with the store's index and ring; NXC_MISS:
 * it was made, or removed, look again; NXC_E_IO. */
static int try_open(opening *o, nxc__store *s, nxc__trouble *t) {
  nxc__index *x = NULL;
  int rc = nxc__index_open(o->dir, &x);

  if (rc == NXC_MISS) {
    rc = create(o, NULL);
    return rc == NXC_OK ? NXC_MISS : rc;
  }
  if (rc == NXC_E_FORMAT) {
    /* Damaged, or not a file. A directory goes only when it is empty. */
    o->died = true;
    if (unlinkat(o->dir, "index", 0) == 0 || errno == ENOENT) return NXC_MISS;
    return unlinkat(o->dir, "index", AT_REMOVEDIR) == 0 ? NXC_MISS : NXC_E_IO;
  }
  if (rc != NXC_OK) return rc;
  if (is_beyond_limit(&x->geometry)) {
    rc = NXC_E_IO;
  } else if (!(nxc__epoch_load(x) & NXC__EPOCH_DEAD)) {
    rc = nxc__ring_open(o->dir, x, &s->ring);
    if (rc == NXC_OK) {
      rc = agree(o, x, t);
      if (rc == NXC_OK) {
        nxc__ring_read_no_further(&s->ring);
        s->index = x;
        return NXC_OK;
      }
      nxc__ring_close(&s->ring);
    }
  }
  if (rc == NXC_OK || rc == NXC_E_FORMAT) { /* dead, or without its data, or its marks */
    rc = supersede(o, x);
  }
  nxc__index_close(x);
  return rc;
}

/* What keeps the marks was made, or put back, by somebody else after ours had died: what
 * we know of marks in the dead one is not in it. Under the same key it is. */
static void believe_nothing_older(const opening *o, nxc__index *x) {
  nxc__header *h = x->header;
  bool older = atomic_load(&h->origin) <= o->epoch_above;

  if (memcmp(h->key, o->dead_key, NXC__ID_SIZE) == 0) return;
  if (older) { /* births of the dead one could count here; the epoch goes first */
    uint64_t epoch = nxc__epoch_load(x) & ~NXC__EPOCH_DEAD;
    epoch = (epoch > o->epoch_above ? epoch : o->epoch_above) + NXC__BOOT_JUMP;
    nxc__word_raise(&h->epoch, epoch);
    nxc__word_raise(&h->floor, epoch);
    nxc__word_raise(&h->origin, epoch);
  }
  if (older || !atomic_load(&h->origin_wall_ms)) {
    nxc__word_raise(&h->floor_wall_ms, (uint64_t)now(o));
    nxc__word_raise(&h->origin_wall_ms, (uint64_t)now(o));
    atomic_fetch_add(&h->epoch, 1);
    (void)nxc__index_flush(x);
  }
}

static void close_dirs(opening *o) {
  if (o->dir >= 0) close(o->dir);
  if (o->parent >= 0) close(o->parent);
  o->dir = o->parent = -1;
}

/* Opens the directories and looks; their descriptors are left in `o`. */
static int look(opening *o, nxc__store *s, nxc__trouble *t) {
  close_dirs(o);
  o->parent = open_parent(o->place->dir, t);
  if (o->parent >= 0) o->dir = open_version_dir(o->parent, o->place->dir, t);
  if (o->dir >= 0) return try_open(o, s, t);
  return errno == ENOENT ? NXC_MISS : NXC_E_IO; /* it may be just being removed */
}

/* What is still to be done to the store that was found. */
static void finish_open(const opening *o, nxc__store *s, const nxc__store *before,
                        nxc__trouble *t) {
  nxc__index *x = s->index, *home = x->elder ? x->elder : x;

  if (o->created) nxc__index_sweep(o->dir, x);
  if (o->died && (!o->created || x->elder)) believe_nothing_older(o, home);
  /* The host was told already. */
  if (before && before->index->geometry.bound_bytes == x->geometry.bound_bytes) t->text[0] = '\0';
  atomic_init(&s->refs, 1);
  s->disk = true;
}

/* Whether the index is what the path names: as nxc__store_is_current(). */
static int is_at(const nxc__index *x, const char *path) {
  struct stat st;
  if (lstat(path, &st)) {
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    /* Who may not look, after having given up rights, goes on with what is mapped. */
    return errno == EACCES ? 1 : -1;
  }
  return st.st_ino == x->ino && st.st_dev == x->dev;
}

static int is_in_place(const nxc__index *x, const char *dir) {
  char path[PATH_MAX];
  int n = snprintf(path, sizeof path, "%s/v%u/index", dir, (unsigned)x->version);
  return n > 0 && (size_t)n < sizeof path ? is_at(x, path) : 0;
}

/* Tells all who map it what was taken from its place, the index or that of the elder. */
static void kill_displaced(const nxc__store *s, const char *dir) {
  nxc__index *const both[] = {s->index, s->index->elder};
  for (int i = 0; i < 2; i++) {
    if (both[i] && is_in_place(both[i], dir) == 0) {
      atomic_fetch_or(&both[i]->header->epoch, NXC__EPOCH_DEAD);
    }
  }
}

/* Begins with what is known of the store that stood there until now. */
static void note_before(opening *o, const nxc__store *s) {
  kill_displaced(s, o->place->dir);
  o->known_bytes = s->index->geometry.bound_bytes;
  o->epoch_above = epoch_of(s->index);
  if (atomic_load(&s->index->header->epoch) & NXC__EPOCH_DEAD) note_death(o, s->index);
}

static nxc__store *new_store(const char *dir) {
  size_t room = strlen(dir) + sizeof "/" NXC__VERSION_DIR "/index";
  nxc__store *s = calloc(1, sizeof *s + room);
  if (s) snprintf(s->path, room, "%s/" NXC__VERSION_DIR "/index", dir);
  return s;
}

/* NULL: the text of the error says it. */
static const char *what_failed(int rc, int error) {
  if (rc == NXC_MISS) return "other processes keep replacing it";
  if (error != EFBIG) return NULL;
  return "its files are larger than what this process may write into a file (ulimit -f)";
}

int nxc__store_open(const nxc__place *place, const nxc__store *before, nxc__store **out,
                    nxc__trouble *t) {
  opening o = {.place = place, .parent = -1, .dir = -1};
  nxc__store *s = new_store(place->dir);
  int rc = NXC_MISS;

  if (!s) return NXC_E_NOMEM;
  if (before) note_before(&o, before);
  for (int tries = 0; tries < TRIES && rc == NXC_MISS; tries++) {
    *t = (nxc__trouble){.fatal = false};
    rc = look(&o, s, t);
  }
  int saved = errno;
  if (rc == NXC_OK) finish_open(&o, s, before, t);
  close_dirs(&o);
  if (rc == NXC_OK) {
    *out = s;
    return NXC_OK;
  }
  free(s);
  if (rc == NXC_E_NOMEM) return rc;
  if (!t->fatal) fail(t, place->dir, saved, what_failed(rc, saved));
  return NXC_MEMORY_ONLY;
}

int nxc__store_anonymous(uint32_t tag_rows, int64_t now_ms, int64_t origin_wall_ms,
                         nxc__store **out) {
  nxc__store *s = calloc(1, sizeof *s);
  if (!s) return NXC_E_NOMEM;
  int rc = nxc__index_anonymous(tag_rows, now_ms, &s->index);
  if (rc != NXC_OK) {
    free(s);
    return rc;
  }
  atomic_init(&s->refs, 1);
  nxc__word_raise(&s->index->header->origin_wall_ms, (uint64_t)origin_wall_ms);
  *out = s;
  return NXC_OK;
}

nxc__store *nxc__store_ref(nxc__store *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void nxc__store_unref(nxc__store *s) {
  if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  if (s->disk) nxc__ring_close(&s->ring);
  nxc__index_close(s->index);
  free(s);
}

/* ---- replacing ----------------------------------------------------------------- */

int nxc__store_is_current(const nxc__store *s, const char *dir) {
  const nxc__index *x = s->index;
  int is = is_at(x, s->path);
  return is == 1 && x->elder ? is_in_place(x->elder, dir) : is;
}

void nxc__store_kill(nxc__store *s) {
  atomic_fetch_or(&s->index->header->epoch, NXC__EPOCH_DEAD);
}

void nxc__store_clear(nxc__store *s, const char *dir) {
  nxc__trouble ignored;
  nxc__store_kill(s);
  if (!s->index->elder) return;
  int parent = open_parent(dir, &ignored);
  if (parent < 0) return;
  nxc__elder_remove(parent, s->index);
  close(parent);
}
