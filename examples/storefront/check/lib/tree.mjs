// A tree is a copy of the shop in a folder of its own, with its own build and
// its own cache directory. Trees lie inside the shop's folder, because
// Turbopack must see them and the package `nextcache` below one root.
import { cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.mjs';
import { Server } from './server.mjs';

export const shopFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const SOURCES = ['package.json', 'next.config.js', 'tsconfig.json', '.env.production', 'public', 'src'];
const RUNTIME = ['package.json', 'next.config.js', '.env.production', 'public', '.next', '.cache'];

/** All files below a folder that exists, with their sizes; what vanishes while
 *  it is listed is not there. */
export function filesBelow(folder) {
  const found = [];
  const walk = (path) => {
    let entries = [];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    for (const entry of entries) {
      const full = join(path, entry.name);
      if (entry.isDirectory()) walk(full);
      else {
        const info = statSync(full, { throwIfNoEntry: false });
        if (info) found.push({ path: full, name: entry.name, bytes: info.size, allocated: info.blocks * 512 });
      }
    }
  };
  walk(folder);
  return found;
}

/** The forms in which a text may stand in a file of the cache: as it is, as UTF-16 beside letters
 *  beyond Latin-1, and as base64, which Next.js makes of what it fetched. */
export function formsOf(text) {
  return [Buffer.from(text), Buffer.from(text, 'utf16le'), ...[0, 1, 2].map((before) => base64Of(text, before))];
}

/** What of a text's base64 does not depend on what stands beside it, with so many bytes before it. */
function base64Of(text, before) {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
  return whole.slice(before === 0 ? 0 : before + 1);
}

export class Tree {
  #servers = new Set();

  constructor(folder, mode, environment) {
    this.folder = folder;
    this.mode = mode;
    this.environment = environment;
    this.cache = join(folder, '.cache/nextcache');
  }

  /** A tree of sources, without a build. */
  static create(folder, mode, environment) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const name of SOURCES) {
      if (existsSync(join(shopFolder, name))) cpSync(join(shopFolder, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(shopFolder, 'node_modules'), join(folder, 'node_modules'));
    return new Tree(folder, mode, environment);
  }

  /** `next build`; throws what it printed when it fails. */
  async build(environment = {}) {
    const log = join(this.folder, 'build.log');
    const output = openSync(log, 'w');
    const code = await runChild(process.execPath, [join(shopFolder, 'node_modules/next/dist/bin/next'), 'build'], {
      cwd: this.folder, env: this.variables(environment), stdio: ['ignore', output, output],
    });
    if (code !== 0) throw new Error(`next build failed:\n${readFileSync(log, 'utf8').slice(-4000)}`);
    return readFileSync(log, 'utf8');
  }

  /** A copy to run, with the cache and the files' times as they are; `how`
   *  may take the times away, as `cp -r` does. `sources`: one to build again. */
  async copy(folder, { keepTimes = true, sources = false } = {}) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const names = (sources ? [...new Set([...SOURCES, ...RUNTIME])] : RUNTIME).filter((name) => existsSync(join(this.folder, name)));
    // `cp` itself, because it is what people use.
    const code = await runChild('cp', [keepTimes ? '-a' : '-r', ...names, folder], { cwd: this.folder, stdio: 'inherit' });
    if (code !== 0) throw new Error(`cp of ${this.folder} failed`);
    if (!sources) rmSync(join(folder, '.next/cache'), { recursive: true, force: true });
    symlinkSync(join(shopFolder, 'node_modules'), join(folder, 'node_modules'));
    return new Tree(folder, this.mode, this.environment);
  }

  variables(more = {}) {
    const { NEXT_CACHE_DIR, NEXT_CACHE_HANDLER_PATH, ...inherited } = process.env;
    return { ...inherited, NODE_ENV: 'production', SHOP_MODE: this.mode, ...this.environment, ...more };
  }

  /** `next start` on a free port. */
  async start(environment = {}, options = {}) {
    const server = await Server.start(this, this.variables(environment), options);
    this.#servers.add(server);
    return server;
  }

  logs() {
    return [...this.#servers].map((server) => server.log);
  }

  async stopAll() {
    await Promise.all([...this.#servers].map((server) => server.stop()));
    this.#servers.clear();
  }

  clearCache() {
    rmSync(this.cache, { recursive: true, force: true });
  }

  async remove() {
    await this.stopAll();
    rmSync(this.folder, { recursive: true, force: true });
  }

  manifest() {
    return JSON.parse(readFileSync(join(this.folder, '.next/prerender-manifest.json'), 'utf8'));
  }

  /** What the cache directory holds: bytes without the index file. */
  cacheBytes() {
    return filesBelow(this.cache).filter((file) => file.name !== 'index').reduce((sum, file) => sum + file.allocated, 0);
  }
}
