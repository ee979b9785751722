// The two servers: `next start`, and the page server in front of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ask } from './http.mjs';
import { nextProgram, workFolder } from './build.mjs';

const READY_MS = 60_000;
const running = new Set();

process.once('exit', () => { for (const child of running) child.kill('SIGKILL'); });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** A program that is up when it has printed `ready`. */
export class Program {
  log = '';

  constructor(command, args, options) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.ended = once(this.child, 'exit');
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (text) => { this.log += text; });
  }

  /** The match of `pattern` in what it prints. */
  async printed(pattern) {
    for (const deadline = Date.now() + READY_MS; ; await sleep(5)) {
      const match = pattern.exec(this.log);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode || Date.now() > deadline) throw new Error(`not seen: ${pattern}\n${this.log.slice(-2000)}`);
    }
  }

  async end(signal = 'SIGTERM') {
    if (this.child.exitCode === null && !this.child.signalCode) this.child.kill(signal);
    const late = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await this.ended;
    clearTimeout(late);
    return this.child.exitCode;
  }
}

/** Unless it is to be `cold` it has made its cache, as it does with its first request. */
export async function startNext(folder, port, { cold = false } = {}) {
  const used = port ?? await freePort();
  const next = new Program(process.execPath, [nextProgram, 'start', '-H', '127.0.0.1', '-p', String(used)],
    { cwd: folder, env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', NEXT_CACHE_DIR: join(folder, '.cache/nextcache') } });
  await next.printed(/Ready in/);
  if (!cold) await ask(used, '/');
  return Object.assign(next, { port: used });
}

export const startProgram = (folder, ...args) =>
  new Program(process.env.PAGE_SERVER ?? join(workFolder, 'bin/page-server'), ['--site', folder, ...args]);

export async function startPageServer(folder, nextPort, ...args) {
  const server = startProgram(folder, '--listen', '127.0.0.1:0', '--next', `127.0.0.1:${nextPort}`, ...args);
  const [, port] = await server.printed(/listening on 127\.0\.0\.1:(\d+)/);
  return Object.assign(server, { port: Number(port) });
}

/** {served, proxied, learned, failed} so far. */
export async function counters(server) {
  const before = server.log.length;
  server.child.kill('SIGUSR1');
  for (;;) {
    if (server.child.exitCode !== null || server.child.signalCode) throw new Error(`the page server has ended:\n${server.log}`);
    const match = /served (\d+), proxied (\d+), learned (\d+), failed (\d+)\n/.exec(server.log.slice(before));
    if (match) return { served: Number(match[1]), proxied: Number(match[2]), learned: Number(match[3]), failed: Number(match[4]) };
    await sleep(2);
  }
}
