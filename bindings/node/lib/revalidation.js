'use strict';
// revalidateTag, updateTag and revalidatePath, as they reach the handlers.
//
// Next.js announces one revalidation up to four times: to each handler, and at
// the end of a server action once more, when the fresh render has been stored
// already. A repeat would expire that render. It is told from a new
// revalidation by the request's own list, which has the time of each. Next 14 has
// none: there a handler instance (one per request) ignores what it has announced
// before. The list of the edge runtime cannot be seen: there all count, because
// what after() revalidates once more is new.

const { forgetAnswers } = require('./answers');
const { BoundedMap } = require('./bounded-map');
const { nextNow } = require('./clock');
const { theEngine } = require('./engine');
const { debug } = require('./log');
const { currentWork, tellsWork } = require('./next');
const { deadAfterMs, normalizeTags } = require('./tags');
const { shared } = require('./shared');
const { tagsToMark } = require('./page-tags');

const TAGS_MAX = 10000;

// When this process last heard of a tag, repeats included, on Next's clock.
const heard = () => shared('revalidation.heard', () => new BoundedMap(TAGS_MAX));

const announcedBy = () => shared('revalidation.announced', () => new WeakMap());

/** When the request itself says that it revalidated a tag; undefined if it cannot say. */
function revalidatedAt(work, tag) {
  let latest;
  for (const item of work?.pendingRevalidatedTags ?? []) {
    if (item.tag === tag && typeof item.revalidatedAt === 'number') latest = Math.max(latest ?? 0, item.revalidatedAt);
  }
  return latest;
}

/** Whether a request has announced this before, and has not revalidated the tag since. */
function isRepeat(announced, id, at) {
  const before = announced.get(id);
  return before !== undefined && (at === undefined || at <= before);
}

const idOf = (tag, deadAfter) => `${deadAfter}:${tag}`;

/** The tags of a call that are no repeat among what the request has `announced` before. */
function withoutRepeats(tags, deadAfter, announced, work) {
  if (!announced) return tags;
  return tags.filter((tag) => !isRepeat(announced, idOf(tag, deadAfter), revalidatedAt(work, tag)));
}

function noteAnnounced(tags, deadAfter, owner, work) {
  if (!announcedBy().has(owner)) announcedBy().set(owner, new Map());
  for (const tag of tags) announcedBy().get(owner).set(idOf(tag, deadAfter), revalidatedAt(work, tag) ?? nextNow());
}

/**
 * Marks tags for all processes. `instance` is the handler instance, where
 * there is one per request. The promise, where there is one, is of durable marks.
 */
function revalidateTags(tags, durations, instance) {
  const list = typeof tags === 'string' ? [tags] : Array.isArray(tags) ? tags : [];
  if (list.length === 0) return undefined;
  const deadAfter = deadAfterMs(durations);
  const work = currentWork();
  const owner = work ?? (tellsWork() ? undefined : instance);
  const fresh = withoutRepeats(list, deadAfter, owner && announcedBy().get(owner), work);
  // Before everything that only this process must know: all others obey it from here on.
  const marking = theEngine().mark(tagsToMark(fresh), deadAfter);
  forgetAnswers(); // a repeat changes what Next must be told of the time
  if (owner) noteAnnounced(fresh, deadAfter, owner, work);
  for (const tag of normalizeTags(list)) heard().set(tag, Math.ceil(nextNow()));
  debug?.('revalidateTag', list, durations, fresh.length < list.length ? 'repeat' : '');
  return marking;
}

/**
 * The lastModified of an entry that the core calls fresh. Next.js compares it
 * with a list of its own, which knows the time of the last announcement, and
 * would expire what was rendered between two of them, or in the same
 * millisecond. The core has counted, not timed: the entry is younger. `tags`
 * tells its tags, and is asked where anything was announced.
 */
function lastModifiedOfFresh(lastModified, tags) {
  const times = heard();
  if (times.size === 0) return lastModified;
  return tags().reduce((latest, tag) => Math.max(latest, times.get(tag) ?? 0), lastModified);
}

module.exports = { lastModifiedOfFresh, revalidateTags };
