// The work of the one who runs the shop: npm scripts, a start from
// .env.production alone, development beside production, and the pipeline, which
// brings a new build onto the volume of an old one while both serve.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, chmodSync, cpSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from './lib/child.mjs';
import { Server } from './lib/server.mjs';
import { filesBelow, shopFolder } from './lib/tree.mjs';
import { until } from './lib/until.mjs';

export const modes = ['isr'];

const MB = 2 ** 20;
const PATH = process.env.PATH;

/** Runs a program to its end: {code, out}. */
async function outputOf(command, args, { cwd, env }) {
  const child = startChild(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { out += text; });
  const [code] = await once(child, 'close');
  return { code, out };
}

/** Samples of an address's metrics: name and labels -> number. */
async function metricsOf(url) {
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

const textOf = async (url) => (await fetch(url)).text();

/** Puts the environment of a tree into its .env.production. */
function writeEnvironment(tree) {
  const lines = Object.entries({ ...tree.environment, SHOP_MODE: tree.mode }).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  appendFileSync(join(tree.folder, '.env.production'), `\n${lines.join('\n')}\n`);
}

export async function run(t) {
  await scripts(t);
  await development(t);
  await pipeline(t);
}

// ---- npm scripts ------------------------------------------------------------------------

async function scripts(t) {
  const tree = await t.tree();
  writeEnvironment(tree);
  const npm = (script, env = {}) => outputOf('npm', ['run', script], { cwd: tree.folder, env: { PATH, HOME: tree.folder, ...env } });
  let server;

  await t.check('npm run start: from .env.production alone', async () => {
    server = await Server.start(tree, { PATH, HOME: tree.folder }, { npm: true });
    assert.equal((await server.get('/products/holm-rug')).status, 200);
    const metrics = await metricsOf(server.url);
    assert.equal(metrics.get('nextcache_memory_limit_bytes'), 64 * MB);
    assert.equal(metrics.get('nextcache_disk_limit_bytes'), 512 * MB);
    assert.equal(metrics.get('nextcache_disk'), 1);
    assert.ok(existsSync(join(tree.cache, 'v1/index')), 'the directory is the one that it names');
  });

  await t.check('npm run warm, doctor and clear-cache:app, while it serves', async () => {
    const warm = await npm('warm', { SHOP_URL: server.url });
    assert.equal(warm.code, 0, warm.out);
    assert.match(warm.out, /\d\d+ paths: .* 0 failed/);
    const doctor = await npm('doctor');
    assert.equal(doctor.code, 0, doctor.out);
    const before = (await metricsOf(server.url)).get('nextcache_slots_used');
    assert.ok(before > 10, `${before} entries`);
    const clear = await npm('clear-cache:app');
    assert.equal(clear.code, 0, clear.out);
    assert.ok((await metricsOf(server.url)).get('nextcache_slots_used') < before);
    assert.equal((await server.get('/products/holm-rug')).status, 200);
  });

  await t.check('npm run clear-cache:build keeps what is served, and says who serves it', async () => {
    const { code, out } = await npm('clear-cache:build');
    assert.notEqual(code, 0);
    assert.match(out, /process \d+ works with this build/);
    assert.ok(existsSync(join(tree.folder, '.next/BUILD_ID')));
    await server.stop();
  });

  await t.check('npm run clear-cache removes both, and no more', async () => {
    const others = readdirSync(tree.folder).filter((name) => !['.next', '.cache'].includes(name)).sort();
    const { code, out } = await npm('clear-cache');
    assert.equal(code, 0, out);
    assert.equal(existsSync(join(tree.folder, '.next')), false);
    assert.equal(filesBelow(tree.cache).filter((file) => file.name.startsWith('data-')).reduce((sum, file) => sum + file.allocated, 0), 0);
    assert.deepEqual(readdirSync(tree.folder).filter((name) => !['.next', '.cache'].includes(name)).sort(), others);
  });
}

// ---- development --------------------------------------------------------------------------

async function development(t) {
  const tree = await t.tree({ sources: true });
  cpSync(join(shopFolder, '.env.development'), join(tree.folder, '.env.development'));

  await t.check('npm run dev: a cache of its own, emptied by the script, with debug lines', async () => {
    const own = join(tree.folder, '.cache/development');
    const production = () => filesBelow(tree.cache).map(({ path, bytes }) => `${path} ${bytes}`).sort();
    const before = production();
    const left = join(own, 'left');
    cpSync(tree.cache, left, { recursive: true });
    const server = await Server.start(tree, tree.variables({ NODE_ENV: 'development' }), { npm: true, script: 'dev' });
    assert.equal(existsSync(left), false, 'the script has emptied it');
    assert.equal((await server.get('/products/holm-rug')).status, 200);
    await until('a line for a miss', () => /nextcache: get .* miss: /.test(server.log));
    assert.ok(existsSync(join(own, 'v1/index')));
    assert.deepEqual(production(), before, 'that of production is untouched');
    await server.stop();
  });
}

// ---- the pipeline ---------------------------------------------------------------------------

const OLD_TEXT = 'Things that stay';
const NEW_TEXT = 'Things that last';

async function pipeline(t) {
  const tree = await t.tree({ sources: true });
  const folder = join(tree.folder, 'deployed');
  cpSync(join(shopFolder, 'pipeline'), join(tree.folder, 'pipeline'));
  writeEnvironment(tree);
  rmSync(join(tree.folder, '.cache'), { recursive: true, force: true });
  const pipe = (steps, env = {}) => outputOf(join(tree.folder, 'pipeline'), [folder, ...steps],
    { cwd: '/', env: { PATH, HOME: tree.folder, WATCH_SECONDS: '1', NEXT_TELEMETRY_DISABLED: '1', ...env } });
  const address = () => readFileSync(join(folder, 'address'), 'utf8').trim();
  const pidOf = (link) => Number(readFileSync(join(folder, link, 'pid'), 'utf8'));
  let first;

  try {
    await t.check('pipeline: the first release', async () => {
      const { code, out } = await pipe(['check', 'deploy', 'watch']); // built already
      assert.equal(code, 0, out);
      first = address();
      assert.ok((await textOf(first)).includes(OLD_TEXT));
    });

    await t.check('pipeline: clear, build, check, deploy: old and new build serve from one volume', async () => {
      const source = join(tree.folder, 'src/components/home-view.tsx');
      writeFileSync(source, readFileSync(source, 'utf8').replaceAll(OLD_TEXT, NEW_TEXT));
      const { code, out } = await pipe(['clear', 'build', 'check', 'deploy']);
      assert.equal(code, 0, out);
      assert.equal(address(), first, 'the old one is still the one that serves');
      const second = readFileSync(join(folder, 'candidate/address'), 'utf8').trim();
      for (let turn = 0; turn < 3; turn += 1) {
        assert.ok((await textOf(first)).includes(OLD_TEXT) && (await textOf(second)).includes(NEW_TEXT), 'each has its own pages');
      }
      const { price } = await t.backOffice.product('holm-rug');
      const shown = async (url) => Number(/data-price="(\d+)"/.exec(await textOf(`${url}/products/holm-rug`))?.[1]);
      assert.deepEqual([await shown(first), await shown(second)], [price, price]);
      await t.backOffice.call('PATCH', '/products/holm-rug', { price: price + 100 });
      assert.deepEqual([await shown(first), await shown(second)], [price, price], 'cached in both');
      await fetch(`${second}/api/hooks/back-office`, {
        method: 'POST', headers: { 'x-shop-key': t.backOffice.key }, body: JSON.stringify({ product: 'holm-rug' }) });
      assert.deepEqual([await shown(first), await shown(second)], [price + 100, price + 100], 'one invalidation reaches both builds');
      assert.equal((await metricsOf(first)).get('nextcache_processes'), 2);
    });

    await t.check('pipeline: watch, and the new one takes over', async () => {
      const old = pidOf('current');
      const { code, out } = await pipe(['watch']);
      assert.equal(code, 0, out);
      assert.notEqual(address(), first);
      assert.ok((await textOf(address())).includes(NEW_TEXT));
      assert.throws(() => process.kill(old, 0), 'the old one has ended');
    });

    await t.check('pipeline: a build that is not whole, or a cache that cannot work, changes nothing', async () => {
      const serving = address();
      const release = readlinkSync(join(folder, 'current'));
      const chunks = join(tree.folder, '.next/static/chunks');
      const chunk = readdirSync(chunks).find((name) => name.endsWith('.js'));
      const text = readFileSync(join(chunks, chunk));
      writeFileSync(join(chunks, chunk), '');
      const broken = await pipe(['check', 'deploy', 'watch']);
      assert.notEqual(broken.code, 0);
      writeFileSync(join(chunks, chunk), text);
      chmodSync(join(tree.folder, '.env.production'), 0o644);
      appendFileSync(join(tree.folder, '.env.production'), '\nNEXT_CACHE_MAX_DISK_SIZE=0\n');
      const memoryOnly = await pipe(['deploy', 'watch']);
      assert.equal(memoryOnly.code, 1, memoryOnly.out);
      assert.match(memoryOnly.out, /the new release has no disk tier; http:\/\/127\.0\.0\.1:\d+ goes on/);
      assert.deepEqual([address(), readlinkSync(join(folder, 'current'))], [serving, release]);
      assert.ok((await textOf(serving)).includes(NEW_TEXT));
    });
  } finally {
    for (const link of ['current', 'candidate']) {
      if (existsSync(join(folder, link, 'pid'))) {
        try { process.kill(pidOf(link)); } catch { /* it has ended */ }
      }
    }
  }
}
