// What a hostile client sends. A server of Node.js in the place of Next.js notes which
// requests it sees: they must be those that the page server has seen, and no others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { ask, talk } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startPageServer } from './lib/process.mjs';

const SECOND = 'GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const post = (headers, body = '') => `POST /first HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
const CHUNKED = 'Transfer-Encoding: chunked';
const NO_CHUNK = '0\r\n\r\n';

/** Two servers may see two different requests in these. */
const REFUSED = {
  'a length, then chunks': post(`Content-Length: 4\r\n${CHUNKED}`, NO_CHUNK),
  'chunks, then a length': post(`${CHUNKED}\r\nContent-Length: 4`, NO_CHUNK),
  'two lengths': post('Content-Length: 0\r\nContent-Length: 4', 'abcd'),
  'the same length twice': post('Content-Length: 4\r\nContent-Length: 4', 'abcd'),
  'a list of lengths': post('Content-Length: 4, 4', 'abcd'),
  'a length with a sign': post('Content-Length: +4', 'abcd'),
  'a length below zero': post('Content-Length: -4', 'abcd'),
  'a length in hexadecimal': post('Content-Length: 0x4', 'abcd'),
  'a length in two words': post('Content-Length: 1 0', 'abcd'),
  'an empty length': post('Content-Length: '),
  'a length past 64 bits': post('Content-Length: 18446744073709551617', 'a'),
  'an unknown transfer encoding': post('Transfer-Encoding: xchunked', NO_CHUNK),
  'chunks, then another encoding': post('Transfer-Encoding: chunked, identity', NO_CHUNK),
  'the same on two lines': post(`${CHUNKED}\r\nTransfer-Encoding: identity`, NO_CHUNK),
  'a space behind the name': post('Transfer-Encoding : chunked\r\nContent-Length: 5', NO_CHUNK),
  'a space in the name': post('X y: z'),
  'a control character before the value': post('Transfer-Encoding: \x0bchunked\r\nContent-Length: 5', NO_CHUNK),
  'a zero byte': post('X: a\0b'),
  'a folded line': post('Transfer-Encoding:\r\n chunked', NO_CHUNK),
  'a header folded into another': post(`X: a\r\n\t${CHUNKED}\r\nContent-Length: 5`, NO_CHUNK),
  'a first line that is folded': `POST /first HTTP/1.1\r\n ${CHUNKED}\r\nHost: a\r\nContent-Length: 5\r\n\r\n${NO_CHUNK}`,
  'bare line feeds': post('Content-Length: 5', NO_CHUNK).replaceAll('\r\n', '\n'),
  'one bare line feed': post(`X: a\n${CHUNKED}\r\nContent-Length: 5`, NO_CHUNK),
  'a bare carriage return': post(`X: a\r${CHUNKED}\r\nContent-Length: 5`, NO_CHUNK),
  'an end that is none': post('Content-Length: 5\r\n\rX', NO_CHUNK),
  'a header without a colon': post('abc'),
  'a size of a chunk that is none': post(CHUNKED, '0x0\r\n\r\n'),
  'a size of a chunk past 64 bits': post(CHUNKED, 'ffffffffffffffff1\r\na\r\n0\r\n\r\n'),
  'more headers than anybody needs': post(`X: ${'x'.repeat(100_000)}`),
};

/** These are two requests, whatever else is in them: [bytes, the body of the first]. */
const UNDERSTOOD = {
  'a chunk that is a request': [post(CHUNKED, `${SECOND.length.toString(16)}\r\n${SECOND}\r\n0\r\n\r\n`), SECOND],
  'an extension of a chunk': [post(CHUNKED, '1;a=b\r\na\r\n0\r\n\r\n'), 'a'],
  'trailers that are headers': [post(CHUNKED, '1\r\na\r\n0\r\nContent-Length: 9\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n'), 'a'],
  'a GET with a body': [`GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`, SECOND],
  'an Upgrade that nobody agrees to': ['GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', ''],
  'an Upgrade to HTTP/2': ['GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n\r\n', ''],
  'an address that is said to be the client’s': ['GET /first HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: X-Forwarded-For\r\n\r\n', ''],
};

/** Notes "METHOD path body" and the address that the last proxy saw; upgrades to "echo" alone. */
async function startRecorder() {
  const seen = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      seen.push([`${request.method} ${request.url} ${body}`, request.headers['x-forwarded-for']?.split(', ').pop()]);
      response.end('answered');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(server, { seen });
}

