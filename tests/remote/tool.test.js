'use strict';
// What the tool says of the shared tier, of two processes of one directory: while it is
// well, while its server hangs, and of processes that are gone.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { eventually } = require('../node/support');
const { get, mark, ready, set, settled } = require('./lib/fetches');
const { startPod, stopPods } = require('./lib/peer');
const { startServer, stopServers } = require('./lib/server');

const TOOL = path.resolve(__dirname, '../../build/release/nextcache');

let server;
let a;
let b; // of the same directory

before(async () => {
  server = await startServer();
  a = await startPod({ url: server.url });
  b = await startPod({ url: server.url, dir: a.dir });
  await ready(a, b);
});
after(async () => {
  await stopPods();
  await stopServers();
});

const tool = (...args) => execFileSync(TOOL, [...args, '--dir', a.dir], { encoding: 'utf8' });
const report = () => JSON.parse(tool('stats', '--json'));
const sharedOf = (pod) => report().processes.find(({ pid }) => pid === pod.child.pid)?.shared;
const lineOf = (name) => tool('stats').split('\n').find((line) => new RegExp(`^ *${name}  (ready|open|down|\\d of)`).test(line));

test('each process by itself, and the sum', async () => {
  const afar = await startPod({ url: server.url });
  await ready(afar);
  await set(afar, 'told', 'value', ['t']);
  await set(a, 'told here', 'value', ['t']);
  await settled(a, afar);
  await eventually(async () => (await get(b, 'told')) === 'value'); // a read that takes too long is a miss
  assert.equal(await get(b, 'nothing'), null);
  await mark(a, ['u']);
  await eventually(() => sharedOf(a)?.puts === 1 && sharedOf(a).sent === 1 && sharedOf(b)?.misses > 0);
  const { shared } = report();
  assert.deepEqual([shared.state, shared.processes, shared.ready, shared.breaker_open, shared.unsent], ['ready', 2, 2, 0, 0]);
  assert.ok(shared.bytes_in > 0 && shared.bytes_out > 0 && shared.p99_us >= shared.p50_us && shared.p50_us > 0, JSON.stringify(shared));
  for (const name of ['gets', 'puts', 'bytes_in', 'bytes_out']) assert.equal(shared[name], sharedOf(a)[name] + sharedOf(b)[name], name);
  for (const name of [a.child.pid, b.child.pid, 'total']) assert.match(lineOf(name), /ready/, String(name));
  assert.match(tool('metrics'), /^nextcache_remote_ready 2$/m);
});

test('a server that hangs: the breaker, the lag, and what is unsent', async () => {
  server.signal('SIGSTOP');
  // Late on a busy machine they find that the log is not followed any more, and wait for nothing.
  await Promise.all(Array.from({ length: 10 }, (_, i) => get(b, `absent ${i}`)));
  const opened = (await b.stats()).breakerOpenings;
  await assert.rejects(mark(a, ['v']), { code: 'NEXTCACHE_NOT_GLOBAL' });
  await eventually(() => report().shared.unsent === 1 && report().shared.ready === 0 && report().shared.unsure_ms > 3000);
  assert.equal(sharedOf(b).breaker_openings, opened);
  assert.equal(sharedOf(b).state, (await b.stats()).state);
  assert.match(lineOf('total'), /0 of 2 ready .* 1$/);
  assert.match(tool('metrics'), /^nextcache_remote_unsent 1$/m);
  server.signal('SIGCONT');
  await eventually(() => report().shared.ready === 2 && report().shared.unsent === 0);
});

test('a process that hangs looks as it did, but for its lag', async () => {
  b.child.kill('SIGSTOP');
  await eventually(() => sharedOf(b).unsure_ms > 5000);
  assert.ok(report().shared.unsure_ms > 5000);
  b.child.kill('SIGCONT');
  await eventually(() => report().shared.unsure_ms < 5000);
});

test('a process that was killed is not counted among the living', async () => {
  const { gets } = report().shared;
  await b.stop();
  await eventually(() => report().shared.processes === 1);
  assert.equal(sharedOf(b), undefined);
  assert.ok(report().shared.gets >= gets); // what it counted stays
  await a.stop();
  await eventually(() => report().shared === null);
});
