// The rows, in the order of the goals that they are for. A row is a file of
// rows/; it either compares subjects (see compare.mjs), or has a `run(sizes)`
// of its own that returns {figures?, tables?, goals, curves?, bars?}.
import { compare } from './compare.mjs';

export const ROWS = ['memory-hit', 'first-decode', 'disk-get', 'disk-set', 'zipf', 'memory-hit-ratio', 'heap', 'loop-delay', 'revalidate-tag', 'shared-get', 'shared-set', 'shared-load',
  'open', 'disk-bytes', 'next-start', 'c-api', 'disk-hit-ratio', 'stores'];

export async function loadRow(name) {
  return { name, ...(await import(`../rows/${name}.mjs`)) };
}

/** Everything that a row found, and how long it took. */
export async function runRow(row, sizes) {
  const begin = Date.now();
  const found = row.run ? await row.run(sizes) : await compared(row, sizes);
  return { row, tables: [], goals: [], ...found, seconds: Math.round((Date.now() - begin) / 1000) };
}

async function compared(row, sizes) {
  const figures = await compare(row, sizes);
  return { figures, goals: row.goals(figures) };
}
