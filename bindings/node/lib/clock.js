'use strict';
// Two clocks. Next.js ages entries by a clock that is fixed when the process
// starts (performance.timeOrigin + performance.now()): steps of the wall clock
// do not move it, so two processes may differ for ever. Records carry wall
// time. Everything that crosses between Next and a record is translated here.
// (Next 14 looks at the wall clock itself.)
//
// The offset is a whole number of milliseconds and 0 until the clocks have
// really parted, so that fractional time stamps come back bit for bit.

const { isNextBefore } = require('./next');

const TOLERANCE_MS = 5;

let offset = 0;
let origin; // of Next's clock: found out at the first use, when Next is loaded; null where it looks at the wall

/** Wall time now, as records have it. */
const wallNow = () => Date.now();
/** The time that Next.js would call now. */
function nextNow() {
  if (origin === undefined) origin = isNextBefore(15) ? null : performance.timeOrigin;
  return origin === null ? wallNow() : origin + performance.now();
}

function currentOffset() {
  const before = nextNow();
  const apart = wallNow() - before;
  if (Math.abs(apart - offset) <= TOLERANCE_MS) return offset;
  // A process that was stopped between the two readings has measured nothing.
  if (nextNow() - before < TOLERANCE_MS / 2) offset = Math.abs(apart) > TOLERANCE_MS ? Math.round(apart) : 0;
  return offset;
}

const toWall = (next) => next + currentOffset();
const toNext = (wall) => wall - currentOffset();

module.exports = { nextNow, toNext, toWall, wallNow };
