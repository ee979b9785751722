import { randomUUID } from 'node:crypto';
import { cacheLife, readsByteStreams } from './cache';

// Results that React sends as bytes. A page may be given a view of what the handler returned.

const LENGTH = 64;
const VIEWS = {
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array,
  BigUint64Array, DataView,
};
const STREAM = 'stream of bytes';

export const KINDS = [...Object.keys(VIEWS), 'ArrayBuffer', ...(readsByteStreams ? [STREAM] : [])];

function counted(kind) {
  const bytes = Uint8Array.from({ length: LENGTH }, (_, i) => i);
  if (kind === 'ArrayBuffer') return bytes.buffer;
  if (kind !== STREAM) return new VIEWS[kind](bytes.buffer);
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Bytes that count up; the text before them moves the place in the result where they begin. */
export async function bytesOf(kind, shift) {
  'use cache';
  cacheLife('hours');
  return { made: randomUUID(), text: 'x'.repeat(1024 + shift), content: counted(kind) };
}

/** The memory of what a page was given. */
export async function memoryOf(content) {
  if (content instanceof ArrayBuffer) return new Uint8Array(content);
  if (ArrayBuffer.isView(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  return (await content.getReader().read()).value;
}

export const isCounted = (bytes) => bytes.length === LENGTH && bytes.every((byte, i) => byte === i);