/** The same, which agrees to every Upgrade and then sends back what it gets. */
async function startEcho() {
  const server = createServer((request, response) => response.end('plain'));
  server.on('upgrade', (request, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${head}`);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function checkBytes(folder) {
  const recorder = await startRecorder();
  const { seen } = recorder;
  const server = await startPageServer(folder, recorder.address().port);
  for (const [what, bytes] of Object.entries(REFUSED)) {
    await check(`refused, and the connection closed: ${what}`, async () => {
      seen.length = 0;
      assert.match(await talk(server.port, bytes + SECOND), /^HTTP\/1\.1 400 [^]*\r\n\r\n$/);
      assert.deepEqual(seen, []);
    });
  }
  for (const [what, [bytes, body]] of Object.entries(UNDERSTOOD)) {
    await check(`two requests, and nothing else: ${what}`, async () => {
      seen.length = 0;
      const text = await talk(server.port, bytes + SECOND);
      assert.equal(text.split('HTTP/1.1 200 OK').length, 3, text);
      const first = bytes.slice(0, bytes.indexOf(' HTTP'));
      assert.deepEqual(seen, [[`${first} ${body}`, '127.0.0.1'], ['GET /second ', '127.0.0.1']]);
    });
  }
  await server.end();
  recorder.close();
}

async function checkTunnel(folder) {
  const echo = await startEcho();
  const server = await startPageServer(folder, echo.address().port);
  await check('an Upgrade that is agreed to is a tunnel', async () => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nat once, '));
    let text = '';
    socket.on('data', (part) => {
      text += part;
      if (text.endsWith('at once, ')) socket.write('and later\r\n\r\n');
      if (text.endsWith('later\r\n\r\n')) socket.destroy();
    });
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 101 [^]*\r\n\r\nat once, and later\r\n\r\n$/);
  });
  await server.end();
  echo.close();
}

/** Every order of some names, or the first of them. */
function orders(names, count) {
  const walk = (rest) => (rest.length ? rest.flatMap((name) => walk(rest.filter((other) => other !== name)).map((more) => [name, ...more])) : [[]]);
  return walk(names).slice(0, count).map((list) => list.join(', '));
}

/** A head that comes byte by byte, and how long it was suffered. */
function trickle(port) {
  const begin = Date.now();
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: site.test\r\nX: '));
    const drip = setInterval(() => socket.write('x'), 500);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(drip);
      resolve((Date.now() - begin) / 1000);
    });
  });
}

async function checkRoom(folder, next) {
  const server = await startPageServer(folder, next.port);
  const slow = trickle(server.port);
  await check('spellings of Accept-Encoding do not fill the cache with one page', async () => {
    await ask(server.port, '/long');
    await ask(server.port, '/long');
    const { learned } = await counters(server);
    const spellings = [...orders(['gzip', 'deflate', 'br', 'zstd', 'identity'], 60), 'gzip,gzip', 'gzip, GZIP', 'GZIP', 'gzIP, deflate', 'g zip', 'x'.repeat(5000)];
    for (const encoding of [...spellings, ...spellings]) {
      assert.equal((await ask(server.port, '/long', { headers: { 'accept-encoding': encoding } })).status, 200);
    }
    assert.equal((await counters(server)).learned, learned);
  });
  await check('a space behind a name is refused where a page would be answered, too', async () => {
    assert.match(await talk(server.port, 'GET /long HTTP/1.1\r\nHost: site.test\r\nCookie : __prerender_bypass=x\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });
  await check('a client that has closed its side still gets what it asked for', async () => {
    const { served } = await counters(server);
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end('GET /long HTTP/1.1\r\nHost: site.test\r\n\r\n'));
    let text = '';
    socket.on('data', (part) => { text += part; });
    await once(socket, 'end');
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*<\/html>$/);
    assert.equal((await counters(server)).served, served + 1);
  });
  await check('who sends a head byte by byte is sent away', async () => {
    const seconds = await Promise.race([slow, sleep(90_000)]);
    assert.ok(seconds > 10, `after ${seconds} s`);
  });
  await server.end();
}

export async function run({ folder, next }) {
  await checkBytes(folder);
  await checkTunnel(folder);
  await checkRoom(folder, next);
}
