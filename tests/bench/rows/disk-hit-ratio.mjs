// Goal 14: what the disk tier keeps.
import { numbersOf, parseTables, runProgram } from '../lib/programs.mjs';

const LIMITS = [-0.5, -1.5];
const AMPLIFICATION = 1.35;

export const title = 'disk tier: hit ratio beside LRU, and write amplification';
export const about = `disk_hit_ratio: Zipf 1.0 over ten times as many keys as fit, entries of 8 KB, no memory tier; a miss is followed by a put. The LRU
is simulated, with room for the same bytes. The last column is all that was written by what was put: second lives are the difference to 1.`;

export async function run({ smoke }) {
  const [table] = parseTables(await runProgram('disk_hit_ratio', smoke ? [30_000] : []));
  const [points, written] = ['points', 'written by put'].map((name) => numbersOf(table, name));
  const goals = table.lines.map(([overwrites], i) => ({
    number: 14, goal: `disk tier ≥ LRU − ${-LIMITS[i]} points with ${overwrites} overwrites`, figure: `${points[i]} points`, reached: points[i] >= LIMITS[i],
  }));
  goals.push({ number: 14, goal: `write amplification ≤ ${AMPLIFICATION}`, figure: written.join(' and '), reached: written.every((ratio) => ratio <= AMPLIFICATION) });
  return { tables: [table], goals };
}
