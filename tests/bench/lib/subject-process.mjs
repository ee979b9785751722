// A process of a subject, as the runner sees it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { peersFolder, workFolder } from './places.mjs';

const MAIN = new URL('subject-main.mjs', import.meta.url);
const running = new Set();

/** The environment without anything that would configure a subject. */
function cleanEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NEXT_|REDIS|NODE_OPTIONS|KEY_PREFIX|VERCEL)/.test(name));
  return { ...Object.fromEntries(kept), NODE_ENV: 'production', NEXT_RUNTIME: 'nodejs' };
}

export class SubjectProcess {
  #asked = new Map();
  #next = 1;

  static async open(subject, rowName, setting, options) {
    const made = new SubjectProcess(subject);
    await made.ask('open', { subject, rowName, setting, options });
    return made;
  }

  constructor(subject) {
    this.subject = subject;
    mkdirSync(join(workFolder, 'log'), { recursive: true });
    const log = openSync(join(workFolder, 'log', `${subject}.log`), 'a');
    this.child = fork(MAIN, [], {
      cwd: peersFolder,
      env: cleanEnvironment(),
      execArgv: ['--expose-gc'],
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'advanced',
    });
    closeSync(log);
    running.add(this);
    this.ended = once(this.child, 'exit').then(() => this.#end());
    this.child.on('message', ({ id, answer, problem }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (problem) reject(new Error(`${this.subject}: ${problem}`));
      else resolve(answer);
    });
  }

  #end() {
    running.delete(this);
    for (const { reject } of this.#asked.values()) reject(new Error(`${this.subject}: its process ended; build/bench/log/${this.subject}.log may say why`));
    this.#asked.clear();
  }

  ask(name, argument) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.child.send({ id, name, argument });
    });
  }

  async close() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await this.ask('close').catch(() => {});
    this.kill(); // some clients of Redis do not let a process end
    await this.ended;
  }

  kill() {
    this.child.kill('SIGKILL');
  }
}

/** For the runner's own end. */
export function killSubjects() {
  for (const process of running) process.kill();
}
