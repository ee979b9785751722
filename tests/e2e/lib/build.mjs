// The builds of a version. Building takes most of a run's time, so each build
// tries several things at once, and all features share them.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '../../../examples/storefront/check/lib/child.mjs';
import { e2eFolder } from './install.mjs';
import { atLeast, numbers } from './versions.mjs';
import { Site } from './site.mjs';

/** Which app, with which bundler and what else; `absent` says why a version has
 *  no such build. Turbopack builds of 16 run in worker threads, those of
 *  use-cache in processes; with Turbopack, 16 has a proxy for middleware. */
export const BUILDS = {
  webpack: {
    app: 'isr',
    flags: (version) => (atLeast(version, '16.0.0') ? ['--webpack'] : []),
    env: () => ({ E2E_STANDALONE: '1' }),
  },
  turbopack: {
    app: 'isr',
    flags: (version) => (atLeast(version, '16.0.0') ? [] : ['--turbopack']),
    env: (version) => ({ E2E_STANDALONE: '1', ...(atLeast(version, '16.0.0') ? { E2E_WORKER_THREADS: '1' } : {}) }),
    proxy: '16.0.0',
    absent: (version) => (atLeast(version, '15.5.0') ? undefined : '`next build` has no Turbopack before 15.5'),
  },
  i18n: {
    app: 'i18n',
    flags: () => [],
    env: () => ({}),
  },
  'use-cache': {
    app: 'use-cache',
    flags: () => [],
    env: () => ({}),
    absent: (version) => (atLeast(version, '15.0.0') ? undefined : "'use cache' came with 15"),
  },
};

/** The folders that an app is laid together from. */
function sourcesOf(name, version) {
  const { app } = BUILDS[name];
  return [app, `${app}-${numbers(version)[0]}`].map((source) => join(e2eFolder, 'app', source)).filter((from) => existsSync(from));
}

/** What a build was made from: the app, the package as it is installed, and how it was asked to build. */
function stampOf(name, version, packageFolder, environment) {
  const hash = createHash('sha256').update(JSON.stringify([BUILDS[name].flags(version), BUILDS[name].env(version), environment]));
  for (const folder of [...sourcesOf(name, version), packageFolder]) {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
    for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

function createTree(folder, name, version) {
  const { proxy } = BUILDS[name];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const from of sourcesOf(name, version)) cpSync(from, folder, { recursive: true });
  if (proxy && atLeast(version, proxy)) renameSync(join(folder, 'middleware.js'), join(folder, 'proxy.js'));
}

/** `next build`, or with `reuse` what it made from the same before; throws what it printed when it fails. */
export async function build(name, version, versionFolder, environment, reuse) {
  const folder = join(versionFolder, name);
  const site = new Site(folder, environment);
  const { NEXT_CACHE_ENGINE, ...builtIn } = environment; // one build for both caches
  const stamp = stampOf(name, version, join(versionFolder, 'node_modules/nextcache'), builtIn);
  const stampFile = join(folder, 'built-from');
  if (reuse && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return site;
  createTree(folder, name, version);
  const log = join(folder, 'build.log');
  const output = openSync(log, 'w');
  const begin = Date.now();
  const code = await runChild(process.execPath, [site.next, 'build', ...BUILDS[name].flags(version)], {
    cwd: folder, env: new Site(folder, builtIn).variables({ NODE_ENV: 'production', ...BUILDS[name].env(version) }), stdio: ['ignore', output, output],
  });
  if (code !== 0) throw new Error(`next build failed:\n${readFileSync(log, 'utf8').slice(-4000)}`);
  writeFileSync(stampFile, stamp);
  console.log(`# ${version}: ${name} built in ${Math.round((Date.now() - begin) / 1000)} s`);
  return site;
}
