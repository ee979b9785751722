// The process that a cache handler lives in during a test: the part of Next.js
// that calls it. Takes orders from process.js over IPC, one message each, and
// answers with what the handler gave, encoded.
'use strict';

const fs = require('node:fs');
const engines = require('./engines.js');
const { decode, encode } = require('./encoding.js');

const engine = engines[process.env.CONFORMANCE_ENGINE]();
const instances = new Map(); // number in the trace -> instance of the singular class
const pending = new Map(); // key -> the promise that a plural set was given, not settled yet

/** What Next passes as `fs`. */
const NODE_FS = {
  existsSync: fs.existsSync,
  readFile: fs.promises.readFile,
  readFileSync: fs.readFileSync,
  writeFile: (file, data) => fs.promises.writeFile(file, data),
  mkdir: (folder) => fs.promises.mkdir(folder, { recursive: true }),
  stat: fs.promises.stat,
  async writeFileAtomic(file, data) {
    const temporary = `${file}.${process.pid}.tmp`;
    await fs.promises.writeFile(temporary, data);
    try {
      await fs.promises.link(temporary, file);
      return true;
    } catch {
      return false;
    } finally {
      await fs.promises.unlink(temporary);
    }
  },
};

/** The constructor's options as recorded: only the names of the `fs` functions. */
function construct({ inst, options }) {
  const live = decode(options);
  if (Array.isArray(live.fs)) live.fs = Object.fromEntries(live.fs.map((name) => [name, NODE_FS[name]]));
  instances.set(inst, new engine.Singular(live));
}

function targetOf({ cls, inst }) {
  return cls === 'singular' ? instances.get(inst) : engine.plural(cls.slice('plural:'.length));
}

const call = (order) => targetOf(order)[order.op](...decode(order.args));

/** A plural set, given a promise that settle() keeps or breaks. */
function beginSet(order) {
  const entry = new Promise((resolve, reject) => pending.set(order.key, { resolve, reject }));
  return targetOf(order).set(order.key, entry);
}

function settle({ key, entry, error }) {
  const { resolve, reject } = pending.get(key);
  pending.delete(key);
  if (error) reject(decode(error));
  else resolve(decode(entry));
}

const ORDERS = { construct, call, beginSet, settle };

process.on('message', async (message) => {
  let answer;
  try {
    answer = { result: await encode(await ORDERS[message.order](message)) };
  } catch (error) {
    answer = { threw: String(error?.stack ?? error) };
  }
  process.send({ id: message.id, ...answer });
});

process.on('disconnect', () => process.exit());
process.send({ ready: true });
