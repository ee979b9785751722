// Requests whose answers are looked at as they are: no redirect is followed, nothing unpacked.
import { request } from 'node:http';
import { connect } from 'node:net';
import { Agent } from 'node:http';

const agents = new Map();

const agentOf = (port) => {
  if (!agents.has(port)) agents.set(port, new Agent({ keepAlive: true, maxSockets: 4 }));
  return agents.get(port);
};

export function ask(port, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: agentOf(port), setDefaultHeaders: true }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, rawHeaders: answer.rawHeaders, body: Buffer.concat(parts), text: Buffer.concat(parts).toString() }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Every header in its order and spelling, with its value; the date only by name. */
export const headerLines = ({ rawHeaders }) =>
  rawHeaders.flatMap((name, at) => (at % 2 ? [] : [`${name}: ${name === 'Date' ? '…' : rawHeaders[at + 1]}`]));

export const madeAt = ({ text }) => Number(/data-made-at="(\d+)"/.exec(text)?.[1]);

/** Bytes over a socket of their own, until the other side closes it. */
export function talk(port, bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const parts = [];
    socket.setTimeout(60_000, () => socket.destroy(new Error('the connection was left open for a minute')));
    socket.on('data', (part) => parts.push(part));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
  });
}
