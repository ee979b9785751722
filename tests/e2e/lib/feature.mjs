// One feature on one build of one version: what its checks use, and what they
// find.
import assert from 'node:assert/strict';

const PATIENCE_MS = 30_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until `look` gives what `wanted` accepts; what it gave last, if not in time. */
export async function until(look, wanted, ms = PATIENCE_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (wanted(seen) || Date.now() > deadline) return seen;
    await sleep(50);
  }
}

/** Next.js 14 answers before it has stored what it made. */
export const stored = (t) => (t.major === 14 ? sleep(1000) : undefined);

export class Run {
  #sites = [];

  constructor({ feature, version, engine, origin, results }) {
    Object.assign(this, { feature, version, engine, origin, results });
    this.major = Number(version.split('.')[0]);
  }

  over(built) {
    this.built = built;
    return this;
  }

  absent(reason) {
    console.log(`# n/a - ${this.version}: ${this.feature.title}: ${reason}`);
    this.results.absent(this.feature, reason);
  }

  /** The built app with a cache of its own, that of the build. */
  site() {
    const site = this.built.copy(`${this.feature.id}-${this.#sites.length + 1}`);
    this.#sites.push(site);
    return site;
  }

  standaloneSite() {
    const site = this.built.standalone();
    this.#sites.push(site);
    return site;
  }

  /**
   * One check. `own` says in what Next's own cache differs, and why; a run with
   * that cache fails where it differs in anything else.
   */
  async check(name, look, { own } = {}) {
    const begin = Date.now();
    const label = `${this.version}: ${this.feature.title}: ${name}`;
    try {
      await look();
      this.results.add(this.feature, { name, status: 'passed', own });
      console.log(`ok - ${label} (${Date.now() - begin} ms)`);
    } catch (error) {
      const status = this.engine === 'next' && own ? 'differs' : 'failed';
      this.results.add(this.feature, { name, status, own });
      console.log(`${status === 'failed' ? 'not ok' : '# differs'} - ${label}`);
      console.log(told(error));
      if (status === 'failed') this.#tellLogs();
    }
  }

  #tellLogs() {
    for (const site of this.#sites) {
      for (const log of site.logs().slice(-2)) console.log(log.slice(-1500).replace(/^/gm, '    | '));
    }
  }

  async end() {
    for (const site of this.#sites) await site.remove();
    this.#sites = [];
  }
}

/** What went wrong, and in which line of a check. */
function told(error) {
  const lines = String(error.stack ?? error).split('\n');
  const own = lines.filter((line) => !/^\s+at /.test(line) || line.includes('/checks/'));
  return own.join('\n').slice(0, 3000).replace(/^/gm, '    ');
}

/** That a page shows a value; the message has what the page said instead. */
export function shows(page, value, text = '') {
  assert.equal(page.status, 200, `${text} status\n${page.text.slice(0, 500)}`);
  assert.equal(page.value, value, `${text} value (x-nextjs-cache: ${page.cache})`);
}

/** That two answers are of one render. */
export function sameRender(a, b, text = '') {
  assert.ok(a.made, `${text} the first names its render\n${a.text.slice(0, 500)}`);
  assert.equal(b.made, a.made, `${text} made by one render (x-nextjs-cache: ${a.cache}, ${b.cache})`);
}
