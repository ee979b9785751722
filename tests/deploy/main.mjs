// main.mjs BUILD SCRATCH: the Dockerfile and the PM2 file of docs/deploy; see run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePort } from '../../examples/storefront/check/lib/server.mjs';
import { build } from './dockerfile.mjs';

const PM2 = '7.0.4';
const READY_MS = 60_000;
const root = resolve(import.meta.dirname, '../..');
const docs = join(root, 'docs/deploy');
const [built, scratch] = process.argv.slice(2).map((folder) => resolve(folder));
const { version } = JSON.parse(readFileSync(join(root, 'bindings/node/package.json'), 'utf8'));
const target = `linux-${process.arch}-gnu`;

async function check(what, work) {
  try {
    await work();
    console.log(`ok - ${what}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok - ${what}\n${String(error?.stack ?? error).slice(0, 6000).replace(/^/gm, '#   ')}`);
  }
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function eventually(ask) {
  for (const deadline = Date.now() + READY_MS; ; await sleep(50)) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

// ---- the app, as a stranger would have it ------------------------------------------------

/** The packages of other platforms, which only a registry that has them could leave out. */
function packOthers(packages) {
  const targets = JSON.parse(readFileSync(join(root, 'bindings/node/packages/targets.json'), 'utf8'));
  for (const [other, { os, cpu, libc }] of Object.entries(targets)) {
    if (other === target) continue;
    const folder = join(packages, 'others', other);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `nextcache-${other}`, version, os: [os], cpu: [cpu], libc: [libc] }));
    execFileSync('npm', ['pack', '--silent', '--pack-destination', packages], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

/** The app and the packages of nextcache as they would be published. */
function makeContext() {
  const context = join(scratch, 'context');
  rmSync(context, { recursive: true, force: true });
  cpSync(join(import.meta.dirname, 'app'), context, { recursive: true });
  const assemble = join(root, 'bindings/node/packages/assemble.mjs');
  const packages = join(scratch, 'packages');
  rmSync(packages, { recursive: true, force: true });
  mkdirSync(packages);
  const parts = ['bindings/node/nextcache.node', 'nextcache', 'THIRD-PARTY-NOTICES'].map((name) => join(built, name));
  execFileSync(process.execPath, [assemble, target, ...parts, packages]);
  execFileSync(process.execPath, [assemble, 'nextcache', packages]);
  packOthers(packages);
  const manifest = JSON.parse(readFileSync(join(context, 'package.json'), 'utf8'));
  manifest.optionalDependencies = {};
  for (const archive of readdirSync(packages).filter((name) => name.endsWith('.tgz'))) {
    copyFileSync(join(packages, archive), join(context, archive));
    const name = archive.slice(0, archive.indexOf(`-${version}`));
    (name === 'nextcache' ? manifest.dependencies : manifest.optionalDependencies)[name] = `file:${archive}`;
  }
  writeFileSync(join(context, 'package.json'), JSON.stringify(manifest, null, 2));
  execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: context });
  // What the ignore file is for.
  mkdirSync(join(context, 'node_modules/next'), { recursive: true });
  writeFileSync(join(context, 'node_modules/next/package.json'), 'not for an image');
  const sent = join(scratch, 'sent');
  rmSync(sent, { recursive: true, force: true });
  mkdirSync(sent);
  execFileSync('sh', ['-c', `tar -C '${context}' --exclude-from '${join(docs, 'Dockerfile.dockerignore')}' -c . | tar -C '${sent}' -x`]);
  return sent;
}

// ---- asking it ----------------------------------------------------------------------------

class Site {
  constructor(port) {
    this.url = `http://127.0.0.1:${port}`;
  }

