// Goal 6: what the memory tier keeps.
import { numbersOf, parseTables, runProgram } from '../lib/programs.mjs';

export const title = 'memory tier: hit ratio, 2Q beside LRU';
export const about = `hit_ratio: the same requests through the public interface, with either policy. No figure depends on time; from
run to run they differ by a tenth of a point, for the hashes by which 2Q remembers keys begin with a random number.`;

/** So a goal that is missed is a failure, and no matter of the machine. */
export const exact = true;

export async function run() {
  const [table] = parseTables(await runProgram('hit_ratio'));
  const [lru, twoq, points] = ['LRU', '2Q', 'points'].map((name) => numbersOf(table, name));
  const wanted = table.lines.map(([trace, holds]) => (holds === '1 %' && trace.startsWith('Zipf 1.0') && !trace.includes('drift') ? 5 : 0));
  return {
    tables: [table],
    goals: [{
      number: 6, goal: 'hit ratio ≥ LRU + 5 points on Zipf 1.0 and crawler at 1 %, never below LRU',
      figure: `${Math.min(...points)} to ${Math.max(...points)} points`, reached: points.every((found, i) => found >= wanted[i]),
    }],
    bars: { y: '% hits', points: table.lines.flatMap(([trace, holds], i) => [{ x: trace, panel: `holds ${holds}`, series: 'LRU', y: lru[i] }, { x: trace, panel: `holds ${holds}`, series: '2Q', y: twoq[i] }]) },
  };
}
