'use strict';
// Every client that may be passed in, and what is its business: a cluster, sentinels,
// TLS, and users with few rights.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { afterEach, test } = require('node:test');
const { eventually, temporaryDirectory } = require('../node/support');
const { agreed, get, mark, ready, set, settled } = require('./lib/fetches');
const { startPod, stopPods } = require('./lib/peer');
const { certificate, freePort, startServer, stopServers } = require('./lib/server');

// The others only in the long form.
const long = Boolean(process.env.NXC_TEST_LONG);
const SINGLE = long ? ['iovalkey', 'ioredis', 'redis 5', 'redis 4'] : ['ioredis', 'redis 5'];
const CLUSTERS = long ? ['iovalkey cluster', 'ioredis cluster', 'redis 5 cluster', 'redis 4 cluster'] : ['iovalkey cluster'];

const clientFile = path.join(__dirname, 'lib/pod-client.js');

afterEach(async () => {
  await stopPods();
  await stopServers();
});

async function podsOf(kind, ports, env = {}) {
  const start = () => startPod({ clientFile, env: { POD_KIND: kind, POD_PORTS: ports.join(), ...env } });
  const pods = await Promise.all([start(), start()]);
  await ready(...pods);
  return pods;
}

/** Many keys are shared, and what one invalidates none serves. */
async function assertShares([a, b]) {
  const names = Array.from({ length: 20 }, (_, i) => `entry ${i}`);
  for (const name of names) await set(a, name, `${name} ${'x'.repeat(3000)}`, ['all', name]);
  await settled(a);
  for (const name of names) assert.ok((await get(b, name, ['all']))?.startsWith(`${name} x`), name);
  await mark(b, 'entry 3');
  await agreed(a, b);
  assert.ok((await get(a, 'entry 3')) === null);
  assert.ok(await get(a, 'entry 4'));
  await mark(a, 'all', { expire: 100 });
  await agreed(a, b);
  await a.run(({ nextcache }) => nextcache.clear());
  await eventually(async () => (await get(b, 'entry 4')) === null);
}

for (const kind of SINGLE) {
  test(`${kind}, and a server that goes away and comes back`, async () => {
    const server = await startServer();
    const pods = await podsOf(kind, [server.port]);
    await assertShares(pods);
    await server.kill();
    assert.equal(await mark(pods[0], 'late').catch((error) => error.code), 'NEXTCACHE_NOT_GLOBAL');
    await server.restart();
    await eventually(async () => (await pods[0].stats()).unsent === 0);
    await ready(...pods);
    await eventually(async () => {
      await set(pods[0], 'after', 'value');
      await settled(pods[0]);
      return (await get(pods[1], 'after')) === 'value';
    });
    // What is wrong is told in the words of the system, and does not keep a cache open.
    await server.kill();
    await eventually(async () => /ECONNREFUSED/.test((await pods[0].stats()).problem));
    await pods[0].run(({ nextcache }) => nextcache.close());
  });
}

for (const kind of ["a site's ioredis", "a site's redis"]) {
  test(`${kind}, whose own deadlines and pipelines are not those of the duplicates`, async () => {
    const server = await startServer();
    const pods = await podsOf(kind, [server.port]);
    await assertShares(pods);
    await ready(...pods);
    const reads = async () => Number(/cmdstat_xread:calls=(\d+)/.exec(await server.ask('INFO', 'commandstats'))[1]);
    const following = async () => (await server.ask('CLIENT', 'LIST')).match(/\bid=\d+(?=.*cmd=xread)/g) ?? [];
    await eventually(async () => (await following()).length === pods.length);
    const [before, soFar] = [await following(), await reads()];
    await eventually(async () => (await reads()) >= soFar + 6);
    assert.deepEqual(await following(), before, 'on the same connections');
  });
}

/** Three nodes of a cluster. */
async function startCluster() {
  const nodes = [];
  while (nodes.length < 3) {
    const bus = String(await freePort());
    nodes.push(await startServer({ options: ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-node-timeout', '2000'] }));
  }
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { stdio: 'ignore' });
  await eventually(async () => (await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'INFO')))).every((text) => text.includes('cluster_state:ok')));
  return nodes;
}

