// What packing a record for another machine takes, by the codec in use and by those of
// Node.js: bytes, and µs of CPU each way. docs/performance.md has what was found.
//
//   codecs.mjs [FILE...]    also of these files
import { readFileSync } from 'node:fs';
import zlib from 'node:zlib';
import { entriesOf, GOAL_SHAPES } from './lib/entries.mjs';
import { requireOwn } from './lib/places.mjs';

const RECORDS = 20;
const ROUNDS = 7;
const BYTES = 4 * 2 ** 20; // a round packs so many
const { addon } = requireOwn('./lib/addon.js');
const { encode } = requireOwn('./lib/codec.js');
const { BROTLI_PARAM_QUALITY } = zlib.constants;

function ours(record) {
  const room = Buffer.allocUnsafe(record.length);
  return Buffer.from(room.subarray(0, addon.pack(record, room, false)));
}

const CODECS = {
  'LZ4, in use': [ours, (packed, size) => addon.unpack(packed, Buffer.allocUnsafe(size), false)],
  'Brotli 0': [(record) => zlib.brotliCompressSync(record, { params: { [BROTLI_PARAM_QUALITY]: 0 } }), (packed, size) => zlib.brotliDecompressSync(packed, { chunkSize: size + 64 })],
  'deflate 1': [(record) => zlib.deflateRawSync(record, { level: 1 }), (packed, size) => zlib.inflateRawSync(packed, { chunkSize: size + 64 })],
};

/** The records of so many entries, as they go to the server. */
function recordsOf(shape) {
  const native = addon.open({ memoryBytes: 2 ** 26 }, console.error);
  native.keepRecords(true);
  const records = entriesOf(shape, RECORDS).map(({ key, value, tags }) => {
    const { types, parts } = encode(value);
    native.put(key, 0, tags, types, parts, () => {});
    return native.takeRecord(0);
  });
  native.close();
  return records;
}

/** µs of CPU of one call: the least of some rounds. */
function cpuOf(work, items, bytes) {
  const calls = Math.ceil(BYTES / bytes);
  const times = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i += 1) work(items[i % items.length]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  });
  return Math.min(...times);
}

function show(label, records) {
  const size = records[0].length;
  for (const [name, [pack, unpack]] of Object.entries(CODECS)) {
    const packed = records.map(pack);
    const figures = [size, packed[0].length, `${((100 * packed[0].length) / size).toFixed(0)} %`, cpuOf(pack, records, size).toFixed(1), cpuOf((one) => unpack(one, size), packed.filter((_, i) => records[i].length === size), size).toFixed(1)];
    console.log(`| ${[label, name, ...figures].join(' | ')} |`);
  }
}

console.log('| | codec | bytes | packed | | µs to pack | µs to unpack |\n|---|---|--:|--:|--:|--:|--:|');
for (const shape of GOAL_SHAPES) show(shape, recordsOf(shape));
for (const file of process.argv.slice(2)) show(file.split('/').at(-1), [readFileSync(file)]);
