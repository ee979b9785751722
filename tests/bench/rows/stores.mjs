// The disk tier alone, beside LMDB and a file per entry, all in C: where the
// Node.js figures come from.
import { numbersOf, storeTables } from '../lib/programs.mjs';

export const title = 'stores: put and get in C';
export const about = `store_bench: the stores take turns in small rounds. "put+" is ours while entries that were read get their second lives; "lmdb+"
verifies a checksum, as ours does.`;

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

export async function run(sizes) {
  const tables = await storeTables(sizes);
  const [speed] = tables;
  return {
    tables: [speed, tables[1]],
    goals: [],
    curves: { x: 'bytes of an entry', y: 'µs per operation', points: Object.keys(SERIES).flatMap((operation) => columnsOf(speed, operation)) },
  };
}
