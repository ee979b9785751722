/* history.h - what the dashboard's plots show: a sample of the counters each second. */
#ifndef NXC_HISTORY_H
#define NXC_HISTORY_H

#include "cli.h"

/* Takes a sample, of one thread; NULL: there was nothing to be read. */
void cli_history_add(const nxc_stats *stats);

/* The samples after the given number, on any thread: {fields, samples: [[number, time_ms,
 * value of each field...]]}; one without values is a second in which no cache was there. */
json_t *cli_history_json(uint64_t since);

#endif
