// Part "values": every value that a recorded app ever set comes back equal in
// type and content: at once, in a process that was running all along, and in
// one that starts after the first two were killed.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { HostProcess } = require('./lib/process.js');
const { Clock } = require('./lib/clock.js');
const { compareAnswers, compareEntries } = require('./lib/compare.js');
const { normalise } = require('./lib/encoding.js');
const { describe } = require('./lib/report.js');

/** The question that Next would ask for a value that it set with `ctx`. */
function questionFor(major, value, ctx) {
  if (ctx.fetchCache) {
    const { fetchUrl, fetchIdx, tags } = ctx;
    return { ...kindOf(major, 'FETCH'), revalidate: value.revalidate, fetchUrl, fetchIdx, tags, softTags: [] };
  }
  if (major === 14) return kindOf(14, isPagesRouter(value) ? 'PAGES' : 'APP');
  const { kind, isRoutePPREnabled, isFallback } = ctx;
  return { kind, isRoutePPREnabled, isFallback };
}

const kindOf = (major, kind) => (major === 14 ? { kindHint: kind.toLowerCase() } : { kind });
const isPagesRouter = (value) => value === null || value.kind === 'REDIRECT' || typeof value.pageData === 'object';

class Values {
  #insts = 0;

  constructor(vector, { folder, clockLibrary }) {
    this.vector = vector;
    this.folder = path.join(folder, `values-${vector.name}`);
    fs.mkdirSync(this.folder, { recursive: true });
    this.app = vector.makeApp(path.join(this.folder, 'app'));
    this.clock = new Clock(clockLibrary, path.join(this.folder, 'clock'), vector.rows[0].t);
    const construct = vector.rows.find((row) => row.op === 'construct' && row.phase === 'start');
    this.options = { ...construct.args[0], serverDistDir: path.join(this.app.dist, 'server') };
  }

  /** A server in its first request, whichever interface that asks first. */
  async start() {
    const env = { ...this.clock.env, NEXT_CACHE_DIR: path.join(this.folder, 'cache') };
    const host = await HostProcess.start({ engine: 'nextcache', app: this.app, env });
    await this.#instance(host);
    return host;
  }

  /** Calls back with (stage, differences) for each value in each stage. */
  async run(tell) {
    const [writer, witness] = [await this.start(), await this.start()];
    const last = new Map(); // "<cls> <key>" -> what must be there at the end
    try {
      for (const row of this.vector.rows) {
        const stored = await this.#store(writer, row);
        if (!stored) continue;
        tell('at once', await this.#differences(writer, stored));
        last.set(`${row.cls} ${stored.key}`, stored);
      }
      for (const stored of last.values()) tell('in a second process', await this.#differences(witness, stored));
    } finally {
      await Promise.all([writer.kill(), witness.kill()]);
    }
    const heir = await this.start();
    try {
      for (const stored of last.values()) tell('after a restart', await this.#differences(heir, stored));
    } finally {
      await heir.kill();
      this.clock.close();
    }
  }

  /** Sets what the row set; undefined when it set nothing. */
  async #store(host, row) {
    const singular = row.op === 'set' && row.cls === 'singular';
    if (!singular && row.op !== 'set:entry') return undefined;
    this.clock.advanceTo(row.t);
    const stored = singular ? await this.#setSingular(host, row) : await this.#setPlural(host, row);
    return { row, key: row.args[0], setCtx: row.args[2], ...stored };
  }

  async #setSingular(host, { args }) {
    const [, value, ctx] = args;
    const set = await host.call(await this.#instance(host), 'set', args);
    const expected = await normalise({ value, lastModified: Math.round(this.clock.now()), cacheControl: ctx.cacheControl ?? { $t: 'undefined' } });
    return { set, expected, question: questionFor(this.vector.major, value, ctx) };
  }

  async #setPlural(host, { cls, args: [key, entry] }) {
    const done = host.ask('beginSet', { cls, key });
    await host.ask('settle', { key, entry });
    return { set: await done, expected: await normalise(entry) };
  }

  async #instance(host) {
    const inst = `values:${this.#insts++}`;
    await host.construct(inst, this.options);
    return { cls: 'singular', inst };
  }

  async #differences(host, { row, key, set, expected, question, setCtx }) {
    const target = question ? await this.#instance(host) : { cls: row.cls };
    const { result, threw } = await host.call(target, 'get', [key, question ?? []]);
    const about = {
      suite: 'values',
      engine: 'nextcache',
      vector: this.vector.name,
      row: row.index,
      op: 'get',
      cls: row.cls,
      kind: question?.kind ?? question?.kindHint,
      key,
      ctx: question,
      setCtx,
      recorded: expected,
    };
    const failure = set.threw ?? threw;
    if (failure) return [{ ...about, path: '(threw)', expected: 'no error', actual: failure }];
    if (question) return compareAnswers(expected, result).map((difference) => ({ ...about, ...difference }));
    return compareEntries(this.#isDue(expected) ? expected : null, result).map((difference) => ({ ...about, ...difference }));
  }

  /** An entry that is past its expire, or has none to be within, is a miss. */
  #isDue({ timestamp, expire }) {
    return expire > 0 && this.clock.now() < timestamp + expire * 1000;
  }
}

const STAGES = ['at once', 'in a second process', 'after a restart'];

async function run(context) {
  const { report, judgement, engines, vectors } = context;
  engines.add('nextcache');
  for (const vector of vectors) {
    const results = new Map(STAGES.map((stage) => [stage, { values: 0, differences: [] }]));
    await new Values(vector, context).run((stage, differences) => {
      const result = results.get(stage);
      result.values += 1;
      result.differences.push(...judgement.unlisted(differences));
    });
    for (const [stage, { values, differences }] of results) {
      report.check(`values of ${vector.name}, ${stage}: ${values}`, differences.map(describe));
    }
  }
}

module.exports = { name: 'values', run };
