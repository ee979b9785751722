// Compares two encoded values and lists where they differ.
'use strict';

const isTree = (node) => node !== null && typeof node === 'object' && !Array.isArray(node) && !('$t' in node);
const isUndefined = (node) => node === undefined || node?.$t === 'undefined';

/** [{path, expected, actual}], empty when equal in type and content. The order
 * of keys does not matter, nor that of a Map's entries; a field that is absent
 * and one that is undefined are two things. */
function compare(expected, actual, path = '') {
  if (isTree(expected) && isTree(actual)) return compareFields(expected, actual, path);
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((item, index) => compare(item, actual[index], `${path}[${index}]`));
  }
  if (expected?.$t === 'Map' && actual?.$t === 'Map') {
    return compareFields(Object.fromEntries(expected.entries), Object.fromEntries(actual.entries), path);
  }
  return JSON.stringify(expected) === JSON.stringify(actual) ? [] : [{ path, expected, actual }];
}

function compareFields(expected, actual, path) {
  const fields = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...fields].flatMap((field) => {
    const inner = path ? `${path}.${field}` : field;
    if (field in expected && field in actual) return compare(expected[field], actual[field], inner);
    return [{ path: inner, expected: fieldOf(expected, field), actual: fieldOf(actual, field) }];
  });
}

const fieldOf = (tree, field) => (field in tree ? tree[field] : { $t: 'absent' });

/** The replay and the recording do not take equally long over a call, so what
 * a handler read from its clock, or from a file, may be off by so much. */
const CLOCK_TOLERANCE_MS = 600;

const sameMoment = (expected, actual) => Math.abs(expected - actual) <= CLOCK_TOLERANCE_MS;
const isMiss = (answer) => answer === null || isUndefined(answer);

/** Compares hit and miss, and what two hits hold by `inside`. */
function compareHits(expected, actual, inside) {
  if (isMiss(expected) && isMiss(actual)) return [];
  if (!isMiss(expected) && !isMiss(actual)) return inside(expected, actual);
  const name = (answer) => (isMiss(answer) ? 'miss' : 'hit');
  return [{ path: '(answer)', expected: name(expected), actual: name(actual) }];
}

/** The answers of two singular gets. Beside `value` Next reads fields by name,
 * so there undefined is as good as absent. */
function compareAnswers(expected, actual) {
  const strip = (answer) => Object.fromEntries(Object.entries(answer).filter(([name, field]) => name === 'value' || !isUndefined(field)));
  const differences = compareHits(expected, actual, () => compare(strip(expected), strip(actual)));
  return differences.filter(({ path, expected, actual }) => path !== 'lastModified' || !sameMoment(expected, actual));
}

/** The answers of two plural gets: exact to the fraction of a millisecond. */
const compareEntries = (expected, actual) => compareHits(expected, actual, compare);

/** Two answers that are moments. */
const compareMoments = (expected, actual) => (sameMoment(expected, actual) ? [] : compare(expected, actual, '(moment)'));

module.exports = { compare, compareAnswers, compareEntries, compareMoments };