for (const kind of CLUSTERS) {
  test(`${kind} of three nodes: entries on all, one log`, async () => {
    const nodes = await startCluster();
    const pods = await podsOf(kind, nodes.map(({ port }) => port));
    const [a] = pods;
    for (let i = 0; i < 30; i++) await set(a, `spread ${i}`, 'value');
    await settled(a);
    const counts = await Promise.all(nodes.map((node) => node.ask('DBSIZE')));
    assert.ok(counts.every((text) => Number(text.slice(1)) > 0), `keys by node: ${counts}`);
    await assertShares(pods);
  });
}

test('sentinels: the replica takes over, and nothing of before the loss is believed', async () => {
  const master = await startServer();
  const replica = await startServer({ options: ['--replicaof', '127.0.0.1', String(master.port)] });
  const sentinels = [];
  for (let i = 0; i < 3; i++) {
    const port = await freePort();
    const file = path.join(temporaryDirectory(), 'sentinel.conf');
    fs.writeFileSync(file, [`port ${port}`, `sentinel monitor shop 127.0.0.1 ${master.port} 2`,
      'sentinel down-after-milliseconds shop 1000', 'sentinel failover-timeout shop 4000', ''].join('\n'));
    sentinels.push(await startServer({ port, name: 'redis-sentinel', file }));
  }
  await eventually(async () => /state=online/.test(await master.ask('INFO', 'replication')));
  const pods = await podsOf('sentinel', sentinels.map(({ port }) => port));
  await assertShares(pods);
  await ready(...pods);
  await eventually(async () => { // a put is shared as far as the server keeps up
    await set(pods[0], 'kept', 'value', ['kept']);
    await settled(pods[0]);
    return (await get(pods[1], 'kept')) === 'value';
  });
  await master.kill();
  assert.equal(await mark(pods[0], 'kept').catch((error) => error.code), 'NEXTCACHE_NOT_GLOBAL');
  assert.equal(await get(pods[0], 'kept'), null);
  // Sentinels that miss each other's vote try again after twice their timeout. They name
  // the replica a second after it took over, and before that no client can know of it.
  const named = (sentinel) => sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'shop').then((text) => text.includes(`\r\n${replica.port}\r\n`));
  await eventually(async () => (await Promise.all(sentinels.map(named))).every(Boolean), 30000);
  const began = performance.now();
  await eventually(async () => (await pods[0].stats()).unsent === 0);
  await ready(...pods);
  const ms = performance.now() - began;
  console.log(`failed over: well again ${ms.toFixed(0)} ms after the sentinels named the replica`);
  assert.ok(ms < (long ? 2000 : 8000), `${ms} ms`);
  await eventually(async () => (await get(pods[1], 'kept')) === null);
  await eventually(async () => {
    await set(pods[0], 'after', 'value');
    await settled(pods[0]);
    return (await get(pods[1], 'after')) === 'value';
  });
});

test('TLS, and a user who may do nothing but what is needed', async () => {
  const { key, cert } = certificate();
  const port = await freePort();
  const server = await startServer({
    options: ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'],
  });
  // As docs/many-machines.md has it: no scripts, no CONFIG, no other keys.
  await server.ask('ACL', 'SETUSER', 'nextcache', 'on', '>secret', '~nextcache:*', 'resetchannels', '-@all',
    '+get', '+set', '+del', '+xadd', '+xread', '+xrange', '+xrevrange', '+hello', '+auth', '+client|setname', '+info', '+ping', '+select');
  await assertShares(await podsOf('tls', [port], { POD_CERT: cert }));
});

test('a user without rights: a line in the log, and this machine serves', async () => {
  const server = await startServer();
  await server.ask('ACL', 'SETUSER', 'default', 'off');
  const pod = await startPod({ url: server.url });
  await set(pod, 'local', 'here');
  assert.equal(await get(pod, 'local'), 'here');
  await eventually(() => pod.lines.some((line) => /NOAUTH|NOPERM/.test(line)));
});
