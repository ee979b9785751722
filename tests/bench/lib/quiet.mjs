// Whether the machine has anything else to do. The load average remembers minutes, among them
// our own build: what counts are the processors in these seconds.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 3000;
const PATIENCE_MS = 180_000;
/** A machine without work of its own is well below. */
export const QUIET = 0.1;

/** Of all processors since they were started; waiting for a disk is idleness. */
function ticks() {
  const [user, nice, system, idle, waiting, ...interrupts] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/\s+/).slice(1, 9).map(Number);
  const busy = [user, nice, system, ...interrupts].reduce((sum, n) => sum + n, 0);
  return { busy, all: busy + idle + waiting };
}

/** The share of the processors that was busy, from 0 to 1. */
export async function busyShare(ms = LOOK_MS) {
  const before = ticks();
  await pause(ms);
  const after = ticks();
  return (after.busy - before.busy) / Math.max(1, after.all - before.all);
}

/** Waits for a quiet machine, but not for ever; answers the last share. */
export async function waitForQuiet(tell) {
  const end = Date.now() + PATIENCE_MS;
  let share = await busyShare();
  if (share > QUIET) tell(`the machine is busy (${Math.round(share * 100)} %): waiting at most ${PATIENCE_MS / 1000} s for it to end`);
  while (share > QUIET && Date.now() < end) share = await busyShare();
  return share;
}
