// Starts, asks and ends a host process (host.js).
'use strict';

const path = require('node:path');
const { fork } = require('node:child_process');

/** A get that waits for a set that never ends must not hang the run. */
const ANSWER_TIMEOUT_MS = 30000;

/** Nothing else of our own environment may change how a handler behaves. */
const ofTheTest = (env) => Object.fromEntries(Object.entries(env).filter(([name]) => name === 'PATH' || name.startsWith('CONFORMANCE_')));

class HostProcess {
  #child;
  #waiting = new Map();
  #lastId = 0;
  #constructed = new Set();

  /** `app` is a fixture (vector.js), `env` what the process sees beside it;
   * with NEXT_PHASE it becomes a worker of a build of its own. */
  static async start({ engine, app, env }) {
    const host = new HostProcess();
    host.#child = fork(path.join(__dirname, env.NEXT_PHASE ? 'builder.js' : 'host.js'), [], {
      cwd: app.root,
      env: { ...ofTheTest(process.env), NODE_ENV: 'production', NEXT_RUNTIME: 'nodejs', CONFORMANCE_ENGINE: engine, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ready = new Promise((resolve, reject) => {
      host.#child.once('message', resolve);
      host.#child.once('exit', (code, signal) => reject(new Error(`host ended with ${code ?? signal} before it was ready`)));
    });
    await ready;
    host.#child.removeAllListeners('exit');
    host.#child.on('message', (message) => host.#answered(message));
    host.#child.once('exit', (code, signal) => host.#ended(code ?? signal));
    return host;
  }

  get pid() {
    return this.#child.pid;
  }

  /** {result} or {threw}, the result encoded. */
  ask(order, message) {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered({ id, threw: `no answer to ${order} within ${ANSWER_TIMEOUT_MS} ms` }), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, timer });
      this.#child.send({ id, order, ...message });
    });
  }

  /** Makes an instance of the singular class unless this process has it. */
  async construct(inst, options) {
    if (this.#constructed.has(inst)) return;
    this.#constructed.add(inst);
    const { threw } = await this.ask('construct', { inst, options });
    if (threw) throw new Error(`the constructor threw: ${threw}`);
  }

  call(target, op, args) {
    return this.ask('call', { ...target, op, args });
  }

  /** Ends it as a crash would: no handler of its own runs. */
  kill() {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once('exit', resolve);
      this.#child.kill('SIGKILL');
    });
  }

  #answered({ id, ...answer }) {
    const waiter = this.#waiting.get(id);
    if (!waiter) return;
    this.#waiting.delete(id);
    clearTimeout(waiter.timer);
    waiter.resolve(answer);
  }

  #ended(reason) {
    for (const id of this.#waiting.keys()) this.#answered({ id, threw: `the process ended with ${reason}` });
  }
}

module.exports = { HostProcess };
