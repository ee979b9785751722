/* sibling.c - keeps releases of different formats out of each other's way.
 *
 *   <dir>/v1/index  <- its marks are obeyed by all     the elder
 *   <dir>/v2/index  obeys them, has its own entries    the younger
 *
 * Indexes with one hash key are a family: the younger was made from the elder, holds
 * entries born in the elder's count of marks, and takes the marks over when no process
 * uses the elder any more. Two of different families must not be used side by side, for
 * the marks of one are unknown to the other: who finds such a pair ends the younger.
 *
 * Everybody opens, or publishes, his own index first and looks for siblings then. So of
 * two releases that begin at once at least one sees the other.
 *
 * Of a younger format only the header is known, of an elder one the tag rows too.
 */
#include "sibling.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tags.h"

#define VERSIONS 64 /* v1 to v63 */

/* ---- finding ------------------------------------------------------------------- */

static uint64_t version_bit(const char *name) {
  char *end;
  unsigned long n = name[0] == 'v' ? strtoul(name + 1, &end, 10) : 0;
  return n > 0 && n < VERSIONS && *end == '\0' ? UINT64_C(1) << n : 0;
}

/* One bit for each version that has a subdirectory. Every opening asks, and readdir()
 * would take it a descriptor of its own, four more calls and 32 KB. */
static int list(int parent, uint64_t *versions) {
  _Alignas(struct dirent) char names[2048];
  long n;

  *versions = 0;
  if (lseek(parent, 0, SEEK_SET)) return NXC_E_IO;
  while ((n = syscall(SYS_getdents64, parent, names, sizeof names)) > 0) {
    for (long at = 0; at < n;) {
      const struct dirent *e = (const void *)(names + at);
      *versions |= version_bit(e->d_name);
      at += e->d_reclen;
    }
  }
  /* Of a directory that was just removed there is nothing to list. A listing that was cut
   * short for another reason would hide somebody. */
  return n == 0 || errno == ENOENT ? NXC_OK : NXC_E_IO;
}

static int open_dir(int parent, unsigned version) {
  char name[8];
  struct stat st;

  snprintf(name, sizeof name, "v%u", version);
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return -1;
  if (fstat(fd, &st) == 0 && st.st_uid == geteuid()) return fd;
  close(fd);
  errno = EPERM; /* whoever uses it could not be told of a mark */
  return -1;
}

/* As nxc__index_open(). With NXC_E_FORMAT the directory is left open. */
static int open_sibling(int parent, unsigned version, nxc__sibling *out) {
  out->index = NULL;
  out->dir = open_dir(parent, version);
  if (out->dir < 0) return errno == ENOENT ? NXC_MISS : NXC_E_IO;
  int rc = version < NXC__FORMAT ? nxc__index_open_version(out->dir, version, &out->index)
                                 : nxc__index_peek(out->dir, version, &out->index);
  if (rc == NXC_OK || rc == NXC_E_FORMAT) return rc;
  int saved = errno;
  close(out->dir);
  errno = saved;
  return rc;
}

void nxc__sibling_close(nxc__sibling *s) {
  nxc__index_close(s->index);
  close(s->dir);
}

/* A damaged one: nobody can open it any more, and who has it open finds it gone. */
static void remove_damaged(nxc__sibling *s) {
  unlinkat(s->dir, "index", 0);
  nxc__sibling_close(s);
}

static int open_elder(int parent, uint64_t versions, nxc__sibling *out) {
  for (unsigned v = 1; v < NXC__FORMAT; v++) {
    if (!(versions >> v & 1)) continue;
    int rc = open_sibling(parent, v, out);
    if (rc == NXC_E_FORMAT) remove_damaged(out);
    if (rc != NXC_MISS && rc != NXC_E_FORMAT) return rc;
  }
  return NXC_MISS;
}

int nxc__elder_open(int parent, nxc__sibling *out) {
  uint64_t versions;
  int rc = list(parent, &versions);
  return rc == NXC_OK ? open_elder(parent, versions, out) : rc;
}

