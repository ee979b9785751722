'use strict';
// Pages and results that were made from results which an invalidation overtook.
//
// Next.js lets a request use the result of a 'use cache' function that another
// request is generating already. What begins after an invalidation can so
// contain a result whose generation began before it. That shows when the
// result is stored: it is born dead, or stale. Whatever of this process carries
// its tags and was made while it was generated is then as old as it is: those
// stored later take its birth, those stored before are removed. A result that
// contains another carries all its tags; a page at least some, because a tag
// with a comma is two tags of a page.

const { theEngine } = require('./engine');

const REMEMBERED = 512;

const state = () => theEngine().remembered('dead-results', () => ({ results: [], made: [] }));

function remember(list, item) {
  list.push(item);
  if (list.length > REMEMBERED) list.shift();
}

const overlaps = (a, b) => a.began <= b.ended && b.began <= a.ended;
const carries = ({ tags, isResult }, { tags: inside }) =>
  isResult ? inside.every((tag) => tags.includes(tag)) : inside.some((tag) => tags.includes(tag));
const spoils = (result, made) => result.birth < made.birth && overlaps(result, made) && carries(made, result);

/**
 * The birth that a page or result gets: {key, tags, birth, began, ended, isResult},
 * with times on Next's clock.
 */
function birthOfMade(made) {
  const { results, made: all } = state();
  let { birth } = made;
  for (const result of results) if (spoils(result, made)) birth = Math.min(birth, result.birth);
  if (made.tags.length > 0) remember(all, { ...made, birth });
  return birth;
}

/** Notes a result that was born dead or stale; returns the keys of what it spoiled. */
function addDeadResult(result) {
  const { results, made: all } = state();
  remember(results, result);
  return all.filter((made) => spoils(result, made)).map((made) => made.key);
}

module.exports = { addDeadResult, birthOfMade };
