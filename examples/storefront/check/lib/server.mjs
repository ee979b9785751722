// One `next start`.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startChild } from './child.mjs';
import { shopFolder } from './tree.mjs';

export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** What a response says about itself. */
export class Page {
  constructor(response, bytes) {
    this.status = response.status;
    this.headers = response.headers;
    this.bytes = bytes;
  }

  get text() {
    return this.bytes.toString('utf8');
  }

  /** HIT, STALE, MISS, …; null where Next.js does not say. */
  get cache() {
    return this.headers.get('x-nextjs-cache');
  }

  /** The number in a data attribute of the page; null without one. */
  number(name) {
    const match = new RegExp(`data-${name}="(\\d+)"`).exec(this.text);
    return match ? Number(match[1]) : null;
  }

  get price() {
    return this.number('price');
  }

  get madeAt() {
    return this.number('made-at') ?? (Number(/"madeAt":(\d+)/.exec(this.text)?.[1]) || null);
  }
}

export class Server {
  log = '';

  /** `npm`: by the script of package.json of that name, in the place of Next's command line. */
  static async start(tree, variables, { uid, gid, npm = false, script = 'start' } = {}) {
    const server = new Server();
    const port = await freePort();
    server.url = `http://127.0.0.1:${port}`;
    server.key = variables.SHOP_API_KEY;
    server.startedAt = Date.now();
    const where = ['-H', '127.0.0.1', '-p', String(port)];
    const command = npm ? ['npm', 'run', script, '--', ...where]
      : [process.execPath, join(shopFolder, 'node_modules/next/dist/bin/next'), 'start', ...where];
    server.process = startChild(command[0], command.slice(1),
      { cwd: tree.folder, env: variables, stdio: ['ignore', 'pipe', 'pipe'], uid, gid });
    server.ended = once(server.process, 'exit');
    for (const stream of [server.process.stdout, server.process.stderr]) {
      stream.on('data', (text) => { server.log += text; });
    }
    await server.#ready();
    return server;
  }

  async #ready() {
    const deadline = Date.now() + 180_000;
    while (!this.log.includes('Ready in')) {
      if (this.process.exitCode !== null || Date.now() > deadline) {
        this.kill();
        throw new Error(`next start did not come up:\n${this.log.slice(-3000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async fetch(path, options = {}) {
    const response = await fetch(this.url + path, { redirect: 'manual', signal: AbortSignal.timeout(180_000), ...options });
    return new Page(response, Buffer.from(await response.arrayBuffer()));
  }

  get(path, headers = {}) {
    return this.fetch(path, { headers });
  }

  /** The cache's counters, as the shop's own route tells them. */
  async stats() {
    const answer = await this.get('/api/cache-stats', { 'x-shop-key': this.key });
    if (answer.status !== 200) throw new Error(`/api/cache-stats answered ${answer.status}`);
    return JSON.parse(answer.text);
  }

  async stop() {
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.ended;
    clearTimeout(late);
  }

  /** kill -9 */
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
