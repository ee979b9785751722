// The guide from its beginning to its end: a clean checkout, a fresh app, every
// command of docs/production.md as it stands there, in its order, and at last a
// cache directory that was filled with random bytes under a running server.
//
//   node tests/guide/end-to-end.mjs [FOLDER]     keeps FOLDER, for a second run
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const repository = dirname(dirname(here));
const kept = process.argv[2];
const work = kept ?? mkdtempSync(join(tmpdir(), 'nextcache-guide-'));
const checkout = join(work, 'checkout');
const shop = join(checkout, 'examples/storefront');
const app = join(shop, '.data/app'); // below the shop, whose Next.js it uses
const totals = { passed: 0, failed: 0 };

async function check(name, run) {
  try {
    await run();
    totals.passed += 1;
    console.log(`ok - ${name}`);
  } catch (error) {
    totals.failed += 1;
    console.log(`not ok - ${name}\n${String(error.stack ?? error).slice(0, 3000).replace(/^/gm, '    ')}`);
  }
}

/** Runs a line of shell; its output, or an error that has it. */
function shell(line, { cwd = app, env = {}, fine = [0] } = {}) {
  const path = `${join(app, 'node_modules/.bin')}:${join(shop, 'node_modules/.bin')}:${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    cwd, encoding: 'utf8', timeout: 600_000, env: { ...process.env, PATH: path, NEXT_TELEMETRY_DISABLED: '1', ...env } });
  assert.ok(fine.includes(status), `${line}\nexit code ${status}\n${stdout}${stderr}`);
  return stdout + stderr;
}

// ---- the app ---------------------------------------------------------------------------

const FILES = {
  'package.json': `${JSON.stringify({
    name: 'app', private: true, scripts: { 'build:production': 'nextcache clear --build && next build && nextcache check-build' } })}\n`,
  'next.config.js': 'module.exports = {\n  poweredByHeader: false,\n};\n',
  'app/layout.js': 'export default function Layout({ children }) {\n  return <html lang="en"><body>{children}</body></html>;\n}\n',
  'app/page.js': 'export const revalidate = 3600;\nexport default function Page() {\n  return <p data-made={Date.now()}>start</p>;\n}\n',
  'app/offers/page.js': `import { unstable_cache } from 'next/cache';
const price = unstable_cache(async () => Date.now(), ['price'], { tags: ['prices'] });
export const revalidate = 3600;
export default async function Page() {
  return <p data-price={await price()} data-made={Date.now()}>offers</p>;
}
`,
  'app/products/[slug]/page.js': `import { unstable_cache } from 'next/cache';
const product = unstable_cache(async (slug) => ({ slug }), ['product'], { tags: ['products'] });
export const revalidate = 3600;
export const generateStaticParams = () => [{ slug: 'a' }, { slug: 'b' }];
export default async function Page({ params }) {
  const { slug } = await product((await params).slug);
  return <p data-made={Date.now()}>{slug}</p>;
}
`,
};

function writeApp() {
  rmSync(app, { recursive: true, force: true });
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(app, name)), { recursive: true });
    writeFileSync(join(app, name), text);
  }
}

// ---- its server -----------------------------------------------------------------------

let server;

async function start() {
  await stop();
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  server = { url: `http://127.0.0.1:${port}`, log: '' };
  server.process = spawn(process.execPath, [join(shop, 'node_modules/next/dist/bin/next'), 'start', '-H', '127.0.0.1', '-p', String(port)],
    { cwd: app, env: { ...process.env, NODE_ENV: 'production' }, stdio: ['ignore', 'pipe', 'pipe'] });
  server.ended = once(server.process, 'exit');
  for (const stream of [server.process.stdout, server.process.stderr]) stream.on('data', (text) => { server.log += text; });
  const deadline = Date.now() + 180_000;
  while (!server.log.includes('Ready in')) {
    assert.ok(server.process.exitCode === null && Date.now() < deadline, server.log);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stop() {
  if (!server) return;
  server.process.kill('SIGTERM');
  await server.ended;
  server = undefined;
}

/** A page. Each on a connection of its own: commands block this process for longer than idle ones live. */
async function get(path) {
  const request = http.get(server.url + path, { agent: false });
  const [response] = await once(request, 'response');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  assert.equal(response.statusCode, 200, `${path}\n${server.log.slice(-2000)}`);
  return text;
}

/** A page once it is what the cache has: the first answer may be a stale one, which is being refreshed. */
async function settled(path) {
  for (let turn = 0, before; turn < 50; turn += 1) {
    const text = await get(path);
    if (text === before) return text;
    before = text;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${path} is rendered anew with every request`);
}

const PATHS = ['/', '/offers', '/products/a', '/products/b'];
const visitAll = () => Promise.all(PATHS.map(get));

// ---- the guide -------------------------------------------------------------------------

/** Blocks of commands, in order: lists of lines. What assigns variables is no command. */
function blocks() {
  const guide = readFileSync(join(checkout, 'docs/production.md'), 'utf8');
  return [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .map(([, text]) => text.split('\n').map((line) => line.replace(/\s+#.*$/, '')).filter((line) => line && !/^[A-Z_]+=/.test(line)))
    .filter((lines) => lines.length > 0);
}

/** A line as it is run here: the registry is a file, nobody is there to ask, the port is ours. */
function asRun(line) {
  return line
    .replace(/^npm install nextcache@latest$/, `npm install --no-audit --no-fund ${join(work, 'newer.tgz')}`)
    .replace(/^npm install nextcache(@\d[\w.]*)?$/, `npm install --no-audit --no-fund ${join(work, 'nextcache.tgz')}`)
    .replace(/^(npx nextcache (init|uninstall))$/, '$1 --yes')
    .replace('http://127.0.0.1:3000', server?.url ?? '');
}

async function runBlock(lines) {
  const stopped = lines.some((line) => /^next build|^npm |^npx nextcache (init|uninstall)/.test(line));
  if (stopped) await stop();
  else if (!server) await start();
  if (server) await visitAll();
  for (const line of lines) {
    await check(`the guide: ${line}`, () => {
      const output = shell(asRun(line));
      if (line === 'next build') assert.match(output, /\/products\/\[slug\]/);
    });
  }
  if (server) await check('and every page is served', visitAll);
}

/** Random bytes over all that the cache has on disk, as large as it is. */
function spoil(dir) {
  for (const name of readdirSync(dir)) {
    const file = join(dir, name);
    const fd = openSync(file, 'r+');
    for (let at = 0; at < statSync(file).size; at += 2 ** 20) {
      writeSync(fd, randomBytes(Math.min(2 ** 20, statSync(file).size - at)), 0, undefined, at);
    }
    closeSync(fd);
  }
}

async function recovery() {
  const v1 = join(app, '.cache/nextcache/v1');
  await check('a cache full of random bytes, under a server: every page is still served', async () => {
    await start();
    await visitAll();
    spoil(v1);
    for (let turn = 0; turn < 3; turn += 1) await visitAll();
  });
  await check('nextcache recover says what is wrong, and makes it right', () => {
    const output = shell('nextcache recover', { fine: [0, 1] });
    assert.match(output, /cache/);
    shell('nextcache recover');
    shell('nextcache verify');
    shell('nextcache check-build');
  });
  await check('after a start everything is as it should be', async () => {
    await stop();
    await start();
    await visitAll();
    assert.match(shell(`nextcache warm --url ${server.url}`), / 0 failed/);
    shell('nextcache doctor');
    for (const path of PATHS) await settled(path);
    assert.ok(statSync(join(v1, 'index')).size > 0);
    await stop();
  });
}

/** The package as it is, and the same under the number of a later release. */
function pack() {
  const archive = (from) => shell(`npm pack "${from}" --pack-destination "${work}" --loglevel=error`, { cwd: work }).trim().split('\n').pop();
  const source = join(checkout, 'bindings/node');
  cpSync(join(work, archive(source)), join(work, 'nextcache.tgz'));
  const newer = join(work, 'newer');
  rmSync(newer, { recursive: true, force: true });
  cpSync(source, newer, { recursive: true, filter: (file) => !file.includes('node_modules') });
  const manifest = JSON.parse(readFileSync(join(newer, 'package.json'), 'utf8'));
  writeFileSync(join(newer, 'package.json'), JSON.stringify({ ...manifest, version: '0.1.99' }));
  cpSync(join(work, archive(newer)), join(work, 'newer.tgz'));
}

const installed = () => JSON.parse(readFileSync(join(app, 'node_modules/nextcache/package.json'), 'utf8')).version;
const price = async () => /data-price="(\d+)"/.exec(await settled('/offers'))[1];

/** The chapters on upgrading and going back: what was fetched, and what was invalidated, stays. */
async function releases(upgrade, back) {
  await start();
  await visitAll();
  const before = await price();
  await runBlock(upgrade);
  await check('after an upgrade, what was fetched is still there', async () => {
    assert.equal(installed(), '0.1.99');
    await start();
    assert.equal(await price(), before);
    shell('nextcache invalidate prices');
    assert.notEqual(await price(), before);
  });
  const after = await price();
  await runBlock(back);
  await check('and after going back, what was invalidated stays so', async () => {
    assert.equal(installed(), JSON.parse(readFileSync(join(checkout, 'bindings/node/package.json'), 'utf8')).version);
    await start();
    assert.equal(await price(), after);
    await stop();
  });
}

async function run() {
  await check('a clean checkout builds', () => {
    if (!existsSync(checkout)) shell(`git clone -q --depth 1 "file://${repository}" "${checkout}"`, { cwd: work });
    shell('examples/storefront/run --install', { cwd: checkout });
    pack();
  });
  writeApp();
  const all = blocks();
  const blockWith = (text) => all.findIndex((lines) => lines.some((line) => line.includes(text)));
  const [upgrade, back, out] = [blockWith('nextcache@latest'), blockWith('nextcache@0'), blockWith('uninstall')];
  await check('the guide has its commands', () => assert.ok(upgrade > 0 && back > upgrade && out > back && all.flat().length >= 20, JSON.stringify(all)));
  await runBlock(all[0]);
  await check('the app is built', () => shell('next build && nextcache check-build'));
  for (const lines of all.slice(1, upgrade)) await runBlock(lines);
  await stop();
  await recovery();
  await releases(all[upgrade], all[back]);
  for (const lines of all.slice(out)) await runBlock(lines);
  await check('and out: nothing of it is left, and the app builds and serves without', async () => {
    assert.equal(readFileSync(join(app, 'next.config.js'), 'utf8'), FILES['next.config.js']);
    assert.equal(existsSync(join(app, '.env.production')), false);
    assert.equal(existsSync(join(app, 'node_modules/nextcache')), false);
    shell('rm -rf .next && next build');
    await start();
    await visitAll();
    assert.ok(!/^\W*nextcache:/m.test(server.log), server.log); // paths may well have the name
  });
}

mkdirSync(work, { recursive: true });
try {
  await run();
} finally {
  await stop();
  if (!kept) rmSync(work, { recursive: true, force: true });
}
console.log(`guide: ${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed ? 1 : 0);