/* ---- the elder ----------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static void set_bound(nxc__plan *plan, uint64_t bytes, uint32_t tag_buckets) {
  plan->geometry = nxc__index_geometry(bytes, 0);
  plan->geometry.tag_buckets = tag_buckets;
}

void nxc__elder_divide(const nxc__sibling *elder, nxc__plan *plan) {
  const nxc__geometry *g = &elder->index->geometry;
  uint64_t known = larger(elder->index->header->whole_bytes, g->bound_bytes);

  plan->whole_bytes = larger(known, plan->geometry.bound_bytes);
  plan->elder = elder->index;
  plan->elder_bytes = plan->whole_bytes / 2;
  if (plan->elder_bytes > g->bound_bytes) plan->elder_bytes = g->bound_bytes;
  set_bound(plan, plan->whole_bytes - plan->elder_bytes, g->tag_buckets);
}

static void kill_index(nxc__index *x) {
  atomic_fetch_or(&x->header->epoch, NXC__EPOCH_DEAD);
}

static void end_index(const nxc__sibling *s) {
  kill_index(s->index);
  nxc__index_unlink(s->dir, s->index);
}

/* From here on the marks are in `x`. A process that dies in the middle leaves a dead
 * elder behind, and the next one begins anew. */
static void take_over(nxc__index *x, const nxc__sibling *elder) {
  kill_index(elder->index);
  nxc__tags_take_over(x, elder->index);
  (void)nxc__index_flush(x);
  atomic_store(&x->header->elder, 0);
  (void)nxc__index_flush(x);
  nxc__index_sweep(elder->dir, elder->index);
  end_index(elder);
}

static bool same_family(const nxc__index *a, const nxc__index *b) {
  return memcmp(a->header->key, b->header->key, NXC__ID_SIZE) == 0;
}

static bool is_dead(const nxc__index *x) {
  return nxc__epoch_load(x) & NXC__EPOCH_DEAD;
}

/* Those who use the elder find it dead, and a smaller one with the same marks. Until they
 * have come to it, it must not look like one that nobody uses. */
static int shrink(nxc__index *x, const nxc__sibling *elder, const nxc__clock *clock) {
  uint64_t share = x->header->elder_bytes, whole = x->header->whole_bytes;
  nxc__index *smaller;
  int held;

  nxc__index_lock_replacing(elder->index);
  if (!nxc__index_is_named(elder->dir, elder->index)) return NXC_MISS;
  int rc = nxc__index_replace(elder->dir, elder->index, share, whole, nxc__clock_now(clock), &held);
  if (rc != NXC_OK) return rc;
  rc = nxc__index_open_version(elder->dir, elder->index->version, &smaller);
  close(held);
  if (rc != NXC_OK) return rc == NXC_E_FORMAT ? NXC_MISS : rc;
  if (same_family(smaller, x) && !is_dead(smaller)) {
    x->elder = smaller;
    return NXC_OK;
  }
  nxc__index_close(smaller);
  return NXC_MISS;
}

static int settle(nxc__index *x, nxc__sibling *elder, const nxc__clock *clock) {
  nxc__index *e = elder->index;
  bool obeys = atomic_load(&x->header->elder) == e->version;

  if (is_dead(e)) nxc__index_lock_replacing(e); /* somebody may be just doing it */
  if (!nxc__index_is_named(elder->dir, e)) return NXC_MISS;
  if (!same_family(e, x) || (!obeys && !is_dead(e))) return NXC_E_FORMAT;
  if (!obeys) { /* it was taken over, and its files were left */
    end_index(elder);
  } else if (is_dead(e) || nxc__index_claim(e)) {
    take_over(x, elder);
    return NXC_MISS; /* and see that nothing took its place meanwhile */
  } else if (e->geometry.bound_bytes > x->header->elder_bytes) {
    return shrink(x, elder, clock);
  } else {
    x->elder = e;
    elder->index = NULL;
  }
  return NXC_OK;
}

