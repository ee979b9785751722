'use strict';
// Every kind of value that Next 14, 15 and 16 set, against every question that
// they ask: each question is answered by its own values, and by no other.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { appPage, captureWarnings, fakeBuild, fetchKey, fetchSet, fetchValue, freshCache, inPackage, runScript, temporaryDirectory } = require('./support');

const CacheHandler = inPackage('cache-handler.js');

let serverDistDir;
const request = () => new CacheHandler({ serverDistDir, revalidatedTags: [] });

beforeEach(() => {
  serverDistDir = fakeBuild();
  freshCache();
});

const headers = { 'x-next-cache-tags': '_N_T_/layout', 'x-number': 7, 'set-cookie': ['a=1', 'b=2'], 'x-nothing': undefined };
const redirect = { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/x', __N_REDIRECT_STATUS: 308 }, __N_SSG: true } };

// [name, value, what set is told, key]
const VALUES = [
  ['14 App page', { kind: 'PAGE', html: '<p>é', postponed: undefined, pageData: '0:rsc', headers, status: 200 }, { revalidate: 5 }],
  ['14 Pages page', { kind: 'PAGE', html: '<p>', postponed: undefined, pageData: { pageProps: { a: null } }, headers: {}, status: undefined }, { revalidate: false }],
  ['14 route handler', { kind: 'ROUTE', status: 203, body: Buffer.from([0, 255, 1]), headers }, { revalidate: 5 }],
  ['14 redirect', redirect, { revalidate: 5 }],
  ['14 not found', null, { revalidate: 5 }],
  ['App page', appPage([], { headers, status: 404, postponed: 'state' }), { kind: 'APP_PAGE', cacheControl: { revalidate: 5, expire: 10 } }],
  ['route handler', { kind: 'APP_ROUTE', status: 203, body: Buffer.alloc(0), headers }, { kind: 'APP_ROUTE', cacheControl: { revalidate: false } }],
  ['Pages page', { kind: 'PAGES', html: '<p>', pageData: { pageProps: {} }, headers: undefined, status: undefined }, { kind: 'PAGES', cacheControl: { revalidate: 5 } }],
  ['redirect', redirect, { kind: 'PAGES', cacheControl: { revalidate: 5 } }],
  ['not found', null, { kind: 'PAGES', cacheControl: { revalidate: 5 } }],
  ['fetch', fetchValue(), fetchSet(), fetchKey('f')],
  ['unstable_cache of undefined', { kind: 'FETCH', data: { headers: {}, body: undefined, status: 200, url: '' }, revalidate: 60 }, fetchSet(), fetchKey('u')],
  ['image', { kind: 'IMAGE', buffer: Buffer.from([1, 2]), etag: 'e', extension: 'webp', upstreamEtag: 'u', revalidate: 60 }, { kind: 'IMAGE', cacheControl: { revalidate: 60, expire: undefined } }, 'zFh2jb-_UY'],
];

const PAGES_14 = ['14 Pages page', '14 redirect', '14 not found', 'redirect', 'not found'];
const APP_14 = ['14 App page', '14 route handler'];

// [question, the values that answer it]
const QUESTIONS = [
  [{ kindHint: 'app' }, APP_14],
  [{ kindHint: 'pages' }, PAGES_14],
  [{}, [...APP_14, ...PAGES_14]],
  [{ kindHint: 'fetch', revalidate: 60, tags: [], softTags: [] }, ['fetch', 'unstable_cache of undefined']],
  [{ kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false }, ['App page']],
  [{ kind: 'APP_ROUTE' }, ['route handler']],
  [{ kind: 'PAGES' }, ['Pages page', 'redirect', 'not found', '14 redirect', '14 not found']],
  [{ kind: 'FETCH', revalidate: 60, tags: [], softTags: [] }, ['fetch', 'unstable_cache of undefined']],
  [{ kind: 'IMAGE', isFallback: false }, ['image']],
];

test('a value answers the questions for its kind, whole, and is a miss for all others', async () => {
  for (const [name, value, context, key = `/${name}`] of VALUES) {
    await request().set(key, value, context);
    for (const [question, answeredBy] of QUESTIONS) {
      const entry = await request().get(key, question);
      const which = `${name} asked for as ${JSON.stringify(question)}`;
      if (!answeredBy.includes(name)) assert.equal(entry, null, which);
      else assert.deepStrictEqual(entry.value, value, which);
    }
  }
});

test('a set of another kind than the key’s is refused, once in the log, and what was there stays', async () => {
  const warnings = captureWarnings();
  for (const [name, value, context, key = `/${name}`] of VALUES) {
    await request().set(key, value, context);
    for (const [other, wrong] of VALUES) {
      const isOther = context.kind && !QUESTIONS.some(([, answeredBy]) => answeredBy.includes(name) && answeredBy.includes(other));
      if (isOther) await request().set(key, wrong, context);
    }
    const question = QUESTIONS.find(([, answeredBy]) => answeredBy.includes(name))[0];
    assert.deepStrictEqual((await request().get(key, question)).value, value, name);
  }
  warnings.restore();
  assert.ok(warnings.lines.every((line) => /refused/.test(line)), warnings.lines.join('\n'));
  assert.equal(new Set(warnings.lines).size, warnings.lines.length, 'no line twice');
});

test('before 15.5.27 and 16.3.8 a set does not name its kind', async () => {
  for (const [name, value, context, key = `/${name}`] of VALUES) {
    if (context.fetchCache) continue;
    const { kind, ...unnamed } = context;
    await request().set(key, value, unnamed);
    const question = QUESTIONS.find(([{ kind: asked }, answeredBy]) => answeredBy.includes(name) && asked === kind)[0];
    assert.deepStrictEqual((await request().get(key, question)).value, value, name);
  }
});

test('Next 14 cannot poison a page with the fetch that it got by mistake', async () => {
  await request().set('/isr', fetchValue(), { revalidate: 3 });
  assert.equal(await request().get('/isr', { kindHint: 'app' }), null);
  await request().set(fetchKey('x'), { kind: 'PAGE', html: '', pageData: '' }, { revalidate: 3 });
  assert.equal(await request().get(fetchKey('x'), { kindHint: 'app' }), null);
});

test('what is no value at all is refused', async () => {
  const warnings = captureWarnings();
  for (const value of [undefined, {}, 'text', 7, { kind: 'FETCH' }, { kind: 'PAGE', html: '' }]) {
    for (const context of [{ kind: 'APP_PAGE' }, { kind: 'PAGES' }, { revalidate: 5 }]) await request().set('/x', value, context);
    await request().set(fetchKey('x'), value, fetchSet());
  }
  warnings.restore();
  for (const key of ['/x', fetchKey('x')]) {
    for (const [question] of QUESTIONS) assert.equal(await request().get(key, question), null);
  }
});

test('a page that another version of Next stored is a miss, a fetch is not', async () => {
  const dir = freshCache();
  const script = `
    const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
    const request = () => new CacheHandler({ serverDistDir: process.env.SERVER, revalidatedTags: [] });
    const page = { kind: 'APP_PAGE', html: 'page', rscData: Buffer.from(''), headers: {} };
    const value = { kind: 'FETCH', data: { headers: {}, body: 'eA==', status: 200, url: '' }, revalidate: 60 };
    const fetched = { kind: 'FETCH', revalidate: 60, tags: [], softTags: [] };
    (async () => {
      if (process.env.STORE) {
        await request().set('/p', page, { kind: 'APP_PAGE', cacheControl: { revalidate: 60 } });
        await request().set('${fetchKey('f')}', value, { fetchCache: true, tags: [] });
      }
      const answers = [await request().get('/p', { kind: 'APP_PAGE' }), await request().get('${fetchKey('f')}', fetched)];
      console.log(answers.map((answer) => (answer ? 'hit' : 'miss')).join(' '));
    })();`;
  const ask = async (version, env = {}) => {
    const cwd = projectWith(version);
    const { stdout, stderr } = await runScript(script, {
      cwd,
      env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB', SERVER: serverDistDir, ...env },
    });
    assert.equal(stderr, '');
    return stdout.trim();
  };
  assert.equal(await ask('15.5.29', { STORE: '1' }), 'hit hit');
  assert.equal(await ask('15.5.29'), 'hit hit');
  assert.equal(await ask('16.4.6'), 'miss hit');
  assert.equal(await ask('15.5.26'), 'miss hit', 'the keys are others, too');
});

/** A project that has a Next.js of this version installed, as far as its version goes. */
function projectWith(version) {
  const root = temporaryDirectory();
  fs.mkdirSync(path.join(root, 'node_modules/next'), { recursive: true });
  fs.writeFileSync(path.join(root, 'package.json'), '{}');
  fs.writeFileSync(path.join(root, 'node_modules/next/package.json'), JSON.stringify({ name: 'next', version }));
  return root;
}
