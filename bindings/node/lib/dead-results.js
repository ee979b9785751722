'use strict';
// Pages made from results that were dead on arrival.
//
// Next.js lets a request use the result of a 'use cache' function that another
// request is generating already. A page rendered after an invalidation can so
// contain a result whose generation began before it. That shows when the
// result is stored: it is born dead. Pages of this process that carry such a
// tag and whose render overlapped the generation are then as old as it is:
// those stored later take its birth, those stored before are removed.

const { shared } = require('./shared');

const REMEMBERED = 256;

const state = () => shared('dead-results', () => ({ results: [], pages: [] }));

function remember(list, item) {
  list.push(item);
  if (list.length > REMEMBERED) list.shift();
}

const overlaps = (a, b) => a.began <= b.ended && b.began <= a.ended;
const sharesTag = (a, b) => a.tags.some((tag) => b.tags.includes(tag));
const spoils = (result, page) => result.birth < page.birth && overlaps(result, page) && sharesTag(result, page);

/**
 * The birth that a page gets: {key, tags, birth, began, ended}, with times on
 * Next's clock.
 */
function birthOfPage(page) {
  const { results, pages } = state();
  if (page.tags.length > 0) remember(pages, page);
  let { birth } = page;
  for (const result of results) if (spoils(result, page)) birth = Math.min(birth, result.birth);
  return birth;
}

/** Notes a result that was born dead; returns the keys of the pages it spoiled. */
function addDeadResult(result) {
  const { results, pages } = state();
  remember(results, result);
  return pages.filter((page) => spoils(result, page)).map((page) => page.key);
}

module.exports = { addDeadResult, birthOfPage };
