// The back office as the checks see it: the real API on a database of their
// own, behind a door that counts what the shop asks for. The door keeps its
// address for the whole run, because the address is part of every fetch's key.
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { startChild } from './child.mjs';
import { shopFolder } from './tree.mjs';

export class BackOffice {
  key = randomBytes(16).toString('hex');
  /** What was asked since reset(): "GET /path" -> times. */
  counts = new Map();

  constructor(folder) {
    this.folder = folder;
    this.seeded = join(folder, 'seeded.db');
    this.database = join(folder, 'shop.db');
  }

  async open() {
    mkdirSync(this.folder, { recursive: true });
    this.door = http.createServer((request, response) => this.#pass(request, response));
    // An idle connection that is closed just when a busy build uses it again fails the build.
    this.door.keepAliveTimeout = 0;
    this.door.listen(0, '127.0.0.1');
    await once(this.door, 'listening');
    this.url = `http://127.0.0.1:${this.door.address().port}`;
    await this.#start(this.seeded);
    await this.#stop();
    await this.reset();
  }

  /** Back to the database that every check begins with. */
  async reset() {
    await this.#stop();
    copyFileSync(this.seeded, this.database);
    await this.#start(this.database);
    this.counts.clear();
  }

  async close() {
    await this.#stop();
    this.door.closeAllConnections();
    this.door.close();
  }

  asked(path) {
    return this.counts.get(`GET ${path}`) ?? 0;
  }

  async call(method, path, body) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method, headers: { 'x-shop-key': this.key }, body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`the back office answered ${response.status} to ${method} ${path}`);
    return response.json();
  }

  product(slug) {
    return this.call('GET', `/products/${slug}`);
  }

  #pass(request, response) {
    const name = `${request.method} ${request.url}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    const onward = http.request(
      { agent: false, host: '127.0.0.1', port: this.port, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }

  async #start(database) {
    this.process = startChild(process.execPath, [join(shopFolder, 'api/server.mjs')], {
      env: { ...process.env, PORT: '0', SHOP_DATABASE: database, SHOP_API_KEY: this.key },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(this.process.stdout, 'data');
    this.port = Number(/:(\d+)\s*$/.exec(String(line))[1]);
  }

  async #stop() {
    if (!this.process) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
    this.process = null;
    rmSync(`${this.database}.owner`, { force: true });
  }
}
