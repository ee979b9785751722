'use strict';
// What a cached function returned, as React writes it: rows of
//
//   <id> : <tag> <length> , <that many bytes>     T for text, others for typed arrays and the like
//   <id> : <tag> <text> \n                        the tag may be missing: then it is JSON
//
// with the id and the length in hexadecimal. The reader of Next.js decodes text
// of either form. The bytes of a typed array it does not: what a page is given is
// a view of what was read.

const COLON = 0x3a;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const LONG_TEXT = 0x54; // T

// What may stand behind the colon of a row of text: modules, hints, errors, the beginnings and ends
// of streams and iterables, and JSON, but for its words.
const TEXT = new Set(Buffer.from('IHERrXxC"[{-0123456789'));
const WORDS = ['true\n', 'false\n', 'null\n'];

function digitOf(byte) {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
}

/** Where a row of text ends whose tag is at `at`; -1 where it may be something else. */
function endOfText(bytes, at) {
  const end = bytes.indexOf(NEWLINE, at) + 1;
  if (end === 0) return -1;
  return TEXT.has(bytes[at]) || WORDS.includes(bytes.toString('latin1', at, end)) ? end : -1;
}

/** Where a row with a length ends, which is at `at`. */
function endOfLong(bytes, at) {
  let length = 0;
  let digit;
  while ((digit = digitOf(bytes[at])) !== -1) {
    length = 16 * length + digit;
    at += 1;
  }
  return bytes[at] === COMMA ? at + 1 + length : -1;
}

/**
 * Whether all of a Buffer is certain to be decoded, so that nothing that a page is given is a
 * view of it. A row of a kind that is not known here may be anything.
 */
function isAllText(bytes) {
  let at = 0;
  while (at !== -1 && at < bytes.length) {
    while (digitOf(bytes[at]) !== -1) at += 1;
    if (bytes[at] !== COLON) return false;
    at = bytes[at + 1] === LONG_TEXT ? endOfLong(bytes, at + 2) : endOfText(bytes, at + 1);
  }
  return at === bytes.length && at > 0;
}

module.exports = { isAllText };