  async ask(path, method = 'GET') {
    // A connection for each request: a cluster gives them to its processes in turn.
    const answer = await fetch(this.url + path, { method, headers: { connection: 'close' } });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${path}: ${text.slice(0, 500)}`);
    return { text, cache: answer.headers.get('x-nextjs-cache'), madeAt: Number(/data-made-at="(\d+)"|"madeAt":(\d+)/.exec(text)?.slice(1).find(Boolean)) };
  }

  async madeAt(path) {
    return (await this.ask(path)).madeAt;
  }

  /** One time for each of the three kinds: a page of the build, 'use cache', the Pages router. */
  async stamps() {
    const stamps = [];
    for (const path of ['/', '/api/stamp', '/isr/made']) stamps.push(await this.madeAt(path));
    return stamps;
  }
}

async function works(site) {
  assert.equal((await site.ask('/file.txt')).text, 'A file of public/.\n');
  const stamps = await site.stamps();
  assert.ok(stamps.every((stamp) => stamp > 0), String(stamps));
  assert.deepEqual(await site.stamps(), stamps);
  assert.equal((await site.ask('/isr/made')).cache, 'HIT');
  return stamps;
}

/** `kinds`: of how many kinds; Next's own cache keeps the page of the Pages router. */
async function obeys(site, kinds = 3) {
  const before = await site.stamps();
  await site.ask('/api/revalidate', 'POST');
  const after = await site.stamps();
  after.slice(0, kinds).forEach((stamp, at) => assert.ok(stamp > before[at], `${before} became ${after}`));
  return after;
}

// ---- the container ---------------------------------------------------------------------------

async function startContainer(image, env) {
  const port = String(await freePort());
  const child = image.start({ PORT: port, HOSTNAME: '127.0.0.1', ...env });
  const server = { site: new Site(port), child, log: '', ended: once(child, 'exit') };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { server.log += text; });
  process.once('exit', () => child.kill('SIGKILL'));
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(server.log);
    return server.site.ask('/file.txt');
  });
  return server;
}

async function end(server, signal = 'SIGTERM') {
  server.child.kill(signal);
  const late = setTimeout(() => server.child.kill('SIGKILL'), 20_000);
  await server.ended;
  clearTimeout(late);
}

async function checkDocker() {
  let result;
  await check('Dockerfile: every step runs', () => {
    result = build(join(docs, 'Dockerfile'), { base: join(root, 'build/package/base'), context: makeContext(), scratch });
  });
  if (!result) return undefined;
  const { image, stages } = result;
  const inside = (path) => join(image.root, path);
  await check('the image has the server, the addon and no build', () => {
    assert.ok(existsSync(inside(`app/node_modules/nextcache-${target}/nextcache.node`)), 'the addon');
    for (const path of ['app/app', 'app/package-lock.json', 'app/node_modules/typescript']) assert.ok(!existsSync(inside(path)), path);
  });
  let server = await startContainer(image, {});
  await check('it runs as a user who is not root', async () => {
    await server.site.stamps(); // the cache is opened when it is first needed
    const [, uid] = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'));
    assert.equal(uid, '1000');
    assert.equal(statSync(inside('cache/v1/index')).uid, 1000);
  });
  let stamps;
  await check('standalone: pages, entries of `use cache` and tags', async () => {
    await works(server.site);
    stamps = await obeys(server.site);
    assert.ok(!/nextcache: (?!ready)|⨯|Error:/.test(server.log), server.log);
  });
  await check('standalone: all of it survives kill -9', async () => {
    await end(server, 'SIGKILL');
    server = await startContainer(image, {});
    assert.deepEqual(await server.site.stamps(), stamps);
    await end(server);
  });
  await check('standalone: NEXT_CACHE_ENGINE=next leaves the cache alone, and says so once', async () => {
    execFileSync('find', [inside('cache'), '-mindepth', '1', '-delete']);
    server = await startContainer(image, { NEXT_CACHE_ENGINE: 'next' });
    await works(server.site);
    await obeys(server.site, 2);
    assert.equal(server.log.match(/nextcache:/g)?.length, 1, server.log);
    assert.match(server.log, /nextcache: engine=next: Next's own cache is in use/);
    assert.deepEqual(readdirSync(inside('cache')), []);
    await end(server);
  });
  return join(stages.get('build').root, 'app');
}

// ---- PM2 ---------------------------------------------------------------------------------------

/** The ids of the processes that answer, of which there are two. */
async function bothProcesses(site) {
  return eventually(async () => {
    const pids = new Set();
    for (let n = 0; n < 20; n += 1) pids.add(JSON.parse((await site.ask('/api/stamp')).text).pid);
    assert.equal(pids.size, 2, 'both processes answer');
    return pids;
  });
}

async function checkPm2(app) {
  const folder = join(scratch, 'pm2');
  const port = String(await freePort());
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, 'cache'), { recursive: true, force: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `pm2@${PM2}`], { cwd: folder });
  copyFileSync(join(docs, 'ecosystem.config.js'), join(app, 'ecosystem.config.js'));
  const env = { ...process.env, PM2_HOME: join(folder, 'home'), PORT: port, NEXT_CACHE_DIR: join(folder, 'cache') };
  const pm2 = (...args) => execFileSync(join(folder, 'node_modules/.bin/pm2'), args, { cwd: app, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const site = new Site(port);
  try {
    await check('PM2 starts two processes', async () => {
      pm2('start', 'ecosystem.config.js');
      await bothProcesses(site);
    });
    let stamps;
    await check('PM2: both have one cache, and obey an invalidation in either of them', async () => {
      await works(site);
      for (let round = 0; round < 4; round += 1) stamps = await obeys(site);
      for (let round = 0; round < 10; round += 1) assert.deepEqual(await site.stamps(), stamps);
    });
    await check('PM2: after a reload there are two others, with the same cache', async () => {
      const before = await bothProcesses(site);
      pm2('reload', 'shop');
      await eventually(async () => {
        for (const pid of await bothProcesses(site)) assert.ok(!before.has(pid), `${pid} still answers`);
      });
      assert.deepEqual(await site.stamps(), stamps);
    });
  } finally {
    pm2('kill');
  }
}

const app = await checkDocker();
if (app) await checkPm2(app);
