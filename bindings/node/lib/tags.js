'use strict';
// Rules about tags that are Next's: where an entry's tags come from, how their
// text is compared, and what a call of revalidateTag asks for.

const TAGS_HEADER = 'x-next-cache-tags';
const PATH_TAG = '_N_T_';
const ROOT_TAG = '_N_T_/';
const INDEX_TAG = '_N_T_/index';

const ENCODED = /(?:%[0-9a-f]{2})+/gi;

/** What is percent-encoded in a tag; a "%" that stands for itself is no reason to leave the rest as it is. */
function decodedRun(run) {
  try {
    return decodeURIComponent(run);
  } catch {
    return run;
  }
}

const decoded = (text) => (text.includes('%') ? text.replace(ENCODED, decodedRun) : text);

/**
 * The one spelling of a tag. Next writes the path tags of a prerendered page
 * percent-encoded and those of a page rendered at run time not always, 15 and
 * 16 spell Unicode differently, only 16 takes the slash off a path that ends
 * in one, and "/" is at times called "/index": all spellings must meet.
 */
function normalizeTag(tag) {
  const text = decoded(String(tag));
  if (!text.startsWith(PATH_TAG)) return text;
  if (text === INDEX_TAG) return ROOT_TAG;
  return text.endsWith('/') && text !== ROOT_TAG ? text.slice(0, -1) : text;
}

function normalizeTags(tags) {
  if (typeof tags === 'string') return [normalizeTag(tags)];
  return Array.isArray(tags) ? tags.map(normalizeTag) : [];
}

/** The tags of a page or a route handler: they travel in a response header. */
function headerTags(value) {
  const header = value?.headers?.[TAGS_HEADER];
  if (Array.isArray(header)) return header.flatMap((line) => splitTags(line));
  return typeof header === 'string' ? splitTags(header) : [];
}

const splitTags = (line) => String(line).split(',').filter((tag) => tag !== '').map(normalizeTag);

/**
 * How long marked entries may still be served stale, in milliseconds: 0 is
 * dead now, Infinity stale without a deadline. `durations` is what Next passes:
 * undefined for "now", or an object whose `expire` is in seconds.
 */
function deadAfterMs(durations) {
  if (!durations) return 0;
  const seconds = durations.expire;
  if (seconds === undefined || seconds === null || Number.isNaN(Number(seconds))) return Infinity;
  return Math.max(0, Number(seconds) * 1000);
}

/** The tag that revalidatePath stands for, in the spelling of `path`. */
const pathTag = (path, type) => `${PATH_TAG}${path}${type ? `${path.endsWith('/') ? '' : '/'}${type}` : ''}`;

module.exports = { PATH_TAG, deadAfterMs, headerTags, normalizeTags, pathTag };
