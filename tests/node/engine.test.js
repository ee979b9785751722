'use strict';
// What an entry was decoded to is kept as long as somebody has it, and is given out
// again only for that very entry.
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { freshCache, inPackage, runScript } = require('./support');

const { OK, MISS, theEngine } = inPackage('lib/engine.js');

const TEXT = 'x'.repeat(10000);
const put = (key, text, tags = []) => theEngine().put(key, 1, tags, { birth: theEngine().birth() }, { text });
const stored = async (key, softTags) => (await theEngine().getStored(key, 1, softTags)).stored;

let dir;
beforeEach(() => {
  dir = freshCache();
});

test('an entry is decoded once', async () => {
  await put('k', TEXT);
  const first = await stored('k');
  assert.equal(first.text, TEXT);
  assert.equal(await stored('k'), first);
});

test('what is asked for again is the same for as long as somebody has it', async () => {
  await put('k', TEXT);
  await stored('k');
  await new Promise(setImmediate); // what is asked for once is not kept beyond this turn
  const again = await stored('k');
  await new Promise(setImmediate);
  assert.equal(await stored('k'), again);
});

test('a value that was replaced in the same turn is not given out', async () => {
  await put('k', TEXT);
  const [first, , second] = await Promise.all([stored('k'), put('k', 'new'), stored('k')]);
  assert.equal(first.text, TEXT);
  assert.ok([TEXT, 'new'].includes(second.text));
  assert.equal((await stored('k')).text, 'new');
});

test('a new version is another value', async () => {
  await put('k', TEXT);
  const first = await stored('k');
  await put('k', 'new');
  assert.equal((await stored('k')).text, 'new');
  assert.equal(first.text, TEXT);
});

test('a new version of another process is another value', async () => {
  await put('k', TEXT);
  assert.equal((await stored('k')).text, TEXT);
  const { code, stderr } = await runScript(
    `const engine = require(process.env.NXC_PACKAGE + '/lib/engine.js').theEngine();
     engine.configure({ dir: ${JSON.stringify(dir)}, maxDiskSize: '16MB' });
     Promise.resolve(engine.put('k', 1, [], { birth: engine.birth() }, { text: 'theirs' })).then(() => engine.close());`,
  );
  assert.equal(code, 0, stderr);
  assert.equal((await stored('k')).text, 'theirs');
});

test('a value that is known does not outlive its entry', async () => {
  await put('k', TEXT, ['t']);
  const first = await stored('k');
  const softly = await theEngine().getStored('k', 1, ['soft']);
  assert.equal(softly.stored, first);
  await theEngine().mark(['soft'], 0);
  assert.equal((await theEngine().getStored('k', 1, ['soft'])).result, MISS);
  assert.equal((await theEngine().getStored('k', 1)).result, OK);
  await theEngine().mark(['t'], 0);
  const found = await theEngine().getStored('k', 1);
  assert.equal(found.result, MISS);
  assert.equal(found.stored, undefined);
  await theEngine().clear();
  await put('k', 'after');
  assert.equal((await stored('k')).text, 'after');
});

test('values that nobody has are given back', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const text = 'y'.repeat(40000);
  for (let i = 0; i < 100; i++) {
    await put(`k${i}`, text);
    await stored(`k${i}`);
  }
  collect();
  await new Promise(setImmediate);
  collect();
  const before = process.memoryUsage();
  assert.equal((await stored('k7')).text, text);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 100; i++) await stored(`k${i}`);
  }
  await new Promise(setImmediate);
  collect();
  await new Promise(setImmediate);
  collect();
  const grown = process.memoryUsage().heapUsed - before.heapUsed;
  assert.ok(grown < 1e6, `${grown} bytes of heap are still held`);
});
