// The encoding of the traces: JSON with a {"$t": …} object for what JSON cannot
// say. decode() makes the live value again, encode() the text form of whatever
// a handler answered, so that answers are compared type by type.
'use strict';

const crypto = require('node:crypto');

const LONG_STRING = 65536;

/** The live value of a recorded one. Streams become ReadableStreams. */
function decode(node) {
  if (Array.isArray(node)) return node.map(decode);
  if (node === null || typeof node !== 'object') return node;
  switch (node.$t) {
    case undefined:
      return Object.fromEntries(Object.keys(node).filter((key) => key !== '$keys').map((key) => [key, decode(node[key])]));
    case 'undefined':
      return undefined;
    case 'Buffer':
      return Buffer.from(node.b64, 'base64');
    case 'Uint8Array':
      return new Uint8Array(Buffer.from(node.b64, 'base64'));
    case 'Map':
      return new Map(node.entries.map(([key, value]) => [key, decode(value)]));
    case 'number':
      return Number(node.v);
    case 'bigint':
      return BigInt(node.v);
    case 'string-trunc': // The recorder cut it: repeat what is known.
      return node.head.repeat(Math.ceil(node.len / node.head.length)).slice(0, node.len);
    case 'stream':
      return streamOf(node.chunks.map(decode));
    case 'Error':
      return Object.assign(new Error(node.message), { name: node.name });
    default:
      throw new Error(`unknown recorded type ${node.$t}`);
  }
}

function streamOf(chunks) {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      if (next === chunks.length) controller.close();
      else controller.enqueue(chunks[next++]);
    },
  });
}

/** The recorded form of a live value. Reads every stream in it to its end. */
async function encode(value) {
  switch (typeof value) {
    case 'undefined':
      return { $t: 'undefined' };
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $t: 'number', v: Object.is(value, -0) ? '-0' : String(value) };
    case 'bigint':
      return { $t: 'bigint', v: String(value) };
    case 'string':
      return value.length > LONG_STRING ? { $t: 'long-string', len: value.length, sha256: digest(value) } : value;
    case 'object':
      return value === null ? null : encodeObject(value);
    case 'function':
    case 'symbol':
      return { $t: typeof value };
    default:
      return value;
  }
}

async function encodeObject(value) {
  if (Array.isArray(value)) return Promise.all(value.map(encode));
  if (Buffer.isBuffer(value)) return { $t: 'Buffer', len: value.length, b64: value.toString('base64') };
  if (value instanceof Uint8Array) return { $t: 'Uint8Array', len: value.length, b64: Buffer.from(value).toString('base64') };
  if (value instanceof Map) return { $t: 'Map', entries: await Promise.all([...value].map(async ([k, v]) => [k, await encode(v)])) };
  if (value instanceof ReadableStream) return encodeStream(value);
  if (value instanceof Error) return { $t: 'Error', name: value.name, message: value.message };
  const out = {};
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) out.$class = prototype.constructor?.name;
  for (const key of Object.keys(value)) out[key] = await encode(value[key]);
  return out;
}

/** A stream counts by its bytes; how they are cut into chunks is its own affair. */
async function encodeStream(stream) {
  const chunks = [];
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) return { $t: 'stream', error: `chunk is not a Uint8Array but ${typeof chunk}` };
    chunks.push(chunk);
  }
  return { $t: 'stream', b64: Buffer.concat(chunks).toString('base64') };
}

const digest = (text) => crypto.createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex');

/** A recorded value as encode() would write it today. */
const normalise = (recorded) => encode(decode(recorded));

module.exports = { decode, encode, normalise, streamOf };
