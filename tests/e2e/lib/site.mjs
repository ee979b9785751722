// A built app in a folder of its own, and the servers that run it.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../../examples/storefront/check/lib/child.mjs';
import { freePort } from '../../../examples/storefront/check/lib/server.mjs';
import { formsOf } from '../../../examples/storefront/check/lib/tree.mjs';
import { Page } from './page.mjs';

// A dev server compiles before it answers, on a machine that may be busy.
const PATIENCE_MS = 180_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Server {
  log = '';

  /** Starts node with `args`, which may say PORT for the port it is to use. */
  static async start(args, options) {
    try {
      return await Server.#startOnce(args, options);
    } catch (error) {
      // A port that was free may be somebody else's a moment later.
      if (!error.message.includes('EADDRINUSE')) throw error;
      return Server.#startOnce(args, options);
    }
  }

  static async #startOnce(args, { cwd, env }) {
    const server = new Server();
    const port = String(await freePort());
    server.url = `http://localhost:${port}`;
    server.process = startChild(process.execPath, args.map((arg) => (arg === 'PORT' ? port : arg)), {
      cwd, env: { ...env, PORT: port, HOSTNAME: 'localhost' }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    server.ended = once(server.process, 'exit');
    for (const stream of [server.process.stdout, server.process.stderr]) {
      stream.on('data', (text) => { server.log += text; });
    }
    await server.#ready();
    return server;
  }

  async #ready() {
    const deadline = Date.now() + PATIENCE_MS;
    while (!/Ready in/.test(this.log)) {
      if (this.process.exitCode !== null || Date.now() > deadline) {
        await this.kill();
        throw new Error(`the server did not come up:\n${this.log.slice(-3000)}`);
      }
      await sleep(20);
    }
  }

  async fetch(path, options = {}) {
    const response = await fetch(this.url + path, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS), ...options });
    return new Page(response, Buffer.from(await response.arrayBuffer()));
  }

  get(path, headers = {}) {
    return this.fetch(path, { headers });
  }

  /** A page as a client navigation gets it. Next 16 sends a client that does
   *  not know the hash of its own headers to the address that has it. */
  async navigate(path, headers = {}) {
    const asked = { RSC: '1', ...headers };
    const page = await this.get(path, asked);
    const location = page.headers.get('location');
    return page.status === 307 && location?.includes('_rsc') ? this.get(location, asked) : page;
  }

  async #admin(body) {
    const answer = await this.fetch('/api/admin', { method: 'POST', body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`/api/admin answered ${answer.status}\n${this.log.slice(-1500)}`);
    return answer.json;
  }

  /** Without a profile, and with {expire: 0} where Next.js wants one: dead at once. */
  revalidateTag(tag, profile = { expire: 0 }) {
    return this.#admin({ tag, profile });
  }

  revalidatePath(path, type) {
    return this.#admin({ path, type });
  }

  /** Sends the only form of a page, as a browser without scripts does. */
  async submit(path) {
    const page = await this.get(path);
    const form = /<form[\s\S]*?<\/form>/.exec(page.text)?.[0];
    if (!form) throw new Error(`${path} has no form:\n${page.text.slice(0, 2000)}`);
    const body = new FormData();
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const attribute = (name) => new RegExp(`\\s${name}="([^"]*)"`).exec(input)?.[1];
      if (attribute('name')) body.set(attribute('name'), attribute('value') ?? '');
    }
    return this.fetch(path, { method: 'POST', body, headers: { origin: this.url } });
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

export class Site {
  #servers = new Set();

  constructor(folder, environment) {
    Object.assign(this, { folder, environment, cache: join(folder, '.cache/nextcache') });
  }

  /** A copy beside the original, with its cache and the times of its files. */
  copy(name) {
    const folder = `${this.folder}-${name}`;
    rmSync(folder, { recursive: true, force: true });
    cpSync(this.folder, folder, {
      recursive: true, preserveTimestamps: true, verbatimSymlinks: true,
      filter: (from) => !from.startsWith(join(this.folder, '.next/standalone')) && !from.startsWith(join(this.folder, '.next/cache')),
    });
    return new Site(folder, this.environment);
  }

  /** The standalone server of this build, alone in a folder far from here. */
  standalone() {
    const folder = mkdtempSync(join(tmpdir(), 'nextcache-e2e-'));
    cpSync(join(this.folder, '.next/standalone'), folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    const inside = join(folder, this.folder.split('/').pop());
    cpSync(join(this.folder, '.next/static'), join(inside, '.next/static'), { recursive: true });
    const site = new Site(inside, this.environment);
    site.temporary = folder;
    return site;
  }

  variables(more = {}) {
    const { NEXT_CACHE_DIR, NEXT_CACHE_HANDLER_PATH, NODE_ENV, ...inherited } = process.env;
    // `next dev` of 15 would look for a lock file to mend, in the registry.
    return { ...inherited, NEXT_IGNORE_INCORRECT_LOCKFILE: '1', ...this.environment, ...more };
  }

  async #run(args, more) {
    const server = await Server.start(args, { cwd: this.folder, env: this.variables(more) });
    this.#servers.add(server);
    return server;
  }

  /** The command line of Next.js, which lies beside the app. */
  get next() {
    return join(this.folder, '../node_modules/next/dist/bin/next');
  }

  start(environment) {
    return this.#run([this.next, 'start', '-H', 'localhost', '-p', 'PORT'], { NODE_ENV: 'production', ...environment });
  }

  dev(environment, flags = []) {
    return this.#run([this.next, 'dev', ...flags, '-H', 'localhost', '-p', 'PORT'], environment);
  }

  /** server.js: the standalone one, or the custom server of the app. */
  serve(environment) {
    return this.#run(['server.js'], { NODE_ENV: 'production', ...environment });
  }

  logs() {
    return [...this.#servers].map((server) => server.log);
  }

  async remove() {
    await Promise.all([...this.#servers].map((server) => server.stop()));
    rmSync(this.temporary ?? this.folder, { recursive: true, force: true });
  }

  /** A prerendered page, as the build left it. */
  prerendered(router, path) {
    return readFileSync(join(this.folder, '.next/server', router, `${path}.html`), 'utf8');
  }

  /** What `next build` printed. */
  buildLog() {
    return readFileSync(join(this.folder, 'build.log'), 'utf8');
  }

  buildId() {
    return readFileSync(join(this.folder, '.next/BUILD_ID'), 'utf8').trim();
  }

  /** Whether a text is in any file of the cache, in any form. */
  cacheHolds(text) {
    const forms = formsOf(text);
    return this.#cacheFiles().some((file) => forms.some((form) => file.includes(form)));
  }

  /** The contents of every file below the cache directory, Next's own included. */
  #cacheFiles() {
    const contents = [];
    const walk = (path) => {
      if (!existsSync(path)) return;
      if (statSync(path).isDirectory()) for (const name of readdirSync(path)) walk(join(path, name));
      else contents.push(readFileSync(path));
    };
    walk(this.cache);
    walk(join(this.folder, '.next/cache'));
    return contents;
  }
}
