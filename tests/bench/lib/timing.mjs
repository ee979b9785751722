// Measuring inside the process of a subject.

const LOOK_EVERY = 50;

/**
 * Does `work` n times, or as often as fits into so many milliseconds, one after
 * the other; µs of wall and of CPU time for each.
 */
export async function each(n, work, mostMs = Infinity) {
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  const spent = () => Number(process.hrtime.bigint() - begin) / 1000;
  let done = 0;
  while (done < n) {
    for (const stop = Math.min(n, done + LOOK_EVERY); done < stop; done += 1) await work(done);
    if (spent() > 1000 * mostMs) break;
  }
  const wall = spent();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall / done, cpu: (user + system) / done };
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
