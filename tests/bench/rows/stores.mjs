// The disk tier alone, beside LMDB and a file per entry, all in C: where the
// Node.js figures come from.
import { numbersOf, storeTableInMemory, storeTables } from '../lib/programs.mjs';
import { digits } from '../lib/statistics.mjs';

export const title = 'stores: put and get in C';
export const about = `store_bench: the stores take turns in small rounds. "put+" is ours while entries that were read get their second lives; "lmdb+"
verifies a checksum, as ours does; "alone" is nothing but the \`pwrite\` or the \`pread\` of the same bytes.`;

const NUMBER = 15;

const SERIES = { put: ['put', 'lmdb', 'file'], get: ['get', 'lmdb', 'file'] };
const LABELS = { put: 'nextcache', get: 'nextcache', lmdb: 'LMDB', file: 'file per entry' };

/** The head has "lmdb" and "file" twice: for puts, and for gets. */
function columnsOf(table, operation) {
  const from = table.head.indexOf(operation);
  const half = { ...table, head: table.head.slice(from), lines: table.lines.map((line) => line.slice(from)) };
  const bytes = numbersOf(table, 'bytes');
  return SERIES[operation].flatMap((name) =>
    numbersOf(half, name).map((us, i) => ({ panel: operation, x: bytes[i], y: us, series: LABELS[name] })));
}

/** `name` of a table is at most limit(bytes) in every line of it. */
function goal(what, table, name, limit) {
  const sizes = numbersOf(table, 'bytes');
  const ratios = numbersOf(table, name);
  const limits = [...new Set(sizes.map(limit))].join(' and ');
  return {
    number: NUMBER,
    goal: `${what} ≤ ${limits} ×`,
    figure: sizes.map((bytes, i) => `${bytes}: ${digits(ratios[i])}`).join('; '),
    reached: sizes.every((bytes, i) => ratios[i] <= limit(bytes)),
  };
}

const goalsOf = (table, where) => [
  goal(`put, beside LMDB, ${where}`, table, 'put / lmdb', (bytes) => (bytes <= 8192 ? 0.6 : 1.2)),
  goal(`get, beside an LMDB that verifies, ${where}`, table, 'get / lmdb+', () => 1.2),
  goal(`get, beside LMDB, ${where}`, table, 'get / lmdb', () => 2.5),
];

export async function run(sizes) {
  const [onDisk, cold, bytes] = await storeTables(sizes);
  const inMemory = await storeTableInMemory(sizes);
  return {
    tables: [onDisk, cold, bytes, { ...inMemory, title: `${inMemory.title}, in a tmpfs` }],
    goals: [...goalsOf(onDisk, 'on disk'), ...goalsOf(inMemory, 'in a tmpfs')],
    curves: { x: 'bytes of an entry', y: 'µs per operation', points: Object.keys(SERIES).flatMap((operation) => columnsOf(onDisk, operation)) },
  };
}
