'use strict';
// Cached results that travel inside a partially prerendered page.
//
// `postponed` ends with the resume data cache: results of 'use cache' functions
// and fetches which Next.js takes when it finishes the page, without asking any
// handler. Their tags need not be tags of the page. So they are judged with the
// page, and dropped when one of them is dead; Next then asks the handlers.
//
//   postponed = <n> ":" <n characters of React's state> <resume data>
//   resume data = "null", or JSON, or base64 of zlib of JSON:
//     { store: { cache: { [key]: { entry: { tags, … } } }, fetch: { … }, … } }

const { inflateSync } = require('node:zlib');
const { normalizeTags } = require('./tags');

const NONE = 'null';
const INFLATED_MAX = 64 * 2 ** 20;

/** Where the resume data begins; -1 when the text has another form. */
function startOfResumeData(postponed) {
  const match = /^(\d+):/.exec(postponed);
  if (!match) return -1;
  const start = match[0].length + Number(match[1]);
  return start <= postponed.length ? start : -1;
}

/** The same state without resume data. */
function withoutResumeData(postponed) {
  const start = startOfResumeData(postponed);
  return start === -1 ? postponed : postponed.slice(0, start) + NONE;
}

/** Tags of the results inside; undefined when they cannot be read. */
function resumeTags(postponed) {
  const start = startOfResumeData(postponed);
  if (start === -1) return undefined;
  const text = postponed.slice(start);
  if (text === NONE || text === '') return [];
  try {
    const json = text.startsWith('{')
      ? text
      : inflateSync(Buffer.from(text, 'base64'), { maxOutputLength: INFLATED_MAX }).toString();
    const results = Object.values(JSON.parse(json).store.cache ?? {});
    return [...new Set(results.flatMap((result) => normalizeTags(result?.entry?.tags)))];
  } catch {
    return undefined;
  }
}

module.exports = { resumeTags, withoutResumeData };
