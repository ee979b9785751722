/* times.c - histograms with four classes to an octave: a class is a fifth wide. */
#include "times.h"

#include <time.h>

#define SHORTEST_BITS 8 /* 256 ns */
#define ONE_IN 8

uint64_t nxc__time_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t nxc__time_sometimes(void) {
  static atomic_uint calls; /* of all threads: what is loaded later has no cheap storage for each */
  unsigned n = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return n % ONE_IN ? 0 : nxc__time_now();
}

static unsigned class_of(uint64_t ns) {
  if (ns >> SHORTEST_BITS == 0) return 0;
  unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
  unsigned quarter = (unsigned)(ns >> (octave - 2)) & 3;
  unsigned class = (octave - SHORTEST_BITS) * 4 + quarter;
  return class < NXC__TIME_WORDS ? class : NXC__TIME_WORDS - 1;
}

/* Where the class begins. */
static double start_of(unsigned class) {
  uint64_t octave = UINT64_C(1) << (SHORTEST_BITS + class / 4);
  return (double)octave * (1 + (class % 4) / 4.0);
}

void nxc__time_count(nxc__index *x, nxc__timed what, uint64_t began) {
  if (!began) return;
  unsigned class = class_of(nxc__time_now() - began);
  nxc__count(x, NXC__TIMES + (unsigned)what * NXC__TIME_WORDS + class, 1);
}

void nxc__times_sum(const nxc__index *x, nxc__timed what, nxc__times *out) {
  out->total = 0;
  for (unsigned i = 0; i < NXC__TIME_WORDS; i++) {
    out->counts[i] = nxc__counter_sum(x, NXC__TIMES + (unsigned)what * NXC__TIME_WORDS + i);
    out->total += out->counts[i];
  }
}

double nxc__times_quantile(const nxc__times *times, double share) {
  double wanted = share * (double)times->total, seen = 0;
  if (!times->total) return 0;
  for (unsigned i = 0; i < NXC__TIME_WORDS; i++) {
    double n = (double)times->counts[i];
    if (n > 0 && seen + n >= wanted) {
      double begin = i ? start_of(i) : 0;
      return begin + (start_of(i + 1) - begin) * (wanted - seen) / n;
    }
    seen += n;
  }
  return start_of(NXC__TIME_WORDS);
}
