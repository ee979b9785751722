// Goal 11: what the ring takes for what is put into it.
import { digits } from '../lib/statistics.mjs';
import { machineRounds } from '../lib/machine-rounds.mjs';

const SIZES = ['2048', '8192', '40000', '400000'];

export const title = 'disk: bytes of the ring by bytes of content';
export const about = `How far the ring's cursor went over 64 MB of distinct puts, by the bytes of their keys, tags, meta and parts; c_api_bench. The index
is apart from it: a file of its own, whose size depends on the bound (the table "bytes allocated" of the stores has both).`;

export async function run(sizes) {
  const figures = await machineRounds(sizes);
  const found = SIZES.map((size) => figures.of(size, 'consumed', 'value').median);
  return {
    tables: [{ title: '', head: ['bytes of a part', 'ring ÷ content'], lines: SIZES.map((size, i) => [size, found[i].toFixed(3)]) }],
    goals: [{ number: 11, goal: 'disk consumed ÷ bytes ≤ 1.10 from 2 KB up', figure: SIZES.map((size, i) => `${size}: ${digits(found[i])}`).join('; '), reached: found.every((ratio) => ratio <= 1.1) }],
  };
}
