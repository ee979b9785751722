/* oracle.h - what the processes of both releases and the controller share: who began
 * and ended what, in stamps of one counter.
 */
#ifndef NXC_TEST_ORACLE_H
#define NXC_TEST_ORACLE_H

#include <stdatomic.h>
#include <stdint.h>

#define KEYS 120
#define TAGS 24
#define PROCESSES 6 /* the first half of release 1, the others of release 2 */

typedef _Atomic uint64_t word;

/* clang-format off */
#define COUNTS(X)                                                                     \
  X(gets) X(hits) X(stale) X(puts) X(marks) X(clears) X(judged) X(judged_fresh)       \
  X(ended) X(told) X(failed) X(violations)
/* clang-format on */

typedef struct oracle {
  word stamp;
  /* The stamp before the last mark of a tag that returned, and its wall time: whatever
   * was born before must be dead, or stale, in every process from then on. */
  struct {
    word dead, stale, dead_wall_ms;
  } tags[TAGS];
  word cleared; /* the same of clears */
  struct {
    _Atomic int stop; /* the process is asked to end */
  } processes[PROCESSES];
  struct { /* of each release */
#define X(name) word name;
    COUNTS(X)
#undef X
  } n[3];
} oracle;

static inline void raise_to(word *w, uint64_t value) {
  uint64_t seen = atomic_load(w);
  while (seen < value && !atomic_compare_exchange_weak(w, &seen, value)) continue;
}

static inline uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

#endif
