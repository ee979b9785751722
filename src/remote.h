/* remote.h - what processes tell of the tier that machines share. */
#ifndef NXC_REMOTE_H
#define NXC_REMOTE_H

#include "index.h"
#include "nextcache_admin.h"

/* As their twins in stats.h, of the tier that machines share. */
void nxc__remote_from(const uint64_t words[NXC__COUNTERS], nxc_remote *out);
void nxc__remote_sum(const nxc__index *index, nxc_remote *out);
void nxc__remote_add_gauges(const nxc__index *index, int row, int64_t now_ms, nxc_remote *out);

#endif
