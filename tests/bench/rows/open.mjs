// Goal 10: opening what holds many entries.
import { digits } from '../lib/statistics.mjs';
import { numbersOf, storeTables } from '../lib/programs.mjs';

export const title = 'open: a directory with 100 000 and 1 000 000 entries';
export const about = 'By the C interfaces of both, in store_bench; medians of 21.';

export async function run(sizes) {
  const table = (await storeTables(sizes)).find(({ title: text }) => text.includes('to open'));
  const [ours, theirs, entries] = ['nextcache', 'lmdb', 'entries'].map((name) => numbersOf(table, name));
  const growth = ours.at(-1) / ours[0];
  return {
    tables: [table],
    goals: [
      { number: 10, goal: 'opening ≤ LMDB', figure: entries.map((count, i) => `${count}: ${digits(ours[i])} and ${digits(theirs[i])} µs`).join('; '), reached: ours.every((time, i) => time <= theirs[i]) },
      { number: 10, goal: '1 000 000 entries ≤ 1.5 × 100 000', figure: entries.length > 1 ? digits(growth) : 'not measured', reached: entries.length > 1 ? growth <= 1.5 : undefined },
    ],
  };
}
