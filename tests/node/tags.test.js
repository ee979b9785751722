'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inPackage } = require('./support');

const { deadAfterMs, headerTags, normalizeTags, pathTag } = inPackage('lib/tags.js');

test('durations become deadlines', () => {
  const rows = [
    [undefined, 0],
    [null, 0],
    [{ expire: 0 }, 0],
    [{ expire: 60 }, 60000],
    [{ expire: 31536000 }, 31536000000],
    [{ expire: undefined }, Infinity],
    [{}, Infinity],
    [{ expire: Infinity }, Infinity],
    [{ expire: -5 }, 0],
    [{ expire: 'soon' }, Infinity],
  ];
  for (const [durations, ms] of rows) assert.equal(deadAfterMs(durations), ms, JSON.stringify(durations));
});

test('tags of a page come from its header', () => {
  const page = (header) => ({ headers: { 'x-next-cache-tags': header } });
  assert.deepEqual(headerTags(page('a,b,_N_T_/layout')), ['a', 'b', '_N_T_/layout']);
  assert.deepEqual(headerTags(page(['a,b', 'c'])), ['a', 'b', 'c']);
  assert.deepEqual(headerTags(page('')), []);
  assert.deepEqual(headerTags(page('a,,b')), ['a', 'b']);
  assert.deepEqual(headerTags({ headers: undefined }), []);
  assert.deepEqual(headerTags({}), []);
  assert.deepEqual(headerTags(null), []);
});

test('all spellings of a tag are one', () => {
  const rows = [
    ['_N_T_/u/h%C3%A9llo%20w', '_N_T_/u/héllo w'],
    ['_N_T_/u/héllo w', '_N_T_/u/héllo w'],
    ['caf%C3%A9', 'café'],
    ['_N_T_/blog/a/', '_N_T_/blog/a'],
    ['_N_T_/', '_N_T_/'],
    ['_N_T_/index', '_N_T_/'],
    ['_N_T_/index/index', '_N_T_/index/index'],
    ['t/', 't/'],
    ['100%', '100%'],
    ['%', '%'],
    ['_N_T_/%C3%A9-100%', '_N_T_/é-100%'], // revalidatePath('/é-100%') of 16
    ['_N_T_/%C3%A9-100%25', '_N_T_/é-100%'],
    ['%FF%C3', '%FF%C3'],
    ['a,b', 'a,b'],
    [5, '5'],
  ];
  for (const [written, one] of rows) assert.deepEqual(normalizeTags([written]), [one]);
  assert.deepEqual(normalizeTags('one'), ['one']);
  assert.deepEqual(normalizeTags(undefined), []);
});

test('a tag with a comma is one tag of a fetch, and two of a page, as in Next', () => {
  assert.deepEqual(normalizeTags(['a,b']), ['a,b']);
  assert.deepEqual(headerTags({ headers: { 'x-next-cache-tags': 'a,b' } }), ['a', 'b']);
});

test('paths become the tags that Next gives its pages', () => {
  const rows = [
    [['/blog/a'], '_N_T_/blog/a'],
    [['/blog/a/'], '_N_T_/blog/a'],
    [['/'], '_N_T_/'],
    [['/index'], '_N_T_/'],
    [['/', 'layout'], '_N_T_/layout'],
    [['/', 'page'], '_N_T_/page'],
    [['/blog/[slug]', 'page'], '_N_T_/blog/[slug]/page'],
    [['/blog/', 'layout'], '_N_T_/blog/layout'],
  ];
  for (const [args, tag] of rows) assert.deepEqual(normalizeTags([pathTag(...args)]), [tag], args.join(' '));
});
