'use strict';
// The parts of the shared tier that need no server.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { captureWarnings, eventually, inPackage, temporaryDirectory } = require('../node/support');

const { Breaker } = inPackage('lib/remote/breaker.js');
const { HEAD_BYTES, crc32, readHead, unwrap, wrap } = inPackage('lib/remote/envelope.js');
const { parseRemote } = inPackage('lib/remote/remote-config.js');
const { Promotions } = inPackage('lib/remote/promotions.js');
const { PutQueue } = inPackage('lib/remote/put-queue.js');
const { readEntry, readStream } = inPackage('lib/remote/invalidation-log.js');
const { Unsent } = inPackage('lib/remote/unsent.js');
const { Versions, versionOfId } = inPackage('lib/remote/versions.js');

test('ids order as versions; what is no id is none', () => {
  const ids = ['0-1', '5-0', '5-1', '5-4194303', '6-0', '1795407112281-3'];
  const versions = ids.map(versionOfId);
  assert.deepEqual([...versions].sort((x, y) => (x < y ? -1 : 1)), versions);
  for (const text of ['', '5', '5-', '-5', '5-5-5', '5-x', ' 5-5', '9'.repeat(30)]) assert.equal(versionOfId(text), undefined, text);
});

test('versions and births: both ways round down', () => {
  const versions = new Versions();
  [[10n, 200], [14n, 201], [15n, 207], [31n, 208]].forEach(([version, epoch]) => versions.add(version, epoch));
  assert.equal(versions.versionOf(199), undefined);
  assert.equal(versions.versionOf(203), 14n);
  assert.equal(versions.versionOf(9999), 31n);
  assert.equal(versions.birthOf(9n), undefined);
  assert.equal(versions.birthOf(14n), 201);
  assert.equal(versions.birthOf(30n), 207);
  assert.equal(versions.birthOf(99n), 208);
});

test('a directory that counts anew makes what was noted before void', () => {
  const versions = new Versions();
  versions.add(10n, 500);
  versions.add(11n, 3);
  assert.equal(versions.birthOf(10n), undefined);
  assert.equal(versions.birthOf(11n), 3);
});

test('many pairs are thinned, and reach back as far', () => {
  const versions = new Versions(64);
  for (let i = 1; i <= 10000; i++) versions.add(BigInt(i), i);
  assert.equal(versions.birthOf(1n), 1);
  assert.equal(versions.newest, 10000n);
  for (const version of [1n, 77n, 5000n, 9999n]) {
    assert.ok(versions.birthOf(version) <= Number(version));
    assert.ok(versions.versionOf(Number(version)) <= version);
  }
  const loaded = new Versions();
  loaded.load(JSON.parse(JSON.stringify(versions.save(16))));
  assert.equal(loaded.birthOf(1n), 1);
  assert.equal(loaded.newest, 10000n);
});

const recordOf = (size) => {
  const record = Buffer.alloc(size, 'some text that repeats ');
  record.writeBigUInt64LE(77n, 24);
  return record;
};
const wrapped = async (size) => wrap(Buffer.concat([Buffer.alloc(HEAD_BYTES), recordOf(size)]), 'abcdefgh', 123n);

test('a record comes out of its envelope as it went in, without its birth', async () => {
  for (const size of [64, 2047, 2048, 100000, 300000]) {
    const value = await wrapped(size);
    const head = readHead(value, 4 * 2 ** 20);
    assert.deepEqual([head.generation, head.version, head.size], ['abcdefgh', 123n, size]);
    const expected = recordOf(size);
    expected.writeBigUInt64LE(0n, 24);
    assert.deepEqual(await unwrap(value, head), expected);
    assert.equal(value.length < size, size >= 2048);
  }
});

test('every flipped bit, every cut and every stranger is refused', async () => {
  for (const size of [80, 9000]) {
    const value = await wrapped(size);
    for (let bit = 0; bit < value.length * 8; bit += size > 1000 ? 3 : 1) {
      value[bit >> 3] ^= 1 << (bit & 7);
      assert.equal(readHead(value, 4 * 2 ** 20), undefined, `bit ${bit}`);
      value[bit >> 3] ^= 1 << (bit & 7);
    }
    for (let end = 0; end < value.length; end += 7) assert.equal(readHead(value.subarray(0, end), 1e6), undefined);
    assert.equal(readHead(value, size - 1), undefined, 'larger than allowed');
  }
  for (const stranger of [null, undefined, 'text', 5, [], {}, Buffer.alloc(0), Buffer.alloc(1000)]) {
    assert.equal(readHead(stranger, 1e6), undefined);
  }
});

