'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inPackage } = require('./support');

const { BirthLog, PendingBirths } = inPackage('lib/births.js');

test('a set takes the birth of the get that led to it', () => {
  const pending = new PendingBirths();
  pending.begin('k', 5);
  assert.equal(pending.finish('other'), undefined);
  assert.equal(pending.finish('k').birth, 5);
  assert.equal(pending.finish('k'), undefined);
});

test('while several renders of a key are under way, the oldest birth counts for all', () => {
  const pending = new PendingBirths();
  pending.begin('k', 5);
  pending.begin('k', 7);
  assert.equal(pending.finish('k').birth, 5);
  assert.equal(pending.finish('k').birth, 5);
  pending.begin('k', 9);
  assert.equal(pending.finish('k').birth, 9);
});

test('the log answers with what was seen at or before a moment', () => {
  const log = new BirthLog();
  log.add(10, 100);
  log.add(10, 150);
  log.add(12, 200);
  const rows = [[99, undefined], [100, 10], [199.9, 10], [200, 12], [1e15, 12]];
  for (const [time, birth] of rows) assert.equal(log.at(time), birth, String(time));
});

test('the log is bounded, and forgets its oldest part', () => {
  const log = new BirthLog(8);
  for (let i = 1; i <= 100; i++) log.add(i, i);
  assert.equal(log.at(100), 100);
  assert.equal(log.at(98), 98);
  assert.equal(log.at(50), undefined);
});
