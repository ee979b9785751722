// Goal 12: what a visitor, and a server's bill, see of all this.
//
// One app, built with nextcache and without; the servers are up, and take turns
// in being asked.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../examples/storefront/check/lib/server.mjs';
import { Figures, rotated } from '../lib/compare.mjs';
import { benchFolder, peersFolder, requirePeer, rootFolder, workFolder } from '../lib/places.mjs';
import { zipf } from '../lib/popularity.mjs';
import { digits } from '../lib/statistics.mjs';

const PAGES = 550; // with their data ten times the 5 MB of memory
const SECONDS = 3;
const PAIRS_MIN = 10;
const ROUNDS_OF_A_START = 3; // V8 compiles the same server five percent better or worse from start to start
const WARM_UP_SECONDS = 3;
const CONNECTIONS = 10;
const READY_MS = 120_000;
const TICKS_PER_SECOND = 100;
const OWN_HANDLER = 'Next.js, as a handler';
const DIRECT = 'nextcache, direct';
const MODES = {
  'Next.js': { folder: 'app-default', environment: {} },
  [OWN_HANDLER]: { folder: 'app-handler', environment: { BENCH_HANDLER: './next-handler.js' } },
  nextcache: { folder: 'app-nextcache', environment: { BENCH_HANDLER: 'nextcache/cache-handler' } },
  [DIRECT]: { folder: 'app-nextcache', environment: { BENCH_HANDLER: 'nextcache/cache-handler', BENCH_DIRECT: '1' } },
};

export const title = '`next start`: requests per second, and CPU per request';
export const about = `The same app, built with the handler and without, both under \`next start\` with 5 MB of memory for the cache; pages of about 40 KB
of HTML. "One page" is asked for again and again; "working set" is ${PAGES} pages, ten times the memory, by Zipf 0.99. CPU is that of the
server's processes; a round is one turn of each, in rotating order, and after three of them all are started anew. "${OWN_HANDLER}" is Next's own cache once more, named as \`cacheHandler\`: what
Next itself spends on any handler, which it imports three times for every request. "${DIRECT}" is the same build, whose next.config puts
\`withDirectHandler\` around itself: Next does not import it then.`;
export const metrics = { cpu: 'µs of CPU per request', rate: 'requests a second' };
export const long = true;

// ---- building -------------------------------------------------------------------------

function installNextcache() {
  const target = join(peersFolder, 'node_modules/nextcache');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const archive = execFileSync('npm', ['pack', join(rootFolder, 'bindings/node'), '--pack-destination', workFolder, '--loglevel=error'], { encoding: 'utf8' }).trim().split('\n').pop();
  execFileSync('tar', ['-xzf', join(workFolder, archive), '-C', target, '--strip-components=1']);
  rmSync(join(workFolder, archive));
}

async function buildApp({ folder: name, environment }) {
  const folder = join(peersFolder, name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(benchFolder, 'app'), folder, { recursive: true });
  const log = openSync(join(workFolder, 'log', `${name}.log`), 'w');
  const child = spawn(process.execPath, [requirePeer.resolve('next/dist/bin/next'), 'build'], { cwd: folder, env: { ...process.env, NODE_ENV: 'production', ...environment }, stdio: ['ignore', log, log] });
  const [code] = await once(child, 'exit');
  closeSync(log);
  if (code !== 0) throw new Error(`next build failed: build/bench/log/${name}.log says why`);
}

// ---- serving --------------------------------------------------------------------------

const servers = new Set();

