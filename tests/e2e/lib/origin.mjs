// The back end of the app under test. Everything exists and has the value
// "1" until a check says otherwise; all requests are counted.
import { once } from 'node:events';
import http from 'node:http';

const LONGEST_HANG_MS = 15_000;

export class Origin {
  #values = new Map();
  #counts = new Map();
  #hanging = new Map();
  down = false;

  /** On `port` if it is free, because the address is part of every fetch's key. */
  async open(port) {
    this.server = http.createServer((request, response) => this.#answer(request, response));
    this.server.keepAliveTimeout = 0; // never closed just as it is used again
    try {
      await once(this.server.listen(port, '127.0.0.1'), 'listening');
    } catch {
      await once(this.server.listen(0, '127.0.0.1'), 'listening');
    }
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** What a thing is from now on; null when there is no such thing. */
  set(name, value) {
    this.#values.set(name, value);
  }

  /** How many times a thing was asked for since reset(). */
  asked(name) {
    return this.#counts.get(name) ?? 0;
  }

  /** Answers for a thing, with the value of when it was asked for, wait until the function that is returned is called,
   *  or for as long as a check is worth. */
  hang(name) {
    let release;
    this.#hanging.set(name, new Promise((resolve) => { release = resolve; }));
    const end = () => {
      this.#hanging.delete(name);
      release();
    };
    setTimeout(end, LONGEST_HANG_MS).unref();
    return end;
  }

  reset() {
    this.#values.clear();
    this.#counts.clear();
    this.down = false;
  }

  async #answer(request, response) {
    const name = decodeURIComponent(request.url.slice(1));
    this.#counts.set(name, this.asked(name) + 1);
    const sent = [];
    for await (const chunk of request) sent.push(chunk);
    const value = this.#values.has(name) ? this.#values.get(name) : '1';
    await this.#hanging.get(name);
    if (this.down) response.writeHead(503).end();
    else if (value === null) response.writeHead(404).end();
    else if (name === 'bytes') response.end(Buffer.from([0, 0x80, 0xff, 0xc3, 0x28]));
    else if (name === 'me') this.#json(response, { who: request.headers.authorization });
    else this.#json(response, { value, sent: Buffer.concat(sent).toString() });
  }

  #json(response, body) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}
