'use strict';
// A clock for child processes: real time, moved on and stepped at will.
// ../conformance/clock.c tells how it works.

const fs = require('node:fs');
const path = require('node:path');
const { build } = require('../conformance/lib/clock.js');
const { temporaryDirectory } = require('./support');

let library;

class SteppedClock {
  #movedMs = 0;
  #steppedMs = 0;

  constructor() {
    library ??= build(temporaryDirectory());
    this.file = path.join(temporaryDirectory(), 'clock');
    this.env = { LD_PRELOAD: library, CONFORMANCE_CLOCK: this.file };
    this.#write('w');
  }

  /** Time passes. */
  move(ms) {
    this.#movedMs += ms;
    this.#write('r+');
  }

  /** The wall clock is set to another time; the steady clocks are not. */
  step(ms) {
    this.#steppedMs += ms;
    this.#write('r+');
  }

  #write(flag) {
    const ns = (ms) => BigInt(ms) * 1000000n;
    const now = Date.now();
    const numbers = BigInt64Array.of(ns(now + this.#movedMs), ns(now), 1n, ns(this.#steppedMs));
    fs.writeFileSync(this.file, new Uint8Array(numbers.buffer), { flag });
  }
}

module.exports = { SteppedClock };
