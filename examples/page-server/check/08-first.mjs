// Who is first: the cache is made by Next.js, with the bound that it was given, and never here.
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startNext, startPageServer } from './lib/process.mjs';

const READY_MS = 60_000;

export async function run({ folder, next: warm }) {
  await warm.end();
  rmSync(join(folder, '.cache'), { recursive: true, force: true });
  const next = await startNext(folder, undefined, { cold: true });
  await check('a directory without a cache stays without one, and is told of', async () => {
    const elsewhere = join(folder, '.cache/elsewhere');
    const server = await startPageServer(folder, next.port, '--cache', elsewhere);
    for (let times = 0; times < 4; times += 1) assert.equal((await ask(server.port, '/long')).status, 200);
    assert.equal((await counters(server)).served, 0);
    assert.ok(!existsSync(elsewhere));
    assert.match(server.log, /there is no cache in \S+\/elsewhere yet/);
    assert.equal(await server.end(), 0);
  });
  await check('the cache that Next.js makes is found', async () => {
    const server = await startPageServer(folder, next.port);
    for (const deadline = Date.now() + READY_MS; !(await counters(server)).served; await sleep(20)) {
      assert.equal((await ask(server.port, '/long')).status, 200);
      assert.ok(Date.now() < deadline, server.log);
    }
    assert.equal(await server.end(), 0);
  });
  await next.end();
}
