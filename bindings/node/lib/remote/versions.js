'use strict';
// Versions and births. A version is the id of an entry of the invalidation log: the
// server counts them, so they compare without comparing two clocks. A birth is the
// epoch of the local cache. They are two names of one moment: "everything that was
// invalidated until then has been obeyed".
//
//   applied up to version   10    14    15    31
//   local epoch after it    200   201   207   208
//
// What began at epoch 203 had obeyed the log up to 14: that is the version it carries
// to other machines. An entry of version 14 that comes from there is born here at 201:
// so that the local marks of 15 and 31 judge it as if it had been here all the time.
// Both ways round down, so an entry may look older than it is, never younger.

const SEQUENCE_BITS = 22n;
const ID = /^(\d{1,15})-(\d{1,10})$/;

/** A stream id as a number that orders like it; undefined for what is no id. */
function versionOfId(id) {
  const match = ID.exec(id);
  return match ? (BigInt(match[1]) << SEQUENCE_BITS) + BigInt(match[2]) : undefined;
}

/** When a version was given, by the server's clock. */
const msOfVersion = (version) => Number(version >> SEQUENCE_BITS);

/** The place of the last of `sorted` that is at most `value`; -1 when all are greater. */
function lastAtMost(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

class Versions {
  #versions = [];
  #epochs = [];
  #limit;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  get newest() {
    return this.#versions.at(-1);
  }

  /** Notes that the log is obeyed up to `version`, and the epoch read after that. */
  add(version, epoch) {
    // A directory that was replaced counts anew: nothing from before compares.
    if (epoch < this.#epochs.at(-1)) this.clear();
    if (version < this.newest) return;
    this.#versions.push(version);
    this.#epochs.push(epoch);
    if (this.#versions.length <= this.#limit) return;
    [this.#versions, this.#epochs] = this.#thinned(this.#limit >> 1);
  }

  clear() {
    this.#versions = [];
    this.#epochs = [];
  }

  /** Fewer pairs make moments coarser, and reach back as far. */
  #thinned(wanted) {
    const last = this.#versions.length - 1;
    const step = Math.ceil(this.#versions.length / wanted);
    const stays = (_, i) => i % step === 0 || i === last;
    return [this.#versions.filter(stays), this.#epochs.filter(stays)];
  }

  /** The version that content born at an epoch has obeyed; undefined when too old. */
  versionOf(birth) {
    return this.#versions[lastAtMost(this.#epochs, birth)];
  }

  /** The epoch that stood here when a version was the newest; undefined when too old. */
  birthOf(version) {
    return this.#epochs[lastAtMost(this.#versions, version)];
  }

  /** At most `limit` pairs, to be kept over a restart. */
  save(limit = 256) {
    const [versions, epochs] = this.#thinned(limit);
    return versions.map((version, i) => [String(version), epochs[i]]);
  }

  load(pairs) {
    this.clear();
    for (const [version, epoch] of pairs) this.add(BigInt(version), epoch);
  }
}

module.exports = { Versions, msOfVersion, versionOfId };