async function startServer(label) {
  const folder = join(peersFolder, MODES[label].folder);
  const { environment } = MODES[label];
  const port = await freePort();
  const child = spawn(process.execPath, [requirePeer.resolve('next/dist/bin/next'), 'start', '-H', '127.0.0.1', '-p', String(port)], { cwd: folder, env: { ...process.env, NODE_ENV: 'production', ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
  const server = { label, child, url: `http://127.0.0.1:${port}` };
  servers.add(server);
  let log = '';
  child.stdout.on('data', (text) => { log += text; });
  for (const deadline = Date.now() + READY_MS; !/Ready in/.test(log); ) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`next start did not come up:\n${log.slice(-1000)}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  return server;
}

async function stopServer(server) {
  servers.delete(server);
  server.child.kill('SIGTERM');
  await once(server.child, 'exit');
}

function childrenOf(pid) {
  const of = (task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return readdirSync(`/proc/${pid}/task`).flatMap(of).flatMap((child) => [child, ...childrenOf(child)]);
}

/** CPU of a process and those that it started, in µs. */
function cpuOf(pid) {
  let ticks = 0;
  for (const one of [pid, ...childrenOf(pid)]) {
    const fields = readFileSync(`/proc/${one}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1e6) / TICKS_PER_SECOND;
}

// ---- asking ---------------------------------------------------------------------------

const path = (page) => `/products/thing-${page}`;

async function visit(server, page) {
  const response = await fetch(server.url + path(page));
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${path(page)} answered ${response.status}`);
  return response.headers.get('x-nextjs-cache');
}

/** Every page once, so that all are stored. */
async function visitAll(server, pages) {
  for (let page = 0; page < pages; page += 1) await visit(server, page);
  const said = await visit(server, pages - 1);
  if (said !== 'HIT') throw new Error(`${server.label}: the second visit of a page is no hit but ${said}`);
}

async function ask(server, { pages }, seconds, seed) {
  const autocannon = requirePeer('autocannon');
  const draw = zipf(pages, 0.99, seed);
  const before = cpuOf(server.child.pid);
  const result = await autocannon({
    url: server.url, connections: CONNECTIONS, duration: seconds,
    requests: [{ method: 'GET', setupRequest: (request) => ({ ...request, path: path(pages === 1 ? 0 : draw()) }) }],
  });
  if (result.non2xx || result.errors) throw new Error(`${server.label}: ${result.non2xx} answers that were not 200, ${result.errors} errors`);
  const requests = result['2xx'];
  return { cpu: (cpuOf(server.child.pid) - before) / requests, rate: requests / result.duration };
}

/** Some rounds of servers that are started for them. */
async function compareStart(setting, numbers, figures) {
  const up = [];
  try {
    for (const label of setting.modes) up.push(await startServer(label));
    for (const server of up) await visitAll(server, setting.pages);
    for (const server of up) await ask(server, setting, WARM_UP_SECONDS, 1);
    for (const number of numbers) {
      for (const server of rotated(up, number)) {
        figures.add(setting.label, server.label, number, await ask(server, setting, SECONDS, number + 2));
      }
    }
  } finally {
    for (const server of up) await stopServer(server);
  }
}

async function compareSetting(setting, pairs, figures) {
  figures.settings.push(setting.label);
  const numbers = Array.from({ length: pairs }, (_, number) => number);
  while (numbers.length > 0) await compareStart(setting, numbers.splice(0, ROUNDS_OF_A_START), figures);
}

const HERE = [{ label: 'one page', pages: 1, modes: Object.keys(MODES) }, { label: 'working set', pages: PAGES, modes: ['Next.js', 'nextcache'] }];

export async function run({ rounds, exact }) {
  const figures = new Figures();
  process.once('exit', () => { for (const { child } of servers) child.kill('SIGKILL'); });
  installNextcache();
  mkdirSync(join(workFolder, 'log'), { recursive: true });
  for (const mode of Object.values(MODES)) if (!mode.environment.BENCH_DIRECT) await buildApp(mode);
  for (const setting of HERE) await compareSetting(setting, exact ? rounds : Math.max(rounds, PAIRS_MIN), figures);
  if (!existsSync(join(peersFolder, MODES.nextcache.folder, '.cache/nextcache'))) throw new Error('the server has not used nextcache');
  const rate = figures.ratio('one page', 'rate', 'nextcache', 'Next.js');
  const direct = figures.ratio('one page', 'rate', DIRECT, 'Next.js');
  const beside = figures.ratio('one page', 'rate', 'nextcache', OWN_HANDLER);
  const cpu = figures.ratio('working set', 'cpu', 'nextcache', 'Next.js');
  return {
    figures,
    goals: [
      { number: 12, goal: 'page in memory: requests a second ≥ 0.97 × default', figure: `${digits(rate.median)}; beside Next's own cache as a handler: ${digits(beside.median)}`, reached: rate.median >= 0.97 },
      { number: 12, goal: 'the same, with withDirectHandler around next.config', figure: digits(direct.median), reached: direct.median >= 0.97 },
      { number: 12, goal: 'working set 10 × the memory tier: CPU per request ≤ 0.92 × default', figure: digits(cpu.median), reached: cpu.median <= 0.92 },
    ],
  };
}
