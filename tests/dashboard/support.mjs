// What the tests of the dashboard share: a cache with servers that use it, the tool
// that shows it, and a browser that sees all that a page asks for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { installPlaywright } from '../e2e/lib/install.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const build = process.env.NXC_TEST_BUILD ?? join(root, 'build/release');
export const tool = join(build, 'nextcache');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a probe finds, once it is something; `what` was waited for in vain, a text or what makes one. */
export async function until(probe, what, ms = 30_000) {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await probe();
    if (seen) return seen;
    assert.ok(Date.now() < end, `in vain: ${typeof what === 'function' ? what() : what}`);
    await sleep(100);
  }
}

/** A project with a build output and an empty cache. */
export class Project {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'shop-'));
    this.cache = join(this.folder, '.cache/nextcache');
    const dist = join(this.folder, '.next');
    mkdirSync(this.cache, { recursive: true });
    mkdirSync(dist);
    writeFileSync(join(this.folder, 'package.json'), '{ "name": "shop" }\n');
    writeFileSync(join(dist, 'BUILD_ID'), 'k3Jd82LmQ0');
    writeFileSync(join(dist, 'trace'), `${JSON.stringify([{ name: 'webpack', duration: 5 }])}\n${JSON.stringify([
      { name: 'next-build', duration: 42_744_833, startTime: Date.now() - 7_200_000, tags: {} }])}\n`);
    writeFileSync(join(dist, 'prerender-manifest.json'), JSON.stringify({
      routes: Object.fromEntries(Array.from({ length: 214 }, (_, i) => [`/products/${i}`, {}])) }));
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A process that uses the cache as a server does (tests/cli/fill.c). */
export class Server {
  #waiting = [];

  constructor(project, megabytes = 64) {
    this.child = spawn(join(build, 'tests/cli/cli_fill'), [project.cache, String(megabytes)], { stdio: ['pipe', 'pipe', 'inherit'], argv0: 'shop-server' });
    createInterface(this.child.stdout).on('line', (line) => this.#waiting.shift()(line));
  }

  tell(line) {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.child.stdin.write(`${line}\n`);
    });
  }

  async end() {
    this.child.stdin.end();
    await new Promise((resolve) => this.child.on('close', resolve));
  }
}

/** `nextcache dashboard` on a free port. */
export async function startDashboard(project, { args = [], env = {} } = {}) {
  const child = spawn(tool, ['dashboard', '--listen', '127.0.0.1:0', ...args], {
    cwd: project.folder, stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, ...env },
  });
  const port = await new Promise((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      const found = /on port (\d+)/.exec(line);
      if (found) resolve(Number(found[1]));
      else console.error(line);
    });
    child.on('close', (code) => reject(new Error(`it ended with ${code}`)));
  });
  return {
    child,
    port,
    url: `http://127.0.0.1:${port}`,
    end: () => new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.on('close', resolve);
      return child.kill('SIGTERM');
    }),
  };
}

export const openBrowser = () => installPlaywright().chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });

/** A page, and what it asked for, what was refused by the policy, and what went wrong. */
export async function look(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  const seen = { requests: [], violations: [], errors: [] };
  await page.exposeFunction('noteViolation', (text) => seen.violations.push(text));
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation',
    (event) => globalThis.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
  page.on('request', (request) => seen.requests.push(request.url()));
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') seen.errors.push(message.text());
  });
  await page.goto(url);
  return { page, seen, context };
}
