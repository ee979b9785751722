// The storefront's check: builds the shop in both modes and runs the files
// NN-*.mjs of this folder against it, one line per check. Each file exports
//
//   run(t)     t.mode, t.backOffice, t.check(name, work), t.skip(name, reason),
//              t.tree() - a copy of the built shop with a fresh cache directory
//   modes      optional, where it says something about one mode only
//
// Files are independent: each begins with the database as it was seeded, and
// its trees begin as the build left them. Arguments pick files by part of name.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackOffice } from './lib/backoffice.mjs';
import { endChildren } from './lib/child.mjs';
import { shopFolder, Tree } from './lib/tree.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const works = join(shopFolder, '.data/check');
const work = join(works, String(process.pid));
const wanted = process.argv.slice(2);
const MODES = ['isr', 'cc'];
let passed = 0;
let failed = 0;

class Run {
  #trees = [];

  constructor(mode, backOffice, built, name) {
    Object.assign(this, { mode, backOffice, built, name });
  }

  async check(name, run) {
    const begin = Date.now();
    try {
      await run();
      passed += 1;
      console.log(`ok - ${this.mode}: ${name} (${Date.now() - begin} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`not ok - ${this.mode}: ${name}`);
      console.log(String(error.stack ?? error).replace(/^/gm, '    '));
      for (const tree of this.#trees) tree.logs().slice(-2).forEach((log) => console.log(log.slice(-1500).replace(/^/gm, '    | ')));
    }
  }

  skip(name, reason) {
    console.log(`# skipped - ${this.mode}: ${name}: ${reason}`);
  }

  async tree(options) {
    const tree = await this.built.copy(join(work, `${this.mode}-${this.name}-${this.#trees.length + 1}`), options);
    this.#trees.push(tree);
    return tree;
  }

  async end() {
    for (const tree of this.#trees) await tree.remove();
  }
}

/** A file of checks; what breaks outside a check is a failure too. */
async function runFile(file, mode, backOffice, built) {
  const module = await import(join(here, file));
  if (module.modes && !module.modes.includes(mode)) return;
  await backOffice.reset();
  const run = new Run(mode, backOffice, built, file.replace(/\.mjs$/, ''));
  try {
    await module.run(run);
  } catch (error) {
    await run.check(`${file} runs to its end`, () => { throw error; });
  } finally {
    await run.end();
  }
}

async function buildTree(mode, backOffice) {
  const tree = Tree.create(join(work, mode), mode, {
    SHOP_API_URL: backOffice.url,
    SHOP_API_KEY: backOffice.key,
    SHOP_SECRET: 'a secret of the check',
    SHOP_SYNC_SECONDS: '0',
    // As when the same commit is deployed again and again.
    SHOP_BUILD_ID: 'constant',
  });
  const begin = Date.now();
  await tree.build();
  console.log(`# ${mode}: built in ${Math.round((Date.now() - begin) / 1000)} s`);
  return tree;
}

// Whoever ends this process ends what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    endChildren();
    process.exit(130);
  });
}

/** Removes what runs that failed have left to look at; not what still runs. */
function tidy() {
  mkdirSync(works, { recursive: true });
  for (const name of readdirSync(works)) {
    if (!existsSync(join('/proc', name))) rmSync(join(works, name), { recursive: true, force: true });
  }
}

tidy();
mkdirSync(work, { recursive: true });
const backOffice = new BackOffice(join(work, 'back-office'));
try {
  await backOffice.open();
  const files = readdirSync(here).filter((name) => /^\d\d-.*\.mjs$/.test(name)).sort()
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  for (const mode of MODES.filter((name) => !process.env.SHOP_MODE || process.env.SHOP_MODE === name)) {
    await backOffice.reset();
    const built = await buildTree(mode, backOffice);
    for (const file of files) await runFile(file, mode, backOffice, built);
  }
} catch (error) {
  failed += 1;
  console.log(`not ok - the shop can be built and checked\n${String(error.stack ?? error).replace(/^/gm, '    ')}`);
} finally {
  await backOffice.close();
  if (!failed) rmSync(work, { recursive: true, force: true });
}
console.log(`storefront: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
