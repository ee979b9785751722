'use strict';
// The tier that machines share, in the text format of Prometheus. Its numbers
// are of the process that answers: others count for themselves.

// Name in remoteStats() -> [metric, what it is].
const COUNTERS = {
  gets: ['gets', 'Look-ups in the shared tier.'],
  hits: ['hits', 'Look-ups that it answered.'],
  misses: ['misses', 'Look-ups without an answer.'],
  failures: ['failures', 'Look-ups that failed.'],
  refused: ['refused', 'Entries from it that were not intact.'],
  tooOld: ['too_old', 'Entries from it that were invalidated.'],
  puts: ['puts', 'Entries that were sent to it.'],
  putFailures: ['put_failures', 'Entries that could not be sent.'],
  sent: ['invalidations_sent', 'Invalidations told to other machines.'],
  received: ['invalidations_received', 'Invalidations that other machines told.'],
  clears: ['clears', 'Times that everything was cleared, here or elsewhere.'],
  bytesIn: ['received_bytes', 'Bytes of entries that came.'],
  bytesOut: ['sent_bytes', 'Bytes of entries that went.'],
  dropped: ['dropped', 'Entries that were not sent because too many waited.'],
  breakerOpenings: ['breaker_openings', 'Times that it was given up for a while.'],
};
const GAUGES = {
  ready: ['ready', 'Whether it can be reached.'],
  latencySeconds: ['latency_seconds', 'How long a look-up takes, a moving mean.'],
  unsureSeconds: ['unsure_seconds', 'How long ago all invalidations of other machines were surely known.'],
  behind: ['behind', 'Whether invalidations are known that were not obeyed yet.'],
  breakerOpen: ['breaker_open', 'Whether it is given up for a while.'],
  queueBytes: ['queue_bytes', 'Bytes of entries that wait to be sent.'],
  unsent: ['unsent', 'Invalidations that other machines were not told of yet.'],
};

function lines(name, type, help, value) {
  if (!Number.isFinite(value)) return '';
  return `# HELP nextcache_remote_${name} ${help}\n# TYPE nextcache_remote_${name} ${type}\nnextcache_remote_${name} ${value}\n`;
}

/** The text for what engine.remoteStats() gives; '' without such a tier. */
function remoteMetrics(stats) {
  if (!stats) return '';
  const all = {
    ...stats,
    ready: stats.state === 'ready',
    latencySeconds: stats.latencyMs / 1000,
    unsureSeconds: stats.unsureMs / 1000,
  };
  const counters = Object.entries(COUNTERS).map(([key, [name, help]]) => lines(`${name}_total`, 'counter', help, Number(all[key])));
  const gauges = Object.entries(GAUGES).map(([key, [name, help]]) => lines(name, 'gauge', help, Number(all[key])));
  return [...counters, ...gauges].join('');
}

module.exports = { remoteMetrics };