test('what does not get smaller goes as it is', async () => {
  for (const size of [3000, 300000]) {
    const record = crypto.randomBytes(HEAD_BYTES + size);
    const value = await wrap(Buffer.from(record), 'abcdefgh', 123n);
    assert.equal(value.length, HEAD_BYTES + size);
    assert.deepEqual((await unwrap(value, readHead(value, 1e6))).subarray(32), record.subarray(HEAD_BYTES + 32));
  }
});

/** A block of so many zeros, in as few bytes as there are: a literal, and a match one byte before it. */
function zeros(count) {
  const rest = count - 1 - 5 - 4 - 15; // the literal, the last five, and what the token says of the match
  const length = [...Buffer.alloc(Math.floor(rest / 255), 255), rest % 255];
  return Buffer.from([0x1f, 0, 1, 0, ...length, 0x50, 0, 0, 0, 0, 0]);
}

test('a body that unpacks to another size than was announced is refused', async () => {
  const size = 50 * 2 ** 20;
  const value = Buffer.concat([Buffer.alloc(HEAD_BYTES), zeros(size)]);
  const before = process.memoryUsage().rss;
  for (const announced of [1000, 300000, size - 1, size + 1]) {
    assert.equal(await unwrap(value, { codec: 2, size: announced }), undefined, `${announced} bytes`);
  }
  assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
  assert.ok((await unwrap(value, { codec: 2, size })).equals(Buffer.alloc(size)));
  assert.equal(await unwrap(Buffer.alloc(100, 7), { codec: 2, size: 1000 }), undefined);
});

test('a block that was cut or points outside is refused', async () => {
  const value = await wrapped(5000);
  const head = readHead(value, 1e6);
  for (let end = HEAD_BYTES; end < value.length; end++) {
    assert.equal(await unwrap(value.subarray(0, end), head), undefined, `cut at ${end}`);
  }
  const outside = Buffer.concat([Buffer.alloc(HEAD_BYTES), zeros(1000)]);
  for (const back of [2, 255]) { // 0 bytes before are zeros to LZ4, and wrong to the record's checksum
    outside[HEAD_BYTES + 2] = back;
    assert.equal(await unwrap(outside, { codec: 2, size: 1000 }), undefined, `${back} bytes before`);
  }
});

test('CRC-32 is that of everybody', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
});

