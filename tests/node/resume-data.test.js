'use strict';
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const { deflateSync } = require('node:zlib');
const { appPage, fakeBuild, freshCache, inPackage, pageGet, pageSet } = require('./support');

const { resumeTags, withoutResumeData } = inPackage('lib/resume-data.js');
const CacheHandler = inPackage('cache-handler.js');

const STATE = '["slug"][1,{"héllo":"12:34"}]';
const dataOf = (tags) => JSON.stringify({ store: { fetch: {}, cache: { k: { entry: { value: 'eA==', tags } } } } });
const postponedWith = (text) => `${STATE.length}:${STATE}${text}`;
const deflated = (tags) => deflateSync(dataOf(tags)).toString('base64');

test('tags are found in both forms of resume data', () => {
  assert.deepEqual(resumeTags(postponedWith('null')), []);
  assert.deepEqual(resumeTags(postponedWith(deflated(['a', 'b', 'a']))), ['a', 'b']);
  assert.deepEqual(resumeTags(postponedWith(dataOf(['a']))), ['a']);
  for (const text of ['', 'no number', '99999:x', postponedWith('!!!'), postponedWith('{"torn')]) {
    assert.equal(resumeTags(text) ?? undefined, undefined, text);
  }
});

test('without resume data the state stays as it is', () => {
  assert.equal(withoutResumeData(postponedWith(deflated(['a']))), postponedWith('null'));
  assert.equal(withoutResumeData(postponedWith('null')), postponedWith('null'));
  assert.equal(withoutResumeData('another form'), 'another form');
});

const PAGE = '/route-cache/APP_PAGE/0/$/page';
let serverDistDir;
const request = () => new CacheHandler({ serverDistDir });

beforeEach(() => {
  serverDistDir = fakeBuild();
  freshCache();
});

test('a page loses its resume data when a result inside is dead, and only then', async () => {
  const postponed = postponedWith(deflated(['page', 'inside']));
  const ppr = { isRoutePPREnabled: true };
  await request().set(PAGE, appPage(['page'], { postponed }), pageSet(undefined, ppr));
  const ask = async () => (await request().get(PAGE, pageGet(ppr)))?.value.postponed;
  assert.equal(await ask(), postponed);
  await request().revalidateTag('other');
  assert.equal(await ask(), postponed);
  await request().revalidateTag('inside');
  assert.equal(await ask(), postponedWith('null'));
  await request().revalidateTag('page');
  assert.equal(await ask(), undefined);
});
