// Goal 13: the C interface, and what the machine does without it.
import { digits, withSpread } from '../lib/statistics.mjs';
import { machineRounds } from '../lib/machine-rounds.mjs';

const ROWS = {
  get: 'get, hit in memory', put: 'put, memory and disk', new_put: 'put into a new ring', disk_get: 'get, from disk', pread: '`pread` of 4 KB alone', pwrite: '`pwrite` of 4 KB alone',
  copy: '`memcpy` of 4 KB alone',
};
const PAIRS = [['disk_get', 'pread'], ['put', 'pwrite'], ['put', 'copy']];

export const title = 'C interface: operations per second';
export const about = 'Entries of 4 KB under 12 000 keys, with two tags; c_api_bench. A get in memory hands out a reference and copies nothing. The ring of the puts has gone round once: its pages are there, as those of the file of `pwrite` are. In a new ring the kernel makes a page for each put.';

export async function run(sizes) {
  const figures = await machineRounds(sizes);
  const of = (threads, name) => figures.of(threads, name, 'value');
  const lines = Object.entries(ROWS).map(([name, label]) => [label, withSpread(of('1', name)), withSpread(of('2', name))]);
  const parts = PAIRS.map(([ours, alone]) => [`${ROWS[ours]} ÷ ${ROWS[alone]}`, ...['1', '2'].map((threads) => digits(of(threads, ours).median / of(threads, alone).median))]);
  const [get, put] = ['get', 'put'].map((name) => of('1', name).median);
  return {
    tables: [{ title: 'a second', head: ['operation', 'one thread', 'two threads'], lines }, { title: 'part of the limit', head: ['', 'one thread', 'two threads'], lines: parts }],
    goals: [
      { number: 13, goal: 'get ≥ 2 000 000 a second', figure: digits(get), reached: get >= 2e6 },
      { number: 13, goal: 'put ≥ 150 000 a second', figure: digits(put), reached: put >= 150e3 },
    ],
  };
}
