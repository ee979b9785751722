// Connections, and Next.js that ends and comes back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ask, talk } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startNext, startPageServer, startProgram } from './lib/process.mjs';

const GET = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: site.test\r\n${more}\r\n`;
const CLOSE = 'Connection: close\r\n';
const BODY = Buffer.alloc(8 * 2 ** 20, 'x'); // more than sockets hold
const count = (text, part) => text.split(part).length - 1;

/** A site that answers the first request of a connection, and closes it at the second. */
async function startClosingSite() {
  const asked = [], known = new Set();
  const site = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (known.has(request.socket)) return request.socket.destroy();
    known.add(request.socket);
    return response.end('done');
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  return { site, asked, port: site.address().port };
}

async function checkClosing(folder) {
  const { site, asked, port } = await startClosingSite();
  const server = await startPageServer(folder, port);
  const post = 'POST /me HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n';
  await check('what has an effect is sent once, and on a connection that was not idle', async () => {
    const text = await talk(server.port, `${GET('/me?1')}${post}\r\n${post}${CLOSE}\r\n`);
    assert.equal(count(text, 'HTTP/1.1 200 OK'), 3);
    assert.deepEqual(asked.splice(0), ['GET /me?1', 'POST /me', 'POST /me']);
  });
  await check('what has none is sent again when an idle connection was closed', async () => {
    const text = await talk(server.port, GET('/me?1') + GET('/me?2', CLOSE));
    assert.equal(count(text, 'HTTP/1.1 200 OK'), 2);
    assert.deepEqual(asked.splice(0), ['GET /me?1', 'GET /me?2', 'GET /me?2']);
  });
  await server.end();
  site.closeAllConnections();
  site.close();
}

/** The first line that it prints with these arguments. */
async function begins(folder, ...args) {
  const program = startProgram(folder, ...args);
  const [line] = await program.printed(/^.+\n/);
  await program.end();
  return line.trim();
}

async function checkArguments(folder) {
  const hasIpv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1'); // not in every container
  for (const listen of hasIpv6 ? ['127.0.0.1:0', '[::1]:0'] : ['127.0.0.1:0']) {
    await check(`it listens on ${listen}`, async () => assert.match(await begins(folder, '--listen', listen), /^the site is open/));
  }
  for (const address of ['127.0.0.1', '127.0.0.1:', '127.0.0.1:x', '127.0.0.1:80x', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1: 80', '::1:8080', '[::1]', '[127.0.0.1]:80', 'localhost:80', '[::1:80']) {
    await check(`refused: --next ${address}`, async () => assert.match(await begins(folder, '--listen', '127.0.0.1:0', '--next', address), /an address is/));
  }
  for (const args of [['--memory', 'x'], ['--memory', '-1'], ['--memory', '1MB'], ['--memory', '99999999999999999999'], ['--threads', '0'], ['--threads', '2x'], ['--threads', '65'], ['--site']]) {
    await check(`refused: ${args.join(' ')}`, async () => assert.match(await begins(folder, '--listen', '127.0.0.1:0', ...args), /^usage: /));
  }
}

/** Next.js is there. */
async function checkRequests(server) {
  await check('requests in one piece are answered one after the other', async () => {
    const before = await counters(server);
    const text = await talk(server.port, GET('/').repeat(50) + GET('/me').repeat(3) + GET('/long').repeat(50) + GET('/', CLOSE));
    assert.equal(count(text, 'HTTP/1.1 200 OK'), 104);
    assert.equal(count(text, '</html>'), 104);
    assert.equal(count(text, 'Connection: close'), 1);
    assert.equal((await counters(server)).served, before.served + 101);
  });
  await check('a request that comes byte by byte', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    let text = '';
    socket.on('data', (part) => { text += part; });
    for (const byte of GET('/', CLOSE)) await new Promise((resolve) => { socket.write(byte, resolve); });
    await new Promise((resolve) => { socket.on('close', resolve); });
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*<\/html>$/);
  });
  await check('a client that reads slowly gets all', async () => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(GET('/long').repeat(299) + GET('/long', CLOSE)));
    let size = 0;
    socket.on('data', (part) => {
      size += part.length;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    await new Promise((resolve) => { socket.on('close', resolve); });
    assert.ok(size > 300 * 67000 && size < 300 * 68500, String(size));
  });
  await check('bodies reach Next.js whole, with a length and in chunks', async () => {
    const body = JSON.stringify({ tag: 'none', filler: 'x'.repeat(300_000) });
    assert.equal((await ask(server.port, '/api/admin', { method: 'POST', body, headers: { 'content-length': body.length } })).status, 200);
    assert.equal((await ask(server.port, '/api/admin', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })).status, 200);
  });
  await check('who is answered before all of the body was sent can send the rest', async () => {
    const post = `POST /long HTTP/1.1\r\nHost: site.test\r\nContent-Length: ${BODY.length}\r\n\r\n`;
    const text = await talk(server.port, Buffer.concat([Buffer.from(post), BODY]));
    assert.match(text, /^HTTP\/1\.1 405 [^]*\r\n0\r\n\r\n$/);
  });
  await check('what is not HTTP is refused', async () => {
    assert.match(await talk(server.port, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(await talk(server.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });
}

export async function run({ folder }) {
  let next = await startNext(folder);
  const { port } = next;
  const server = await startPageServer(folder, port);
  for (let times = 0; times < 4; times += 1) for (const path of ['/', '/long', '/me']) await ask(server.port, path);

  await checkRequests(server);
  await check('without Next.js: what is fresh is served, the rest is 502', async () => {
    await next.end('SIGKILL');
    for (let times = 0; times < 3; times += 1) {
      assert.equal((await ask(server.port, '/long')).status, 200);
      assert.equal((await ask(server.port, '/me')).status, 502);
      assert.equal((await ask(server.port, '/long', { method: 'POST' })).status, 502);
    }
    assert.equal((await counters(server)).failed, 6);
  });
  await check('a 502 is seen by who is still sending a body', async () => {
    for (let times = 0; times < 5; times += 1) {
      assert.equal((await ask(server.port, '/long', { method: 'POST', body: BODY })).status, 502);
    }
  });
  await check('after its restart all is as before', async () => {
    next = await startNext(folder, port);
    assert.match((await ask(server.port, '/me', { headers: { cookie: 'name=ada' } })).text, /ada/);
    assert.equal((await ask(server.port, '/long')).status, 200);
  });
  await check('it starts without Next.js, and serves what was learned before', async () => {
    await next.end();
    const again = await startPageServer(folder, port);
    assert.equal((await ask(again.port, '/long')).status, 200);
    assert.equal((await ask(again.port, '/me')).status, 502);
    assert.equal(await again.end(), 0);
  });
  await check('idle connections are closed, after the time that was said', async () => {
    const begin = Date.now();
    await talk(server.port, GET('/'));
    const seconds = (Date.now() - begin) / 1000;
    assert.ok(seconds > 5, `${seconds} s`);
  });
  await check('it ends while connections are open', async () => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(GET('/')));
    socket.on('error', () => {});
    await new Promise((resolve) => { socket.once('data', resolve); });
    await sleep(10);
    assert.equal(await server.end(), 0);
    socket.destroy();
  });
  await checkClosing(folder);
  await checkArguments(folder);
}
