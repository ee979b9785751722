'use strict';
// Values of Next.js <-> parts of records, without loss.
//
// A value becomes a description and parts. The description is the value as
// JSON with everything that JSON cannot say, or says slowly, replaced by 0;
// a list of fix-ups says what belongs there:
//
//   description = JSON of the fix-ups, if any, a line feed, JSON of the value    part 0, as text
//   fixup       = [path, code, argument?]      path = keys from the root
//     p  part `argument` as it is: a long string, or a Buffer
//     a  part `argument` as a Uint8Array that is no Buffer
//     u  undefined
//     n  the number NaN, Infinity, -Infinity or -0, by its text in `argument`
//     m  a Map, from the array of [key, value] that stands there
//     o  an object without prototype, from the object that stands there
//     v  part `argument`, read by v8.deserialize: dates, sets, bigints, …
//
// Fix-ups are listed inside out, so one pass in order applies them. Those of one
// page are mostly those of another: parsed once, they are found by their text. A value
// without them is ready when JSON.parse is. Text is Latin-1 where it can be
// (one byte per character, read without a copy), UTF-16 otherwise; so lone
// surrogates survive.

const v8 = require('node:v8');
const { BoundedMap } = require('./bounded-map');

const PART_TEXT_MIN = 512;
const DEPTH_MAX = 100;
const WRITTEN_MAX = 64;
const KNOWN_MAX = 256;
const KNOWN_TEXT_MAX = 1024;
const NOT_LATIN1 = /[^\x00-\xff]/;

class CodecError extends Error {}

const textType = (text) => (NOT_LATIN1.test(text) ? 'u' : 'l');

function areSame(fixups, others) {
  for (let f = 0; f < fixups.length; f++) {
    const [path, code, argument] = fixups[f];
    const [otherPath, otherCode, otherArgument] = others[f];
    if (code !== otherCode || argument !== otherArgument || path.length !== otherPath.length) return false;
    for (let i = 0; i < path.length; i++) if (path[i] !== otherPath[i]) return false;
  }
  return true;
}

// By how many they are, the fix-ups that were written last.
const written = [];

/** JSON of fix-ups, which takes as long as that of the value, and is mostly what it was the last time. */
function textOf(fixups) {
  const last = written[fixups.length];
  if (last !== undefined && areSame(fixups, last.fixups)) return last.text;
  const text = JSON.stringify(fixups);
  if (fixups.length < WRITTEN_MAX) written[fixups.length] = { fixups, text };
  return text;
}

class Encoder {
  types = 'l'; // part 0, the description, is written last
  parts = [undefined];
  fixups = [];
  #path = [];

  #part(type, value) {
    this.types += type;
    return this.parts.push(value) - 1;
  }

  #fix(code, argument) {
    this.fixups.push(argument === undefined ? [this.#path.slice(), code] : [this.#path.slice(), code, argument]);
    return 0;
  }

  /** What stands in the description for `value`. */
  encode(value) {
    switch (typeof value) {
      case 'string':
        return value.length < PART_TEXT_MIN ? value : this.#fix('p', this.#part(textType(value), value));
      case 'boolean':
        return value;
      case 'number':
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return this.#fix('n', Object.is(value, -0) ? '-0' : String(value));
      case 'undefined':
        return this.#fix('u');
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        return this.#foreign(value);
    }
  }

  #object(value) {
    if (this.#path.length > DEPTH_MAX) return this.#foreign(value);
    if (Array.isArray(value)) return this.#array(value);
    switch (Object.getPrototypeOf(value)) {
      case Object.prototype:
        return this.#plain(value);
      case null: {
        const plain = this.#plain(value);
        this.#fix('o');
        return plain;
      }
      case Map.prototype: {
        const entries = this.#array([...value]);
        this.#fix('m');
        return entries;
      }
      case Buffer.prototype:
        return this.#fix('p', this.#part('b', value));
      case Uint8Array.prototype:
        return this.#fix('a', this.#part('b', value));
      default:
        return this.#foreign(value);
    }
  }

  /** Copies an object only when something in it must be replaced. */
  #plain(object) {
    if (typeof object.toJSON === 'function') return this.#foreign(object);
    let copy = object;
    for (const key of Object.keys(object)) {
      const value = object[key];
      this.#path.push(key);
      const encoded = this.encode(value);
      this.#path.pop();
      if (encoded !== value) {
        if (copy === object) copy = { ...object };
        copy[key] = encoded; // an own property already, also where it is called __proto__
      }
    }
    return copy;
  }

  #array(array) {
    let copy = array;
    for (let i = 0; i < array.length; i++) {
      const value = array[i];
      if (value === undefined && !(i in array)) {
        return this.#foreign(array, i);
      }
      this.#path.push(i);
      const encoded = this.encode(value);
      this.#path.pop();
      if (encoded !== value) {
        if (copy === array) copy = array.slice();
        copy[i] = encoded;
      }
    }
    return copy;
  }

  /** What only V8's own serializer knows; it refuses functions and symbols. */
  #foreign(value) {
    let bytes;
    try {
      bytes = v8.serialize(value);
    } catch (error) {
      throw new CodecError(`a value at ${this.#path.join('.') || 'the top'} cannot be stored: ${error.message}`);
    }
    // Fix-ups that were made inside are of no use now.
    this.fixups = this.fixups.filter(([path]) => !this.#path.every((key, i) => path[i] === key));
    return this.#fix('v', this.#part('b', bytes));
  }

  finish(value) {
    const described = JSON.stringify(this.encode(value));
    const description = `${this.fixups.length > 0 ? textOf(this.fixups) : ''}\n${described}`;
    this.types = textType(description) + this.types.slice(1);
    this.parts[0] = description;
    return { types: this.types, parts: this.parts };
  }
}

/** {types, parts} for the addon's put. Throws CodecError for what has no value: functions, symbols. */
const encode = (value) => new Encoder().finish(value);

function fixed(code, argument, here, parts) {
  switch (code) {
    case 'p':
      return parts[argument];
    case 'a': {
      const bytes = parts[argument];
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    case 'u':
      return undefined;
    case 'n':
      return Number(argument);
    case 'm':
      return new Map(here);
    case 'o':
      return Object.setPrototypeOf(here, null);
    case 'v':
      return v8.deserialize(parts[argument]);
    default:
      throw new CodecError(`unknown fix-up ${JSON.stringify(code)}`);
  }
}

const knownFixups = new BoundedMap(KNOWN_MAX); // text -> fix-ups

function fixupsIn(text) {
  let fixups = knownFixups.get(text);
  if (fixups === undefined) {
    fixups = JSON.parse(text);
    // A text of its own: the other is a piece of a description, and would keep it.
    if (text.length <= KNOWN_TEXT_MAX) knownFixups.set(JSON.stringify(fixups), fixups);
  }
  return fixups;
}

/** The value that `encode` took, from the parts that the addon's get returned. */
function decode(parts) {
  const description = parts[0];
  const end = description.indexOf('\n');
  const root = [JSON.parse(description.slice(end + 1))];
  if (end === 0) return root[0];
  const fixups = fixupsIn(description.slice(0, end));
  for (let f = 0; f < fixups.length; f++) {
    const fixup = fixups[f]; // not taken apart: that would go through an iterator
    const path = fixup[0];
    let holder = root;
    let key = 0;
    for (let i = 0; i < path.length; i++) {
      holder = holder[key];
      key = path[i];
    }
    holder[key] = fixed(fixup[1], fixup[2], holder[key], parts);
  }
  return root[0];
}

module.exports = { CodecError, decode, encode };
