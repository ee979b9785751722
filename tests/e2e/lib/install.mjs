// One folder for each version, with Next.js from npm and nextcache as a package
// among the others, packed as it would be published. Apps are built in folders
// beside its node_modules.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const e2eFolder = dirname(dirname(fileURLToPath(import.meta.url)));
export const rootFolder = dirname(dirname(e2eFolder));
export const workFolder = join(rootFolder, 'build/e2e');

const PLAYWRIGHT = '1.65.1';

const npm = (cwd, ...args) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

function installedVersion(folder, name) {
  try {
    return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

/** Packages in exact versions: {name: version}. */
function install(folder, packages) {
  mkdirSync(folder, { recursive: true });
  const wanted = Object.entries(packages);
  if (wanted.every(([name, version]) => installedVersion(folder, name) === version)) return;
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  npm(folder, 'install', '--save-exact', ...wanted.map(([name, version]) => `${name}@${version}`));
}

/** The folder of a version, ready to build in. */
export function installVersion({ version, react }) {
  const folder = join(workFolder, version);
  install(folder, { next: version, react, 'react-dom': react });
  const target = join(folder, 'node_modules/nextcache');
  // Another package than that of this tree may be tried: a folder, or an archive.
  const source = process.env.E2E_NEXTCACHE ?? join(rootFolder, 'bindings/node');
  const archive = npm(folder, 'pack', source, '--pack-destination', folder).trim().split('\n').pop();
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  execFileSync('tar', ['-xzf', join(folder, archive), '-C', target, '--strip-components=1']);
  rmSync(join(folder, archive));
  return folder;
}

/** playwright-core, which drives the Chromium of the system. */
export function installPlaywright() {
  const folder = join(workFolder, 'playwright');
  install(folder, { 'playwright-core': PLAYWRIGHT });
  return createRequire(join(folder, 'package.json'))('playwright-core');
}
