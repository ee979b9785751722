'use strict';
// Many machines notice at once that the log is lost, or was never there: one of them
// begins a new one, whatever becomes of the others.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { inPackage } = require('../node/support');
const { startServer, stopServers } = require('./lib/server');

const { connector } = inPackage('lib/remote/connection.js');
const { InvalidationLog } = inPackage('lib/remote/invalidation-log.js');

const MACHINES = 8;

let server;
let machines; // a connection each
let last = 0;

before(async () => {
  server = await startServer();
  const connect = connector({ url: server.url, connectMs: 5000 });
  machines = await Promise.all(Array.from({ length: MACHINES }, () => connect('commands')));
});

after(async () => {
  for (const machine of machines) machine.close();
  await stopServers();
});

const newLog = () => new InvalidationLog(`g${++last}`, 1000);
const namesOf = (generations) => [...new Set(generations.map(({ generation }) => generation))];
const entriesOf = async (log) => log.after(machines[0].send, '0-0', false);

/** Sends all but the n-th command; whoever waits for that waits for ever. */
function hangingAt(n, send) {
  let sent = 0;
  return (key, args) => (++sent < n ? send(key, args) : new Promise(() => {}));
}

/** Sends everything; the n-th answer is lost. */
function deafAt(n, send) {
  let sent = 0;
  return async (key, args) => {
    const answer = await send(key, args);
    if (++sent === n) throw new Error('the connection broke');
    return answer;
  };
}

test('an empty server is given one generation by all', async () => {
  for (let round = 0; round < 20; round++) {
    const log = newLog();
    const found = await Promise.all(machines.map(({ send }) => log.current(send)));
    assert.equal(namesOf(found).length, 1);
    const entries = await entriesOf(log);
    assert.deepEqual(entries.map(({ id, begin }) => [id, begin]), [[found[0].begin, found[0].generation]]);
  }
});

test('one that is lost is replaced once', async () => {
  const log = newLog();
  const lost = await log.current(machines[0].send);
  const found = await Promise.all(machines.map(({ send }) => log.beginAnew(send, lost)));
  assert.equal(namesOf(found).length, 1);
  assert.notEqual(found[0].generation, lost.generation);
  assert.equal((await entriesOf(log)).length, 2);
  assert.deepEqual(await log.current(machines[0].send), { ...found[0] });
});

test('who dies while beginning is replaced, and cannot go on when it was only slow', async () => {
  const [one, two] = machines;
  // Of its commands: looks, takes the number, writes "begin", says that it is begun.
  for (const at of [3, 4]) {
    const log = newLog();
    log.current(hangingAt(at, one.send));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const found = await log.current(two.send);
    assert.equal(found.number, 2);
    const late = { number: 1, step: 2, generation: 'slow-one', begin: '5-5' };
    const written = one.send(log.generationKey, ['XADD', log.generationKey, 'MAXLEN', '1', `${late.number}-${late.step}`, 'g', late.generation, 'b', late.begin]);
    await assert.rejects(written);
    assert.deepEqual(await log.current(one.send), found);
  }
});

test('an answer that is lost is asked for', async () => {
  const [one, two] = machines;
  for (const at of [2, 4]) {
    const log = newLog();
    const found = await log.current(deafAt(at, one.send));
    assert.deepEqual(await log.current(two.send), found);
    assert.equal((await entriesOf(log)).length, 1);
  }
});

test('a refusal is told, also by a connection that ends with it', async () => {
  let refused = false;
  const send = async (key, [command]) => {
    if (refused) throw new Error('the connection is closed');
    if (command !== 'XADD') return [];
    refused = true;
    throw new Error("READONLY You can't write against a read only replica.");
  };
  await assert.rejects(newLog().current(send), /READONLY/);
});

test('what is no generation is none', async () => {
  const log = newLog();
  for (const entry of [['1-1', 'x', 'y'], ['1-2', 'g', 'abcdefgh'], ['1-3', 'g', 'abcdefgh'], ['2-2', 'g', 'abc', 'b', '5-5']]) {
    await machines[0].send(log.generationKey, ['XADD', log.generationKey, 'MAXLEN', '1', ...entry]);
    await assert.rejects(log.current(machines[0].send), /no generation/, entry.join());
  }
});
