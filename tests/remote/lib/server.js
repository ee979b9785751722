'use strict';
// Redis from Debian, or the server that NXC_TEST_SERVER names, such as a valkey-server; on
// loopback, on free ports, ended by its process id.

const { spawn, execFileSync } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const { eventually, temporaryDirectory } = require('../../node/support');

const servers = new Set();

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** The answer to a command, as text; a new connection for each. */
function ask(port, ...args) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.setTimeout(2000, () => socket.destroy(new Error(`${args[0]} was not answered`)));
    socket.on('error', reject);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (text.endsWith('\r\n')) socket.end();
    });
    socket.on('close', () => resolve(text));
    socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join('')}`);
  });
}

/** Debian's redis-tools has the server under another name, and starts no service. */
const PROGRAM = process.env.NXC_TEST_SERVER ?? 'redis-check-rdb';

function launch(name, args, cwd) {
  const child = spawn(PROGRAM, args, { argv0: name, cwd, stdio: 'ignore' });
  child.exited = new Promise((resolve) => child.once('exit', resolve));
  servers.add(child);
  return child;
}

async function startServer({ port, options = [], name = 'redis-server', file, ready = (p) => ask(p, 'PING') } = {}) {
  const at = port ?? (await freePort());
  const dir = temporaryDirectory();
  const server = { port: at, url: `redis://127.0.0.1:${at}`, dir };
  const run = async () => {
    const args = ['--port', String(at), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no', ...options];
    server.child = launch(name, file ? [file] : args, dir);
    await eventually(() => ready(at).then((text) => /PONG|NOAUTH|NOPERM/.test(text), () => false));
  };
  server.ask = (...args) => ask(at, ...args);
  server.signal = (signal) => server.child.kill(signal);
  server.kill = async () => {
    server.child.kill('SIGKILL');
    servers.delete(server.child);
    await server.child.exited;
  };
  /** Again on the same port, with nothing in it. */
  server.restart = run;
  await run();
  return server;
}

/** Ends the servers that a test has left. */
async function stopServers() {
  for (const child of servers) {
    child.kill('SIGKILL');
    await child.exited;
  }
  servers.clear();
}

/** A self-signed certificate for 127.0.0.1: {key, cert} files. */
function certificate() {
  const dir = temporaryDirectory();
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(dir, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}

module.exports = { ask, certificate, freePort, startServer, stopServers };
