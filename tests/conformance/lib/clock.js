// The clock of the processes under test. See clock.c.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

/** Compiles clock.c into `folder` and gives the path of the shared object. */
function build(folder) {
  const library = path.join(folder, 'clock.so');
  const source = path.join(__dirname, '..', 'clock.c');
  execFileSync(process.env.CC ?? 'cc', ['-std=c11', '-O2', '-Wall', '-Wextra', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  return library;
}

/** A replay's time goes on so slowly that a call costs next to none of it. */
const SLOW = 100;

class Clock {
  #fd;
  #slowness;
  #momentMs;
  #writtenMs;

  /** A clock that shows `startMs` now and goes on from there. */
  constructor(library, file, startMs, slowness = SLOW) {
    this.#fd = fs.openSync(file, 'w');
    this.#slowness = slowness;
    this.env = { LD_PRELOAD: library, CONFORMANCE_CLOCK: file };
    this.#write(startMs);
  }

  now() {
    return this.#momentMs + (Date.now() - this.#writtenMs) / this.#slowness;
  }

  /** Moves on to a moment; does nothing when it has passed already. */
  advanceTo(ms) {
    if (ms > this.now()) this.#write(ms);
  }

  close() {
    fs.closeSync(this.#fd);
  }

  #write(momentMs) {
    this.#momentMs = momentMs;
    this.#writtenMs = Date.now();
    const numbers = [BigInt(momentMs) * 1000000n, BigInt(this.#writtenMs) * 1000000n, BigInt(this.#slowness)];
    fs.writeSync(this.#fd, new Uint8Array(BigInt64Array.from(numbers).buffer), 0, 24, 0);
  }
}

module.exports = { build, Clock };
