// Rounds of c_api_bench, which two rows and the revalidation read.
import { Figures } from './compare.mjs';
import { runProgram } from './programs.mjs';

const ROUND_MS = 300;
const SMOKE_MS = 5;

let measured;

async function measure({ rounds, smoke }) {
  const figures = new Figures();
  for (let number = 0; number < rounds; number += 1) {
    const output = await runProgram('c_api_bench', [smoke ? SMOKE_MS : ROUND_MS]);
    for (const line of output.trim().split('\n')) {
      const [name, of, value] = line.split(' ');
      figures.add(of, name, number, { value: Number(value) });
    }
  }
  return figures;
}

/** Figures by number of threads (or bytes), name, and the metric "value". */
export function machineRounds(sizes) {
  measured ??= measure(sizes);
  return measured;
}
