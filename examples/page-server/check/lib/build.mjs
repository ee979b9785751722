// The app, built with Next.js from npm in a folder of build/page-server.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkFolder = dirname(dirname(fileURLToPath(import.meta.url)));
export const rootFolder = join(checkFolder, '../../..');
export const workFolder = process.env.PAGE_SERVER_WORK ?? join(rootFolder, 'build/page-server');
export const nextProgram = join(workFolder, 'node_modules/next/dist/bin/next');

const PACKAGES = { next: '16.4.6', react: '19.2.0', 'react-dom': '19.2.0' };
const E2E_MODULES = join(rootFolder, 'build/e2e', PACKAGES.next, 'node_modules');

const npm = (...args) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: workFolder, encoding: 'utf8' });

/** Next.js, taken from the end-to-end tests where they have installed it; and nextcache, as it would be published. */
export function install() {
  const modules = join(workFolder, 'node_modules');
  mkdirSync(workFolder, { recursive: true });
  writeFileSync(join(workFolder, 'package.json'), '{ "private": true }\n');
  if (!existsSync(join(modules, 'next')) && existsSync(join(E2E_MODULES, 'next'))) execFileSync('cp', ['-al', E2E_MODULES, modules]);
  if (!existsSync(join(modules, 'next'))) npm('install', '--save-exact', ...Object.entries(PACKAGES).map((pair) => pair.join('@')));
  const archive = npm('pack', join(rootFolder, 'bindings/node'), '--pack-destination', workFolder).trim().split('\n').pop();
  rmSync(join(modules, 'nextcache'), { recursive: true, force: true });
  mkdirSync(join(modules, 'nextcache'));
  execFileSync('tar', ['-xzf', join(workFolder, archive), '-C', join(modules, 'nextcache'), '--strip-components=1']);
  rmSync(join(workFolder, archive));
}

function checksum(folder) {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true }).sort()) {
    const file = join(folder, name);
    if (statSync(file).isFile()) hash.update(`${name}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** The folder of a build, `overlay` laid over the app; made anew when either has changed. */
export function build(name, overlay) {
  const folder = join(workFolder, name);
  const sources = [join(checkFolder, 'app'), ...(overlay ? [join(checkFolder, overlay)] : [])];
  const sum = sources.map(checksum).join(' ');
  const note = join(folder, '.built-from');
  if (existsSync(note) && readFileSync(note, 'utf8') === sum) return folder;
  rmSync(folder, { recursive: true, force: true });
  for (const source of sources) cpSync(source, folder, { recursive: true });
  const begin = Date.now();
  execFileSync(process.execPath, [nextProgram, 'build'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' } });
  writeFileSync(note, sum);
  console.log(`# ${name}: built in ${Math.round((Date.now() - begin) / 1000)} s`);
  return folder;
}
