// Who sends more than the other side takes is made to wait: what is kept for either is bounded.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { ask } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startPageServer } from './lib/process.mjs';

const CHUNK = Buffer.alloc(64 * 1024, 'x');
const FLOOD_BYTES = 300 * 2 ** 20;
const KEPT_BYTES = 100 * 2 ** 20; // the sockets of the kernel keep some, too
const REQUESTS = 10_000;

/** What `read` says when it has said the same for a second. */
async function settled(read) {
  for (let last = await read(), since = Date.now(); ; await sleep(50)) {
    const value = await read();
    if (value !== last) [last, since] = [value, Date.now()];
    if (Date.now() - since > 1000) return value;
  }
}

/** Writes to a stream as fast as it takes the bytes; `sent` is what it has taken. */
async function flood(stream, count) {
  while (count.sent < FLOOD_BYTES && !stream.destroyed) {
    const failed = await new Promise((resolve) => { stream.write(CHUNK, resolve); });
    if (failed) return;
    count.sent += CHUNK.length;
  }
}

async function listen(handler) {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function open(port, text) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

async function checkReader(folder, next) {
  const server = await startPageServer(folder, next.port);
  for (let times = 0; times < 4; times += 1) await ask(server.port, '/long');
  await check('a client that asks and never reads is not answered for ever', async () => {
    const { served } = await counters(server);
    const socket = await open(server.port, 'GET /long HTTP/1.1\r\nHost: site.test\r\n\r\n'.repeat(REQUESTS));
    const answered = await settled(async () => (await counters(server)).served) - served;
    socket.destroy();
    assert.ok(answered > 0 && answered < REQUESTS / 5, `${answered} of ${REQUESTS}`);
  });
  await server.end();
}

async function checkBodies(folder) {
  const count = { sent: 0 };
  const site = await listen((request, response) => (request.method === 'GET' ? flood(response, count) : request.pause()));
  const server = await startPageServer(folder, site.address().port);
  await check('an answer without end waits for the client', async () => {
    const socket = await open(server.port, 'GET /me HTTP/1.1\r\nHost: site.test\r\n\r\n');
    const sent = await settled(() => count.sent);
    socket.destroy();
    assert.ok(sent > 0 && sent < KEPT_BYTES, `${sent} bytes`);
  });
  await check('a body without end waits for Next.js', async () => {
    count.sent = 0;
    const socket = await open(server.port, `POST /me HTTP/1.1\r\nHost: site.test\r\nContent-Length: ${FLOOD_BYTES}\r\n\r\n`);
    flood(socket, count);
    const sent = await settled(() => count.sent);
    socket.destroy();
    assert.ok(sent > 0 && sent < KEPT_BYTES, `${sent} bytes`);
  });
  await server.end();
  site.closeAllConnections();
  site.close();
}

const residentBytes = (server) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;

async function checkDownloads(folder) {
  const part = Buffer.alloc(7 * 2 ** 20, 'x');
  const site = await listen((request, response) => response.writeHead(200, { 'content-length': part.length + 1 }).write(part));
  const server = await startPageServer(folder, site.address().port);
  await check('downloads that many have begun are not kept for them', async () => {
    const before = residentBytes(server);
    const sockets = await Promise.all(Array.from({ length: 40 }, () => open(server.port, 'GET /file HTTP/1.1\r\nHost: site.test\r\n\r\n')));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => {
      let size = 0;
      socket.on('data', (bytes) => {
        size += bytes.length;
        if (size > part.length) resolve();
      }).resume();
    })));
    const kept = residentBytes(server) - before;
    for (const socket of sockets) socket.destroy();
    assert.ok(kept < KEPT_BYTES, `${kept} bytes`);
  });
  await server.end();
  site.closeAllConnections();
  site.close();
}

export async function run({ folder, next }) {
  await checkReader(folder, next);
  await checkBodies(folder);
  await checkDownloads(folder);
}
