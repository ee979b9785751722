/* stats.h - counter rows of the index as the struct that people know. */
#ifndef NXC_STATS_H
#define NXC_STATS_H

#include "ring.h"

/* Fills the counters of *out from the words of one counter row, or a sum of rows. */
void nxc__stats_from(const uint64_t words[NXC__COUNTERS], nxc_stats *out);

/* The same from the sum over all rows. */
void nxc__stats_sum(const nxc__index *index, nxc_stats *out);

/* Adds what the process of a row has in memory now. */
void nxc__stats_add_gauges(const nxc__index *index, int row, nxc_stats *out);

/* Fills what *out says of the disk tier. */
void nxc__stats_disk(const nxc__index *index, const nxc__ring *ring, nxc_stats *out);

#endif
