'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inPackage } = require('./support');

const { nextNow, toNext, toWall } = inPackage('lib/clock.js');

/** Runs `body` with the wall clock moved. */
function withWallClock(stepMs, body) {
  const { now } = Date;
  Date.now = () => now.call(Date) + stepMs;
  try {
    return body();
  } finally {
    Date.now = now;
  }
}

test('while the clocks agree, times pass unchanged to the last bit', () => {
  for (const time of [1795343993136.7778, nextNow(), 0.1 + nextNow()]) {
    assert.equal(toWall(time), time);
    assert.equal(toNext(time), time);
  }
});

test('after a step of the wall clock, ages stay right', () => {
  for (const step of [3600000, -3600000, 90]) {
    withWallClock(step, () => {
      // Something stored ten seconds ago by a process whose clock agrees with the wall.
      const created = Date.now() - 10000;
      assert.ok(Math.abs(nextNow() - toNext(created) - 10000) < 10, `step ${step}`);
      // What Next calls now is now on the wall.
      assert.ok(Math.abs(toWall(nextNow()) - Date.now()) < 10, `step ${step}`);
    });
  }
});

test('fractional times come back to the last bit also while the clocks differ', () => {
  withWallClock(-3600000, () => {
    for (let i = 0; i < 500; i++) {
      const time = 1795343993136.7778 + i * 1.2345;
      assert.equal(toNext(toWall(time)), time);
    }
  });
});
