/* times.h - how long things take, as histograms in the counter rows.
 *
 * Reading the clock is not free, so of what takes microseconds one in eight is timed.
 */
#ifndef NXC_TIMES_H
#define NXC_TIMES_H

#include "index.h"

/* Words of a counter row from here on: for each kind of step, four to an octave of
 * nanoseconds, the first for what takes 256 or less. */
#define NXC__TIMES 128
#define NXC__TIME_WORDS 96

typedef enum nxc__timed { NXC__TIMED_READ, NXC__TIMED_PUT, NXC__TIMED_MARK } nxc__timed;
_Static_assert(NXC__TIMES + (NXC__TIMED_MARK + 1) * NXC__TIME_WORDS <= NXC__GAUGES, "they fit");

/* The clock in nanoseconds; the second says 0, "not this time", to seven of eight. */
uint64_t nxc__time_now(void);
uint64_t nxc__time_sometimes(void);

/* Counts what began then and ends now; nothing for 0. */
void nxc__time_count(nxc__index *index, nxc__timed what, uint64_t began);

typedef struct nxc__times {
  uint64_t counts[NXC__TIME_WORDS], total;
} nxc__times;

/* The sum over all rows. */
void nxc__times_sum(const nxc__index *index, nxc__timed what, nxc__times *out);

/* The nanoseconds that a share (0 to 1) of all stays below, to a fifth of itself; 0 of
 * nothing. */
double nxc__times_quantile(const nxc__times *times, double share);

#endif
