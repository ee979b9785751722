// Invalidations, one after the other and by all processes in turn, while every
// process is asked for the same pages without a pause.
import assert from 'node:assert/strict';
import { startLoad } from '../../../examples/storefront/check/lib/load.mjs';
import { sleep } from './feature.mjs';

const ROUNDS = 14;
const PAUSE_MS = 50;
const LEAST_REQUESTS = 50;

/**
 * `names` are the origin's things behind the pages, `invalidate(server)` is called when they have
 * changed, and judge(page, path, oldest) says what is wrong with an answer to a request that
 * began after that.
 */
export async function invalidateUnderLoad(t, servers, { paths, names, judge, invalidate }) {
  let newest = 1;
  const loads = servers.map((server) => startLoad({ server, paths, width: 6, expect: () => newest, judge }));
  for (let value = 2; value <= ROUNDS + 1; value += 1) {
    for (const name of names) t.origin.set(name, String(value));
    await invalidate(servers[value % servers.length]);
    // Next.js joins a request to work for the same page that is under way;
    // whatever is asked after that has ended gets the new page.
    await Promise.all(loads.map((one) => one.turnover()));
    newest = value;
    await sleep(PAUSE_MS);
  }
  const ends = await Promise.all(loads.map((one) => one.stop()));
  assert.deepEqual(ends.flatMap(({ problems }) => problems), []);
  for (const { requests } of ends) assert.ok(requests > LEAST_REQUESTS, `${requests} requests`);
}
