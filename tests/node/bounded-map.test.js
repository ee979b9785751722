'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inPackage } = require('./support');

const { BoundedMap } = inPackage('lib/bounded-map.js');

test('beyond a small limit the oldest key is forgotten', () => {
  const map = new BoundedMap(3);
  for (const key of ['a', 'b', 'c']) map.set(key, key);
  map.set('a', 'anew');
  map.set('d', 'd');
  assert.deepEqual([...map], [['c', 'c'], ['a', 'anew'], ['d', 'd']]);
});

test('of a large one the newest are there, and never more than its limit', () => {
  const map = new BoundedMap(1000);
  for (let key = 0; key < 10000; key++) {
    map.set(key, key);
    assert.ok(map.size <= 1000);
    for (const newer of [key, key - 500, key - 900]) assert.equal(map.get(newer), newer < 0 ? undefined : newer);
  }
});

test('a key that is set again and again pushes nothing out', () => {
  const map = new BoundedMap(2);
  map.set('kept', 1);
  for (let i = 0; i < 100; i++) map.set('again', i);
  assert.equal(map.get('kept'), 1);
});
