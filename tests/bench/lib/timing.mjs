// Measuring inside the process of a subject.

/** Does `work` n times, one after the other; µs of wall and of CPU time for each. */
export async function each(n, work) {
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  for (let i = 0; i < n; i += 1) await work(i);
  const wall = Number(process.hrtime.bigint() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall / n, cpu: (user + system) / n };
}

/** Does `work` for every item, some at a time; not measured. */
export async function fill(items, work, atATime = 16) {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of iterator) await work(item);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

export function collectGarbage() {
  for (let i = 0; i < 3; i += 1) globalThis.gc();
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
