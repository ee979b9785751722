// Part "seeds": build output, the pages that Next never hands to a handler.
// When they may be served, when not, and what happens to them once a page has
// been rendered anew: in other processes, after a crash, in a copy of the
// tree, in the next build.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Clock } = require('./lib/clock.js');
const { HostProcess } = require('./lib/process.js');
const { Vector, setTime } = require('./lib/vector.js');

const ISR = '/route-cache/APP_PAGE/c38585bae9266f2d684c4cd533090fd2a7343508ef724dfe5c9c985af08154be/$/isr';
const ASK = { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
const SET = { ...ASK, cacheControl: { revalidate: 5, expire: 31536000 } };
const NOW_DEAD = { $t: 'undefined' };
const ENTRY_KEY = '["c0ffee",["a"],["build-1"]]';

/** A page that was rendered after the build, in the encoding of the traces. */
const rendered = (tags) => ({
  kind: 'APP_PAGE',
  html: 'rendered anew',
  rscData: { $t: 'Buffer', b64: 'AAEC' },
  headers: { 'x-next-cache-tags': tags },
  segmentData: { $t: 'Map', entries: [] },
});

/** A deployment: a build, a cache directory, and processes that serve. */
class Site {
  #hosts = [];
  #requests = 0;

  constructor({ clockLibrary }, folder) {
    this.folder = folder;
    fs.mkdirSync(folder, { recursive: true });
    this.vector = new Vector('16.fs');
    this.clock = new Clock(clockLibrary, path.join(folder, 'clock'), this.vector.rows.find((row) => row.label === 'server-start').t, 1);
    this.app = this.vector.makeApp(path.join(folder, 'app'));
    this.cache = path.join(folder, 'cache');
  }

  async start(env = {}, app = this.app) {
    const host = await HostProcess.start({ engine: 'nextcache', app, env: { ...this.clock.env, NEXT_CACHE_DIR: this.cache, ...env } });
    host.app = app;
    this.#hosts.push(host);
    return host;
  }

  /** What the handler does in a worker of `next build`. */
  async build(app = this.app) {
    const worker = await this.start({ NEXT_PHASE: 'phase-production-build' }, app);
    await this.#request(worker);
    await worker.kill();
  }

  async #request(host) {
    const inst = `seeds:${this.#requests++}`;
    const options = this.vector.rows.find((row) => row.op === 'construct').args[0];
    await host.construct(inst, { ...options, serverDistDir: path.join(host.app.dist, 'server') });
    return { cls: 'singular', inst };
  }

  async #call(host, op, args) {
    const { result, threw } = await host.call(await this.#request(host), op, args);
    assert.equal(threw, undefined);
    return result;
  }

  get = (host, key = ISR, ask = ASK) => this.#call(host, 'get', [key, ask]);
  mark = (host, tag, durations = NOW_DEAD) => this.#call(host, 'revalidateTag', [[tag], durations]);

  /** A request that finds a page, renders it anew, and stores it. */
  async render(host, tags) {
    const request = await this.#request(host);
    await host.call(request, 'get', [ISR, ASK]);
    await host.call(request, 'set', [ISR, rendered(tags), SET]);
  }

  async close() {
    await Promise.all(this.#hosts.map((host) => host.kill()));
    this.clock.close();
  }
}

const assertSeed = (answer) => assert.ok(answer?.value?.html.startsWith('<!DOCTYPE html>'), `not the build's page but ${JSON.stringify(answer)?.slice(0, 80)}`);
const assertMiss = (answer) => assert.ok(answer === null || answer.$t === 'undefined', `not a miss but ${JSON.stringify(answer).slice(0, 80)}`);
const isrFile = (app, suffix) => path.join(app.dist, 'server/app', `isr${suffix}`);

const CHECKS = {
  async 'is served at once, with the time of its file'(site) {
    const answer = await site.get(await site.start());
    assertSeed(answer);
    assert.equal(answer.lastModified, Math.floor(fs.statSync(isrFile(site.app, '.html')).mtimeMs));
  },
  async 'dies by a mark, also where it was never asked for'(site) {
    const [one, two] = [await site.start(), await site.start()];
    await site.mark(one, 't-isr');
    assertMiss(await site.get(one));
    assertMiss(await site.get(two));
  },
  async 'is stale by a mark with a deadline, and dead after it'(site) {
    const host = await site.start();
    await site.mark(host, 't-isr', { expire: 10 });
    const answer = await site.get(host);
    assertSeed(answer);
    assert.equal(answer.cacheControl.revalidate, 1);
    site.clock.advanceTo(site.clock.now() + 11000);
    assertMiss(await site.get(host));
  },
  async 'does not come back when the page that followed it dies by a tag of its own'(site) {
    const host = await site.start();
    assertSeed(await site.get(host));
    await site.render(host, 't-isr,t-new');
    await site.mark(host, 't-new');
    assertMiss(await site.get(host));
  },
  async 'does not come back either when another process rendered the page'(site) {
    const [one, two] = [await site.start(), await site.start()];
    assertSeed(await site.get(one));
    assertSeed(await site.get(two));
    await site.render(two, 't-isr,t-new');
    await site.mark(one, 't-new');
    assertMiss(await site.get(one));
    assertMiss(await site.get(two));
  },
  async 'does not come back either when a crash lay between'(site) {
    const one = await site.start();
    assertSeed(await site.get(one));
    await one.kill();
    const two = await site.start();
    assertSeed(await site.get(two));
    await site.render(two, 't-isr,t-new');
    await site.mark(two, 't-new');
    assertMiss(await site.get(two));
  },
  async 'is not believed when the cache, and the marks in it, were deleted'(site) {
    const host = await site.start();
    assertSeed(await site.get(host));
    await site.mark(host, 't-isr');
    fs.rmSync(site.cache, { recursive: true, force: true });
    site.clock.advanceTo(site.clock.now() + 200);
    assertMiss(await site.get(host));
  },
  async 'is dead in a copy of the tree whose files are younger than the mark'(site) {
    await site.build();
    const host = await site.start();
    await site.mark(host, 't-isr');
    site.clock.advanceTo(site.clock.now() + 5000);
    for (const suffix of ['.html', '.meta', '.rsc']) setTime(isrFile(site.app, suffix), site.clock.now());
    assertMiss(await site.get(await site.start()));
  },
  async 'is never young because its file claims the year 1970'(site) {
    for (const suffix of ['.html', '.meta', '.rsc']) fs.utimesSync(isrFile(site.app, suffix), 0, 0);
    const answer = await site.get(await site.start());
    if (answer !== null) assert.ok(answer.lastModified > 0 && answer.lastModified <= site.clock.now() - 1000, `lastModified ${answer.lastModified}`);
  },
  async 'of another route is not served'(site) {
    assertMiss(await site.get(await site.start(), ISR.replace('c38585', 'd38585')));
  },
  async 'is a miss when a file of it is missing'(site) {
    fs.rmSync(isrFile(site.app, '.rsc'));
    assertMiss(await site.get(await site.start()));
  },
  async 'is a miss when its .meta is torn'(site) {
    const text = fs.readFileSync(isrFile(site.app, '.meta'), 'utf8');
    fs.writeFileSync(isrFile(site.app, '.meta'), text.slice(0, text.length / 2));
    assertMiss(await site.get(await site.start()));
  },
  async 'and pages of one build are not served by another with the same BUILD_ID'(site) {
    await site.build();
    const one = await site.start();
    await site.render(one, 't-isr');
    assert.equal((await site.get(one)).value.html, 'rendered anew');
    const next = await nextBuild(site);
    assertSeed(await site.get(await site.start({}, next)));
  },
  async "and 'use cache' results of one build are not served by another with the same BUILD_ID"(site) {
    await site.build();
    const one = await site.start();
    await site.get(one);
    const value = { $t: 'stream', chunks: [{ $t: 'Uint8Array', b64: 'AAEC' }] };
    const entry = { value, tags: [], stale: 300, timestamp: site.clock.now(), expire: 3600, revalidate: 900 };
    const done = one.ask('beginSet', { cls: 'plural:default', key: ENTRY_KEY });
    await one.ask('settle', { key: ENTRY_KEY, entry });
    await done;
    const ask = (host) => host.call({ cls: 'plural:default' }, 'get', [ENTRY_KEY, []]);
    assert.ok((await ask(one)).result.value);
    const two = await site.start({}, await nextBuild(site));
    await site.get(two);
    assertMiss((await ask(two)).result);
  },
};

/** The same project, built again a minute later: other chunks, the same BUILD_ID. */
async function nextBuild(site) {
  site.clock.advanceTo(site.clock.now() + 60000);
  const app = site.vector.makeApp(path.join(site.folder, 'next-build'));
  fs.writeFileSync(path.join(app.dist, 'build-manifest.json'), '{"pages":{"/_app":["static/chunks/other.js"]}}');
  await site.build(app);
  return app;
}

async function run(context) {
  for (const [index, [name, check]] of Object.entries(CHECKS).entries()) {
    const site = new Site(context, path.join(context.folder, `seeds-${index}`));
    let failures = [];
    try {
      await check(site);
    } catch (error) {
      failures = [String(error.message).split('\n')[0]];
    }
    await site.close();
    context.report.check(`seeds: a prerendered page ${name}`, failures);
  }
}

module.exports = { name: 'seeds', run };
