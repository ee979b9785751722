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
      const began = performance.now();
      const age = nextNow() - toNext(Date.now() - 10000);
      // What Next calls now is now on the wall.
      const apart = toWall(nextNow()) - Date.now();
      const slack = 10 + performance.now() - began; // the clocks are read one after the other
      assert.ok(Math.abs(age - 10000) < slack, `step ${step}`);
      assert.ok(Math.abs(apart) < slack, `step ${step}`);
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
