'use strict';
// A record as a value on the server: a head of 32 bytes, and the record's own bytes,
// packed or not. What comes back is not trusted: every field is checked, nothing is
// unpacked beyond the size that was announced, and the record is checked again by the
// core, with its full key.
//
//   0  "NXE1"   4  codec (0 as it is, 2 a block of LZ4), then 3 bytes of 0
//   8  u32 size of the record          12  u32 CRC-32 of all the rest
//  16  8 bytes, the generation of the log    24  u64 version    32  body

const zlib = require('node:zlib');
const { addon } = require('../addon');

const HEAD_BYTES = 32;
const CRC_AT = 12;
const BIRTH_AT = 24; // in a record: docs/format.md
const MAGIC = 0x3145584e;
const PLAIN = 0;
const PACKED = 2; // 1 was Brotli, of another family of names

// Measured on pages and fetches of 2 to 560 KB (docs/performance.md): a fetch of 2 KB is packed
// to 56 % in 1.7 µs and unpacked in 0.4, one of 50 KB to 30 % in 43 and 13.
const PACK_MIN_BYTES = 2048;
// Above this the pool's round trip is cheap beside the work.
const POOL_MIN_BYTES = 256 * 1024;

/** Where a record is packed into, or unpacked, in one call, and taken from at once. */
let scratch;

const TABLE = zlib.crc32 ? undefined : Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/** zlib.crc32, which Node has since 20.15. */
function crc32(bytes, before = 0) {
  if (!TABLE) return zlib.crc32(bytes, before);
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const checksum = (bytes) => crc32(bytes.subarray(CRC_AT + 4), crc32(bytes.subarray(0, CRC_AT)));

/** The value for a record that stands behind HEAD_BYTES of room: a Buffer, now or as a promise. Writes into the room. */
function wrap(room, generation, version) {
  const record = room.subarray(HEAD_BYTES);
  record.writeBigUInt64LE(0n, BIRTH_AT); // means nothing elsewhere
  if (record.length < PACK_MIN_BYTES) return finish(room, PLAIN, record.length, generation, version);
  const finished = (made, packed) =>
    made === 0
      ? finish(room, PLAIN, record.length, generation, version)
      : finish(behindRoom(packed.subarray(0, made)), PACKED, record.length, generation, version);
  if (record.length < POOL_MIN_BYTES) {
    const packed = scratchOf(record.length);
    return finished(addon.pack(record, packed, false), packed);
  }
  const packed = Buffer.allocUnsafeSlow(record.length);
  return Promise.resolve(addon.pack(record, packed, true)).then((made) => finished(made, packed));
}

function scratchOf(size) {
  scratch ??= Buffer.allocUnsafeSlow(POOL_MIN_BYTES);
  return scratch.subarray(0, size);
}

function behindRoom(body) {
  const value = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  body.copy(value, HEAD_BYTES);
  return value;
}

/** Writes the head before a body that stands behind its place. */
function finish(value, codec, size, generation, version) {
  value.writeUInt32LE(MAGIC, 0);
  value.writeUInt32LE(codec, 4);
  value.writeUInt32LE(size, 8);
  value.write(generation, 16, 8, 'latin1');
  value.writeBigUInt64LE(version, 24);
  value.writeUInt32LE(checksum(value), CRC_AT);
  return value;
}

/** {generation, version, codec, size} of a value; undefined when it is not intact. */
function readHead(value, maxBytes) {
  if (!Buffer.isBuffer(value) || value.length <= HEAD_BYTES) return undefined;
  if (value.readUInt32LE(0) !== MAGIC || (value[4] !== PLAIN && value[4] !== PACKED) || value[5] || value[6] || value[7]) return undefined;
  const size = value.readUInt32LE(8);
  if (size < HEAD_BYTES || size > maxBytes) return undefined;
  if (value[4] === PLAIN && size !== value.length - HEAD_BYTES) return undefined;
  if (value.readUInt32LE(CRC_AT) !== checksum(value)) return undefined;
  return {
    generation: value.latin1Slice(16, 24),
    version: value.readBigUInt64LE(24),
    codec: value[4],
    size,
  };
}

/**
 * The record of a value whose head was read, now or as a promise; undefined when it does
 * not unpack to its size. To be read before the next one is asked for.
 */
function unwrap(value, { codec, size }) {
  const body = value.subarray(HEAD_BYTES);
  if (codec === PLAIN) return body;
  if (size < POOL_MIN_BYTES) {
    const record = scratchOf(size);
    return addon.unpack(body, record, false) === size ? record : undefined;
  }
  const record = Buffer.allocUnsafeSlow(size);
  return Promise.resolve(addon.unpack(body, record, true)).then((made) => (made === size ? record : undefined));
}

/** Gives a record the birth that it has here. */
function writeBirth(record, birth) {
  record.writeBigUInt64LE(BigInt(birth), BIRTH_AT);
}

module.exports = { HEAD_BYTES, crc32, readHead, unwrap, wrap, writeBirth };
