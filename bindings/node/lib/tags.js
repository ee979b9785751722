'use strict';
// Rules about tags that are Next's: where an entry's tags come from, how their
// text is compared, and what a call of revalidateTag asks for.

const TAGS_HEADER = 'x-next-cache-tags';

/**
 * The one spelling of a tag. Next writes the path tags of a prerendered page
 * percent-encoded and those of a page rendered at run time not always, so both
 * spellings must meet.
 */
function normalizeTag(tag) {
  const text = String(tag);
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
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

/** The tags that revalidatePath stands for. */
function pathTags(path, type) {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const tag = `_N_T_${trimmed}`;
  if (type) return [trimmed === '/' ? `${tag}${type}` : `${tag}/${type}`];
  if (trimmed === '/') return [tag, `${tag}index`];
  if (trimmed === '/index') return [tag, '_N_T_/'];
  return [tag];
}

module.exports = { deadAfterMs, headerTags, normalizeTags, pathTags };