test('the breaker opens after five failures, longer each time, and lets one call try', () => {
  let now = 0;
  const breaker = new Breaker({ now: () => now, random: () => 1 });
  for (let i = 0; i < 4; i++) breaker.failure();
  breaker.success();
  for (let i = 0; i < 4; i++) breaker.failure();
  assert.equal(breaker.allows(), true, 'not in a row');
  breaker.failure();
  const waits = [];
  for (let i = 0; i < 7; i++) {
    const began = now;
    while (!breaker.allows()) now += 10;
    waits.push(now - began);
    assert.equal(breaker.allows(), false, 'one at a time');
    breaker.failure();
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  for (let i = 0; i < 50; i++) breaker.failure(); // of calls that were under way
  assert.equal(breaker.openings, 8);
  now += 30000;
  assert.ok(breaker.allows());
  breaker.success();
  assert.ok(breaker.allows() && !breaker.isOpen);
});

test('the queue sends what came within a moment at once, the last value of a key, and drops beyond its bound', async () => {
  const batches = [];
  const queue = new PutQueue(async (makes) => void batches.push(makes.map((make) => make())));
  queue.add('a', 10, () => 'a1');
  queue.add('b', 10, () => 'b1');
  queue.add('a', 10, () => 'a2');
  queue.add('c', 40 * 2 ** 20, () => 'c1');
  assert.equal(queue.dropped, 1);
  await eventually(() => queue.bytes === 0);
  assert.deepEqual(batches, [['b1', 'a2']]);
});

test('the queue sends one batch after the other, so that values of a key keep their order', async () => {
  const sent = [];
  let arrive;
  const late = new Promise((resolve) => (arrive = resolve));
  const queue = new PutQueue(async (makes) => {
    sent.push(...makes.map((make) => make()));
    await late;
  });
  queue.add('a', 10, () => 'a1');
  await eventually(() => sent.length === 1);
  queue.add('a', 10, () => 'a2');
  queue.add('b', 10, () => 'b1');
  assert.equal(queue.bytes, 30);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(sent, ['a1']);
  arrive();
  await eventually(() => queue.bytes === 0);
  assert.deepEqual(sent, ['a1', 'a2', 'b1']);
});

test('the queue does not wait with what fills a batch, and makes none too large', async () => {
  const batches = [];
  const queue = new PutQueue(async (makes) => void batches.push(makes.length));
  for (let i = 0; i < 150; i++) queue.add(`k${i}`, 10, () => i);
  for (let i = 0; i < 3; i++) queue.add(`large ${i}`, 3 * 2 ** 20, () => i);
  await eventually(() => queue.bytes === 0);
  assert.equal(batches[0], 64);
  assert.equal(batches.reduce((sum, each) => sum + each), 153);
  assert.ok(batches.length >= 5, batches.join());
});

test('records wait together, are found meanwhile, and go when the key has another value', async () => {
  const calls = [];
  let put;
  const here = {
    putRecords: (records) => (calls.push(records), new Promise((resolve) => (put = resolve))),
    dropRecord: (record) => calls.push(`drop ${record}`),
  };
  const promotions = new Promotions(here);
  promotions.add('a', 'A');
  promotions.add('a', 'A');
  promotions.add('b', 'B');
  promotions.add('c', 'C');
  assert.equal(promotions.get('a'), 'A');
  promotions.delete('b');
  assert.equal(promotions.get('b'), undefined);
  await eventually(() => calls.length === 2);
  assert.deepEqual(calls.splice(0), ['drop B', ['A', 'C']]);
  assert.equal(promotions.get('a'), 'A', 'it is on its way');
  promotions.delete('a');
  assert.equal(promotions.get('a'), undefined);
  put();
  await eventually(() => calls.length === 2);
  assert.deepEqual(calls, ['drop A', 'drop C']);
  assert.equal(promotions.get('c'), undefined);
});

test('log entries: what cannot be understood says so', () => {
  const entry = (...fields) => readEntry([Buffer.from('5-1'), fields.map((field) => Buffer.from(field))]);
  assert.deepEqual({ ...entry('k', '0', 't', '["a"]') }, { id: '5-1', version: versionOfId('5-1'), tags: ['a'], deadAfterMs: 0 });
  assert.equal(entry('k', 'never', 't', '["a"]').deadAfterMs, Infinity);
  assert.equal(entry('k', 'begin', 'g', 'abcdefgh').begin, 'abcdefgh');
  for (const fields of [[], ['k', '0'], ['k', '-1', 't', '["a"]'], ['k', 'x', 't', '["a"]'], ['k', '0', 't', 'no json'],
    ['k', '0', 't', '{}'], ['k', '0', 't', '[5]'], ['k', 'begin']]) {
    const { tags, begin } = entry(...fields);
    assert.deepEqual([tags, begin], [undefined, undefined], fields.join());
  }
  for (const item of [null, [], ['x', []], [Buffer.from('OK')], 'OK']) assert.throws(() => readEntry(item));
});

test('the log in the shapes that protocols and clients give it', () => {
  const list = [[Buffer.from('5-1'), [Buffer.from('k'), Buffer.from('0'), Buffer.from('t'), Buffer.from('["a"]')]]];
  const name = Buffer.from('log');
  for (const reply of [[[name, list]], [name, list], new Map([[name, list]]), { log: list }]) {
    assert.deepEqual(readStream(reply).map(({ tags }) => tags), [['a']]);
  }
  assert.deepEqual(readStream(null), []);
  for (const reply of [[], {}, 'OK', 5, [[name]], [name], [name, 'x'], new Map()]) assert.throws(() => readStream(reply), JSON.stringify(reply));
});

test('unsent invalidations outlive their process, and are taken over once', async () => {
  const dir = temporaryDirectory();
  const lost = new Unsent(dir);
  lost.addMarks(['a', 'b'], Infinity);
  lost.addMarks(['a'], 0);
  const next = new Unsent(dir);
  const sent = [];
  await next.flush(async (what) => void sent.push(what));
  assert.deepEqual(sent, [{ deadAfterMs: 0, tags: ['a'] }, { deadAfterMs: Infinity, tags: ['b'] }]);
  assert.deepEqual(fs.readdirSync(path.join(dir, 'remote')), []);
  await new Unsent(dir).flush(() => assert.fail('sent already'));
});

test('the time that an unsent invalidation waited has passed of its deadline', async () => {
  const dir = temporaryDirectory();
  const unsent = new Unsent(dir);
  const { now } = Date;
  unsent.addMarks(['short'], 1000);
  unsent.addMarks(['long'], 100000);
  Date.now = () => now() + 5000;
  const sent = [];
  await new Unsent(dir).flush(async (what) => void sent.push(what));
  Date.now = now;
  assert.deepEqual(sent.map(({ tags }) => tags), [['short'], ['long']]);
  assert.equal(sent[0].deadAfterMs, 0);
  assert.ok(sent[1].deadAfterMs > 90000 && sent[1].deadAfterMs <= 95000);
});

test('what could not be sent again stays', async () => {
  const dir = temporaryDirectory();
  const unsent = new Unsent(dir);
  unsent.addMarks(['a'], 0);
  await assert.rejects(unsent.flush(async () => Promise.reject(new Error('still down'))));
  assert.equal(unsent.size, 1);
  await unsent.flush(async () => {});
  assert.equal(unsent.size, 0);
});

test('what a damaged file said may have been anything', async () => {
  for (const damaged of ['', '{"clear":false,"marks":[["a"', '{"clear":false}', '[]', 'null']) {
    const dir = temporaryDirectory();
    fs.mkdirSync(path.join(dir, 'remote'));
    fs.writeFileSync(path.join(dir, 'remote', 'unsent-0123456789abcdef'), damaged);
    const sent = [];
    await new Unsent(dir).flush(async (what) => void sent.push(what));
    assert.deepEqual(sent, [{ clear: true }], damaged);
    assert.deepEqual(fs.readdirSync(path.join(dir, 'remote')), []);
  }
});

test('what is invalidated again while it is sent is sent again', async () => {
  for (const [add, sent] of [
    [(unsent) => unsent.addMarks(['a'], 0), { tags: ['a'], deadAfterMs: 0 }],
    [(unsent) => unsent.addMarks(['a'], Infinity), { tags: ['a'], deadAfterMs: Infinity }],
    [(unsent) => unsent.addClear(), { clear: true }],
  ]) {
    const unsent = new Unsent(temporaryDirectory());
    add(unsent);
    // The answer comes after the next: what that is to invalidate may have been made in between.
    await unsent.flush(async () => add(unsent));
    assert.equal(unsent.size, 1);
    const again = [];
    await unsent.flush(async (what) => void again.push(what));
    assert.deepEqual(again, [sent]);
    assert.equal(unsent.size, 0);
  }
});

test('a directory that cannot be written keeps nothing from being sent', async () => {
  const dir = temporaryDirectory();
  fs.writeFileSync(path.join(dir, 'remote'), '');
  const unsent = new Unsent(dir);
  const log = captureWarnings();
  unsent.addMarks(['a'], 0);
  log.restore();
  assert.match(log.lines.join(), /this process ends: .*remote cannot be written \(EEXIST/);
  const sent = [];
  await unsent.flush(async (what) => void sent.push(what));
  assert.deepEqual(sent, [{ tags: ['a'], deadAfterMs: 0 }]);
  assert.equal(unsent.size, 0);
});

test('too many unsent tags become everything', async () => {
  const unsent = new Unsent(undefined);
  unsent.addMarks(Array.from({ length: 10001 }, (_, i) => `t${i}`), 0);
  const sent = [];
  await unsent.flush(async (what) => void sent.push(what));
  assert.deepEqual(sent, [{ clear: true }]);
});

test('the setting: addresses, clients, and what is wrong', () => {
  const defaults = { url: 'redis://h', client: undefined, prefix: 'nextcache', strict: false, build: false, unsureMs: 60000,
    connectMs: 200, getMs: 50, maxEntryBytes: 4 * 2 ** 20, maxTtlMs: 14 * 86400000 };
  assert.deepEqual(parseRemote('redis://h'), defaults);
  assert.deepEqual(parseRemote('valkeys://u:p@h:1/2?strict&prefix=shop&unsureSeconds=5'),
    { ...defaults, url: 'rediss://u:p@h:1/2', strict: true, prefix: 'shop', unsureMs: 5000 });
  assert.deepEqual(parseRemote({ url: 'redis://h', getMs: 20 }), { ...defaults, getMs: 20 });
  // The longest that the server takes.
  for (const ttl of ['Infinity', '1e300']) assert.equal(parseRemote(`redis://h?maxTtlSeconds=${ttl}`).maxTtlMs, 2 ** 50);
  assert.equal(parseRemote('redis://h?unsureSeconds=Infinity').unsureMs, Infinity);
  const client = { sendCommand() {}, duplicate() {} };
  assert.equal(parseRemote(client).client, client);
  assert.equal(parseRemote({ client, strict: true }).strict, true);
  for (const off of ['0', 'false', false]) assert.equal(parseRemote({ client, strict: off }).strict, false);
  for (const wrong of ['h:6379', 'http://h', 5, null, {}, { url: 'redis://h', foo: 1 }, { client: {} }, 'redis://h?prefix=a{b}',
    'redis://h?getMs=soon', { url: 5 }, 'redis:6379', 'valkey:6379', 'redis://h?strict=yes', { url: 'redis://h', build: 'on' },
    'redis://:p@ss/w@h', 'redis://u:12#ss@h', 'redis://u:12?ss@h', 'redis://h/name',
    'redis://h?getMs=Infinity', 'redis://h?connectMs=3e9']) assert.equal(parseRemote(wrong), undefined, JSON.stringify(wrong));
});
