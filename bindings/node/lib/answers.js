'use strict';
// Answers that may be given again. A popular key is asked for many times a
// second, and as long as nothing has changed its answer is the same: then one
// short question to the core takes the place of a look-up and of everything
// that is worked out from what it found.
//
// An answer is given again while
//   - the core says that no process has put, removed, marked or cleared since,
//   - its lifetime, its revalidation and every deadline of a mark lie ahead,
//   - it is younger than a second: then a look-up tells the memory tier that
//     the entry is in use, and notices a clock that was set,
//   - it is asked for in the same way, with the same tags,
//   - and the value that was handed out is still there.
// What this process alone knows (a failed render, its own revalidations, its
// configuration) is not among these: whoever changes that calls forget().

const { BoundedMap } = require('./bounded-map');
const { debug } = require('./log');
const { shared } = require('./shared');

const KEYS_MAX = 8192;
const YOUNG_MS = 1000;
const FROM = 9; // of an answer's terms; the next is when it ends

const kept = shared('answers', () => new BoundedMap(KEYS_MAX));

const copied = (tags) => (Array.isArray(tags) ? [...tags] : undefined);

/** Compared by what they hold: Next may add to an array that it passed before. */
function isSameList(list, before) {
  if (before === undefined) return list === undefined;
  if (!Array.isArray(list) || list.length !== before.length) return false;
  for (let i = 0; i < before.length; i++) if (list[i] !== before[i]) return false;
  return true;
}

class Answer {
  constructor({ context, directory, classId }, found, answer, freshMs) {
    this.kind = context.kind;
    this.kindHint = context.kindHint;
    this.isFallback = context.isFallback;
    this.isRoutePPREnabled = context.isRoutePPREnabled;
    this.revalidate = context.revalidate;
    this.tags = copied(context.tags);
    this.softTags = copied(context.softTags);
    this.directory = directory;
    this.value = new WeakRef(answer.value);
    this.hasLifetime = 'cacheControl' in answer;
    this.terms = [...found.stamp, classId, 0, 0]; // in the order of the addon
    this.renew(found, answer, freshMs);
  }

  /** What was worked out anew for the same question and value. */
  renew({ stamp, deadAt, created, revalidate }, { lastModified, cacheControl }, freshMs) {
    const { terms } = this;
    const now = Date.now();
    for (let i = 0; i < stamp.length; i++) terms[i] = stamp[i];
    terms[FROM] = now;
    terms[FROM + 1] = Math.min(now + Math.min(YOUNG_MS, freshMs), deadAt, created + revalidate);
    this.lastModified = lastModified;
    this.cacheControl = cacheControl;
  }

  isTo(context, directory) {
    return (
      context.kind === this.kind &&
      context.kindHint === this.kindHint &&
      context.isFallback === this.isFallback &&
      context.isRoutePPREnabled === this.isRoutePPREnabled &&
      context.revalidate === this.revalidate &&
      directory === this.directory &&
      isSameList(context.tags, this.tags) &&
      isSameList(context.softTags, this.softTags)
    );
  }

  given(value) {
    const { lastModified, cacheControl } = this;
    return this.hasLifetime ? { value, lastModified, cacheControl } : { value, lastModified };
  }
}

/** The answer to a question that was answered a moment ago, or undefined. */
function answerAgain(engine, key, context, directory) {
  const answer = kept.get(key);
  if (answer === undefined || !answer.isTo(context, directory)) return undefined;
  const value = answer.value.deref();
  if (value === undefined || !engine.unchanged(answer.terms)) return undefined;
  return answer.given(value);
}

/**
 * Keeps an answer to the question {key, context, directory, classId}, worked
 * out at this moment from what the core found. After `freshMs`, if not before,
 * it would be another one. Not where each get is to have its line in the log.
 */
function keepAnswer(asked, found, answer, freshMs = Infinity) {
  if (debug) return;
  const isRepeated = found.parts === true; // what is asked for once, as by a crawler, is not worth keeping
  if (!isRepeated || !found.stamp || answer.value === null) return;
  const before = kept.get(asked.key);
  if (before?.isTo(asked.context, asked.directory) && before.value.deref() === answer.value) before.renew(found, answer, freshMs);
  else kept.set(asked.key, new Answer(asked, found, answer, freshMs));
}

/** To be called where an answer depends on something that has changed in this process. */
function forgetAnswers() {
  if (kept.size > 0) kept.clear();
}

module.exports = { answerAgain, forgetAnswers, keepAnswer };
