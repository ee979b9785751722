// The wall clock of a machine that exists only for the processes which get its
// environment: stepped, it jumps for all of them at once, and their monotonic
// clocks go on as if nothing had happened. See ../../conformance/clock.c.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { workFolder } from './install.mjs';

const { build } = createRequire(import.meta.url)('../../conformance/lib/clock.js');
const NS_PER_MS = 1_000_000n;

let library;

export class WallClock {
  #file = join(workFolder, `clock-${process.pid}`);

  constructor() {
    library ??= build(workFolder);
    this.fd = openSync(this.#file, 'w');
    this.env = { LD_PRELOAD: library, CONFORMANCE_CLOCK: this.#file };
    // The true time, at its true speed.
    const now = BigInt(Date.now()) * NS_PER_MS;
    this.#write([now, now, 1n, 0n], 0);
  }

  /** Puts the clock `ms` before or behind the true time. */
  step(ms) {
    this.#write([BigInt(ms) * NS_PER_MS], 24);
  }

  close() {
    closeSync(this.fd);
    rmSync(this.#file);
  }

  #write(numbers, position) {
    writeSync(this.fd, new Uint8Array(BigInt64Array.from(numbers).buffer), 0, 8 * numbers.length, position);
  }
}
