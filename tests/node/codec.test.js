'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { appPage, freshCache, inPackage } = require('./support');

const { CodecError, decode, encode } = inPackage('lib/codec.js');
const { theEngine } = inPackage('lib/engine.js');

/** Through the codec alone. */
const roundTrip = (value) => decode(encode(value).parts);

/** Through the record, memory tier and addon too. */
async function stored(value) {
  assert.equal(await theEngine().put('codec', 0, [], {}, value), 0);
  const found = await theEngine().get('codec', 0);
  assert.equal(found.result, 0);
  return decode(found.parts);
}

const text = (length, letter) => letter.repeat(length);

const VALUES = {
  'an App page': appPage(['a', 'b']),
  'an App page that postponed': appPage([], { postponed: text(9000, 'p'), status: 200, rscData: undefined }),
  'an App page without segments': appPage([], { segmentData: undefined }),
  'a route handler': {
    kind: 'APP_ROUTE',
    status: 203,
    body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    headers: { 'content-type': 'application/octet-stream', 'set-cookie': ['a=1', 'b=2'] },
  },
  'a Pages page': {
    kind: 'PAGES',
    html: text(60000, 'é'),
    pageData: { pageProps: { list: [1, 2.5, -1e300, null, { deep: [true, false] }], none: null } },
    headers: undefined,
    status: undefined,
  },
  'a redirect': { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/', __N_REDIRECT_STATUS: 307 }, __N_SSG: true } },
  'a not-found page': null,
  'a fetch': { kind: 'FETCH', data: { headers: {}, body: text(80000, 'Zm9v'), status: 200, url: '' }, revalidate: 60 },
  'unstable_cache of undefined': { kind: 'FETCH', data: { headers: {}, body: undefined, status: 200, url: '' }, revalidate: 31536000 },
  'an image': { kind: 'IMAGE', buffer: Buffer.alloc(200000, 7), etag: 'e', extension: 'avif', upstreamEtag: '', revalidate: 60 },
  'a kind of the future': {
    kind: 'HOLOGRAM',
    depth: 10n,
    at: new Date(1795343993136),
    seen: new Set(['a', Buffer.from('b')]),
    layers: new Map([[1, new Map([['x', [undefined, Buffer.alloc(0)]]])]]),
  },
  'nothing': undefined,
  'numbers': [0, -0, NaN, Infinity, -Infinity, 1795343993136.7778, 5e-324, 4294967294, Number.MAX_SAFE_INTEGER],
  'undefined, null and absent': { a: undefined, b: null, list: [undefined, null], nested: { a: undefined } },
  'lone surrogates': { short: 'a\ud800b', long: `\udfff${text(5000, 'x')}`, ['\ud834']: 1 },
  'text of every width': [text(511, 'a'), text(512, 'a'), text(70000, 'a'), text(600, 'ÿ'), text(600, 'Ā'), text(70000, '世'), ''],
  'bytes of every size': [0, 1, 511, 65535, 65536, 65537, 300000].map((size) => Buffer.alloc(size, 1)),
  'a plain Uint8Array': { small: new Uint8Array([1, 2, 3]), large: new Uint8Array(100000).fill(5) },
  'an object without prototype': Object.assign(Object.create(null), { a: undefined, b: { c: text(600, 'c') } }),
  'an own key called __proto__': JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
  'a long text under __proto__': Object.defineProperty({}, '__proto__', {
    value: text(600, 'x'),
    enumerable: true,
    writable: true,
    configurable: true,
  }),
  'a sparse array': [1, , 3],
  'an array with a long text': [text(600, 'a'), [text(600, 'b'), new Map([[text(600, 'k'), text(600, 'v')]])]],
  'control characters and NUL': '\u0000\u0001\u2028\u2029"\\/',
};

test('every kind of value comes back equal, through the codec', () => {
  for (const [name, value] of Object.entries(VALUES)) assert.deepStrictEqual(roundTrip(value), value, name);
});

test('every kind of value comes back equal, through the cache', async () => {
  freshCache();
  for (const [name, value] of Object.entries(VALUES)) assert.deepStrictEqual(await stored(value), value, name);
});

test('every kind of value comes back equal from disk', async () => {
  const dir = freshCache({ maxMemorySize: 0 });
  for (const [name, value] of Object.entries(VALUES)) await theEngine().put(name, 0, [], {}, value);
  freshCache({ dir, maxMemorySize: 0 });
  for (const [name, value] of Object.entries(VALUES)) {
    const found = await theEngine().get(name, 0);
    assert.equal(found.inMemory, false, name);
    assert.deepStrictEqual(decode(found.parts), value, name);
  }
});

test('the order of keys and of Map entries is kept', () => {
  const value = { z: undefined, a: 1, m: new Map([['z', 1], ['a', undefined]]), b: text(600, 'b') };
  assert.deepEqual(Object.keys(roundTrip(value)), ['z', 'a', 'm', 'b']);
  assert.deepEqual([...roundTrip(value).m.keys()], ['z', 'a']);
});

test('bytes come back as real Buffers', async () => {
  freshCache();
  const value = await stored(appPage([], { rscData: Buffer.alloc(100000, 3) }));
  assert.ok(Buffer.isBuffer(value.rscData));
  assert.ok(value.segmentData instanceof Map);
  assert.ok(Buffer.isBuffer(value.segmentData.get('/_tree')));
});

test('bytes that follow each other share one piece of memory', async () => {
  freshCache();
  for (const size of [1000, 100000]) { // copied, and lent by the entry
    const value = { html: text(600, 'h'), a: Buffer.alloc(size, 1), b: Buffer.alloc(0), c: Buffer.alloc(13, 2), text: text(600, 't'), d: Buffer.alloc(size, 3) };
    const found = await stored(value);
    assert.deepStrictEqual(found, value);
    assert.equal(found.a.buffer, found.c.buffer);
    assert.notEqual(found.a.buffer, found.d.buffer);
  }
});

test('values of nearly the same form are not taken for each other', () => {
  const long = text(600, 'l');
  const alike = [
    { a: undefined }, { b: undefined }, { a: NaN }, { a: Infinity }, { a: long }, { a: { b: undefined } }, { a: [undefined] },
    { a: undefined, b: long }, { a: long, b: undefined }, { a: long, b: Buffer.from(long) }, { a: long, c: Buffer.from(long) },
  ];
  for (const value of alike) {
    for (const other of alike) {
      roundTrip(value);
      assert.deepStrictEqual(roundTrip(other), other);
    }
  }
});

test('the value that is encoded is not changed', () => {
  const value = { a: undefined, list: [undefined, 'x'], deep: { html: text(600, 'h') }, map: new Map([['k', undefined]]) };
  const copy = structuredClone(value);
  encode(value);
  assert.deepStrictEqual(value, copy);
});

test('what has no value is refused by name', () => {
  assert.throws(() => encode({ headers: { f: () => 1 } }), { name: 'Error', message: /headers\.f cannot be stored/ });
  assert.throws(() => encode({ s: Symbol('s') }), CodecError);
});

test('what cannot be stored is not stored, and its old version goes', async () => {
  freshCache();
  await stored({ old: true });
  await assert.rejects(async () => theEngine().put('codec', 0, [], {}, { f() {} }), CodecError);
  assert.equal((await theEngine().get('codec', 0)).result, 2);
});

// ---- random values -------------------------------------------------------------------

/** A small generator with a seed, so that a failure can be repeated. */
function randomness(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const CHARACTERS = ['a', 'é', 'ÿ', 'Ā', '世', '\ud83d\ude00', '\ud800', '\udc00', '\u0000', '"', '\\', '$'];

function randomText(random) {
  const length = [0, 3, 40, 511, 512, 700][random(6)];
  const letters = random(3) ? CHARACTERS.slice(0, 3) : CHARACTERS;
  let out = '';
  while (out.length < length) out += letters[random(letters.length)];
  return out;
}

function randomValue(random, depth) {
  const leaf = depth <= 0 || random(3) === 0;
  switch (leaf ? random(9) : 9 + random(4)) {
    case 0: return null;
    case 1: return undefined;
    case 2: return random(2) === 0;
    case 3: return random(1000) - 500;
    case 4: return (random(1e9) - 5e8) / 7;
    case 5: return [NaN, Infinity, -Infinity, -0][random(4)];
    case 6: return randomText(random);
    case 7: return Buffer.alloc(random(2000), random(256));
    case 8: return new Uint8Array(random(50));
    case 9: return Array.from({ length: random(5) }, () => randomValue(random, depth - 1));
    case 10: return new Map(Array.from({ length: random(4) }, () => [randomText(random), randomValue(random, depth - 1)]));
    case 11: return Object.assign(Object.create(null), randomObject(random, depth));
    default: return randomObject(random, depth);
  }
}

function randomObject(random, depth) {
  const out = {};
  for (let i = random(6); i > 0; i--) {
    const key = ['__proto__', 'toString', '0', randomText(random)][random(4)];
    Object.defineProperty(out, key, {
      value: randomValue(random, depth - 1),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return out;
}

test('random values come back equal', async () => {
  freshCache();
  for (let seed = 1; seed <= 1500; seed++) {
    const value = randomValue(randomness(seed), 4);
    assert.deepStrictEqual(roundTrip(value), value, `seed ${seed}`);
    if (seed % 5 === 0) assert.deepStrictEqual(await stored(value), value, `seed ${seed}, stored`);
  }
});
