// Runs the features of checks/ against every version that is asked for; see run.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endChildren } from '../../examples/storefront/check/lib/child.mjs';
import { build, BUILDS } from './lib/build.mjs';
import { e2eFolder, installVersion, workFolder } from './lib/install.mjs';
import { documented, matrix } from './lib/matrix.mjs';
import { Origin } from './lib/origin.mjs';
import { Results } from './lib/results.mjs';
import { Run } from './lib/feature.mjs';
import { VERSIONS } from './lib/versions.mjs';

const USAGE = 'usage: run [--engine next] [--reuse] [--check NAME]... [VERSION...]';

function readArguments(list) {
  const options = { engine: 'nextcache', reuse: false, checks: [], versions: [] };
  for (let at = 0; at < list.length; at += 1) {
    if (list[at] === '--engine' && ['next', 'nextcache'].includes(list[at + 1])) options.engine = list[(at += 1)];
    else if (list[at] === '--check' && list[at + 1]) options.checks.push(list[(at += 1)]);
    else if (list[at] === '--reuse') options.reuse = true;
    else if (VERSIONS.some(({ version }) => version === list[at])) options.versions.push(list[at]);
    else {
      console.error(`${USAGE}\nwhere VERSION is one of ${VERSIONS.map(({ version }) => version).join(' ')}`);
      process.exit(2);
    }
  }
  return options;
}

/** Features in the order of their files; one that is tried on several builds is several rows. */
async function readFeatures() {
  const rows = [];
  for (const file of readdirSync(join(e2eFolder, 'checks')).sort()) {
    const { features } = await import(join(e2eFolder, 'checks', file));
    for (const feature of features) {
      for (const name of feature.builds) {
        const several = feature.builds.length > 1;
        rows.push({ ...feature, build: name, id: several ? `${feature.id}-${name}` : feature.id, title: several ? `${feature.title} (${name})` : feature.title });
      }
    }
  }
  return rows;
}

/** The origin's address is part of what builds leave behind, so it stays. */
async function openOrigin() {
  const file = join(workFolder, 'origin-port');
  mkdirSync(workFolder, { recursive: true });
  const origin = new Origin();
  const port = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  await origin.open(port);
  if (port === 0) writeFileSync(file, String(origin.port));
  return origin;
}

/** What the origin does not have while the app is built. */
function asAtBuild(origin) {
  origin.reset();
  for (const name of ['post/late', 'page/late', 'page/late/en', 'page/late/de-AT']) origin.set(name, null);
}

class VersionRun {
  #builds = new Map();

  constructor(options, origin, entry) {
    Object.assign(this, { options, origin, entry });
    this.environment = {
      E2E_ORIGIN: origin.url,
      ...(options.engine === 'next' ? { NEXT_CACHE_ENGINE: 'next' } : {}),
    };
  }

  /** A build, made when it is first asked for; one that failed is not tried again. */
  #built(name) {
    if (!this.#builds.has(name)) {
      asAtBuild(this.origin);
      this.#builds.set(name, build(name, this.entry.version, this.folder, this.environment, this.options.reuse));
    }
    return this.#builds.get(name);
  }

  async all(features, results) {
    this.folder = installVersion(this.entry);
    for (const feature of features) await this.#feature(feature, results);
  }

  async #feature(feature, results) {
    const { version } = this.entry;
    if (feature.ours && this.options.engine === 'next') return;
    const run = new Run({ feature, version, engine: this.options.engine, origin: this.origin, results });
    const reason = feature.absent?.(version) ?? BUILDS[feature.build].absent?.(version);
    if (reason) return run.absent(reason);
    try {
      const built = await this.#built(feature.build);
      this.origin.reset();
      await feature.run(run.over(built));
    } catch (error) {
      await run.check('runs to its end', () => { throw error; });
    } finally {
      await run.end();
    }
  }
}

// Whoever ends this process ends what it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    endChildren();
    process.exit(130);
  });
}

const options = readArguments(process.argv.slice(2));
const origin = await openOrigin();
const features = (await readFeatures())
  .filter(({ id }) => options.checks.length === 0 || options.checks.some((part) => id.includes(part)));
const totals = { passed: 0, failed: 0, differs: 0 };
const all = [];
for (const entry of VERSIONS.filter(({ version }) => options.versions.length === 0 || options.versions.includes(version))) {
  const results = new Results(entry.version, options.engine);
  const begin = Date.now();
  try {
    await new VersionRun(options, origin, entry).all(features, results);
  } catch (error) {
    results.add({ id: 'install', title: 'Installing' }, { name: 'the version can be installed', status: 'failed' });
    console.log(`not ok - ${entry.version}: it can be installed\n${error.stack}`);
  }
  console.log(`# ${entry.version}: ${Math.round((Date.now() - begin) / 1000)} s`);
  if (!process.env.E2E_DIRECT) results.save(options.checks.length > 0);
  all.push(results);
  for (const name of Object.keys(totals)) totals[name] += results.count(name);
}
origin.close();
console.log(`\n${matrix(all)}`);
documented();
if (options.engine === 'next') console.log(`# ${totals.differs} checks in which Next's own cache differs, each with its reason`);
console.log(`e2e: ${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed || !totals.passed ? 1 : 0);
