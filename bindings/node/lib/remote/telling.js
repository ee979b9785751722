'use strict';
// What this process tells of the shared tier to those who look at its directory, which
// are the metrics, the tool and the dashboard: nxc_remote in nextcache_admin.h.

// By the C names: what stats() of remote.js calls it. Only what a counter rose by is told.
const COUNTERS = {
  gets: 'gets',
  hits: 'hits',
  misses: 'misses',
  failures: 'failures',
  refused: 'refused',
  too_old: 'tooOld',
  puts: 'puts',
  put_failures: 'putFailures',
  dropped: 'dropped',
  sent: 'sent',
  received: 'received',
  clears: 'clears',
  bytes_in: 'bytesIn',
  bytes_out: 'bytesOut',
  breaker_openings: 'breakerOpenings',
};

const gaugesOf = (stats) => ({
  processes: 1,
  ready: Number(stats.state === 'ready'),
  breaker_open: Number(stats.breakerOpen),
  behind: Number(stats.behind),
  unsent: stats.unsent,
  queue_bytes: stats.queueBytes,
  p50_us: stats.latencyP50Ms * 1000,
  p99_us: stats.latencyP99Ms * 1000,
  unsure_ms: stats.unsureMs,
});

class Telling {
  #told = {};

  /** What is to be told now of what stats() says. */
  next(stats) {
    const numbers = gaugesOf(stats);
    for (const [name, key] of Object.entries(COUNTERS)) numbers[name] = stats[key] - (this.#told[key] ?? 0);
    this.#told = stats;
    return numbers;
  }
}

module.exports = { Telling };
