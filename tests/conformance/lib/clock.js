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

class Clock {
  #fd;
  #offsetMs;

  /** A clock that shows `startMs` now and goes on from there. */
  constructor(library, file, startMs) {
    this.#fd = fs.openSync(file, 'w');
    this.env = { LD_PRELOAD: library, CONFORMANCE_CLOCK: file };
    this.#write(Math.round(startMs - Date.now()));
  }

  now() {
    return Date.now() + this.#offsetMs;
  }

  /** Moves on to a moment; does nothing when it has passed already. */
  advanceTo(ms) {
    const offsetMs = Math.round(ms - Date.now());
    if (offsetMs > this.#offsetMs) this.#write(offsetMs);
  }

  close() {
    fs.closeSync(this.#fd);
  }

  #write(offsetMs) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(offsetMs) * 1000000n);
    fs.writeSync(this.#fd, bytes, 0, 8, 0);
    this.#offsetMs = offsetMs;
  }
}

module.exports = { build, Clock };
