// The Redis that the subjects on a server need: on loopback, on a free port, started
// when it is first asked for and ended with the run, by its process id.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../examples/storefront/check/lib/server.mjs';
import { requirePeer, scratchFolder } from './places.mjs';

export class Redis {
  static #started;

  /** The address of the running server, which is emptied. */
  static async fresh() {
    Redis.#started ??= Redis.#start();
    const { url, client } = await Redis.#started;
    await client.flushAll();
    return url;
  }

  /** The same, as it is. */
  static async running() {
    Redis.#started ??= Redis.#start();
    return (await Redis.#started).url;
  }

  /** How many GETs it has answered. */
  static async gets() {
    const { client } = await Redis.#started;
    return Number(/^cmdstat_get:calls=(\d+)/m.exec(await client.info('commandstats'))?.[1] ?? 0);
  }

  static async #start() {
    const port = await freePort();
    const folder = join(scratchFolder, 'redis');
    mkdirSync(folder, { recursive: true });
    // Without files, as it is used for caches; it tells of keys that expire, which trieb wants.
    // Debian's redis-tools has the server under another name, and starts no service.
    const process = spawn('redis-check-rdb', ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '',
      '--appendonly', 'no', '--notify-keyspace-events', 'Exe'], { argv0: 'redis-server', stdio: 'ignore' });
    process.on('error', () => {});
    Redis.process = process;
    const url = `redis://127.0.0.1:${port}`;
    const client = requirePeer('@redis/client').createClient({ url });
    client.on('error', () => {}); // until it is up, it refuses
    await client.connect();
    return { url, client };
  }

  static async stop() {
    if (!Redis.#started) return;
    const { client } = await Redis.#started.catch(() => ({}));
    client?.destroy();
    Redis.process.kill('SIGTERM');
  }
}