static int meet_elder(int parent, uint64_t versions, nxc__index *x, const nxc__clock *clock) {
  nxc__sibling elder;
  int rc = open_elder(parent, versions, &elder);

  if (rc == NXC_MISS) return atomic_load(&x->header->elder) ? NXC_E_FORMAT : NXC_OK;
  if (rc != NXC_OK) return rc;
  rc = settle(x, &elder, clock);
  nxc__sibling_close(&elder);
  return rc;
}

/* What was marked by a family that we do not know reaches us here, as "everything". */
static void disbelieve(nxc__index *x, const nxc__clock *clock) {
  nxc__tags_raise_floor(x, true, nxc__clock_now(clock));
  (void)nxc__index_flush(x);
}

int nxc__elder_tell(int parent, const nxc__index *dead, const nxc__clock *clock) {
  nxc__sibling elder;
  int rc = nxc__elder_open(parent, &elder);

  if (rc != NXC_OK) return rc == NXC_MISS ? NXC_OK : rc;
  if (!same_family(elder.index, dead)) disbelieve(elder.index, clock);
  nxc__sibling_close(&elder);
  return NXC_OK;
}

void nxc__elder_remove(int parent, nxc__index *x) {
  nxc__sibling elder = {.index = x->elder};
  if (!x->elder) return;
  kill_index(x->elder);
  elder.dir = open_dir(parent, x->elder->version);
  if (elder.dir < 0) return;
  end_index(&elder);
  close(elder.dir);
}

/* ---- the younger ones ------------------------------------------------------------ */

static void leave_half(const nxc__index *younger, nxc__plan *plan) {
  uint64_t wanted = plan->geometry.bound_bytes;
  uint64_t known = larger(younger->header->whole_bytes, younger->geometry.bound_bytes);

  plan->whole_bytes = larger(plan->whole_bytes, larger(known, wanted));
  if (wanted > plan->whole_bytes / 2) {
    set_bound(plan, plan->whole_bytes / 2, plan->geometry.tag_buckets);
  }
}

int nxc__younger_divide(int parent, nxc__plan *plan) {
  uint64_t versions;
  nxc__sibling younger;
  int rc = list(parent, &versions);

  for (unsigned v = NXC__FORMAT + 1; v < VERSIONS && rc == NXC_OK; v++) {
    if (!(versions >> v & 1)) continue;
    rc = open_sibling(parent, v, &younger);
    if (rc == NXC_OK && !nxc__index_claim(younger.index)) leave_half(younger.index, plan);
    if (rc == NXC_OK || rc == NXC_E_FORMAT) nxc__sibling_close(&younger);
    if (rc == NXC_MISS || rc == NXC_E_FORMAT) rc = NXC_OK;
  }
  return rc;
}

static int meet_younger(int parent, unsigned version, nxc__index *x, const nxc__clock *clock,
                        bool *shared) {
  nxc__sibling younger;
  int rc = open_sibling(parent, version, &younger);

  if (rc == NXC_E_FORMAT) {
    disbelieve(x, clock);
    remove_damaged(&younger);
  }
  if (rc != NXC_OK) return rc == NXC_MISS || rc == NXC_E_FORMAT ? NXC_OK : rc;
  bool used = !nxc__index_claim(younger.index);
  if (!same_family(younger.index, x)) {
    kill_index(younger.index); /* first, so that a mark is made there in time, or here */
    disbelieve(x, clock);
    end_index(&younger);
    *shared = *shared || used;               /* it will come back */
  } else if (!used && nxc__index_claim(x)) { /* we are alone: its bytes are ours */
    end_index(&younger);
    nxc__index_unclaim(x);
  } else {
    *shared = true;
  }
  nxc__sibling_close(&younger);
  return NXC_OK;
}

int nxc__siblings_meet(int parent, nxc__index *x, const nxc__clock *clock, bool *shared) {
  uint64_t versions;
  int rc = list(parent, &versions);

  *shared = false;
  if (rc == NXC_OK) rc = meet_elder(parent, versions, x, clock);
  if (x->elder) *shared = true;
  for (unsigned v = NXC__FORMAT + 1; v < VERSIONS && rc == NXC_OK; v++) {
    if (versions >> v & 1) rc = meet_younger(parent, v, x, clock, shared);
  }
  return rc;
}
