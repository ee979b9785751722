'use strict';
// Optimised images (Next 16.2 and later, with `images.customCacheHandler`). They
// are large, many and cheap to lose beside pages, so they have a cache of
// their own below the directory of the other, with a bound of its own.
//
// They differ from pages in three ways: they have no tags, they belong to no
// build (the key says what the image was made from), and Next ages them by the
// wall clock and by the lifetime inside the value.

const { CLASSES } = require('./classes');
const { answers } = require('./kinds');
const { debug, reasonOf } = require('./log');
const { decode } = require('./codec');
const { theImages } = require('./engine');
const { wallNow } = require('./clock');

function miss(key, why) {
  debug?.('get', key, 'IMAGE', 'miss:', why);
  return null;
}

async function getImage(key) {
  const found = await theImages().get(key, CLASSES.images);
  if (!found.parts) return miss(key, reasonOf(found, 'dead'));
  const { value, cacheControl } = decode(found.parts);
  if (!answers('IMAGE', value)) return miss(key, 'another kind');
  debug?.('get', key, 'IMAGE', 'hit', found.inMemory ? 'memory' : 'disk');
  return { value, lastModified: found.created, cacheControl };
}

async function setImage(key, value, { cacheControl }) {
  const engine = theImages();
  const times = { birth: engine.birth(), created: wallNow() };
  const result = await engine.put(key, CLASSES.images, [], times, { value, cacheControl });
  debug?.('set', key, 'IMAGE', result);
}

module.exports = { getImage, setImage };
