// Puts a package together and packs it.
//
//   assemble.mjs TARGET ADDON TOOL NOTICES OUT   the binaries of one platform
//   assemble.mjs nextcache OUT                   the package itself, with its sources
//   assemble.mjs sources OUT                     the same, which names no packages of binaries
//
// A package that names others is only for a registry that has them: npm leaves those that it
// cannot get out of the lock file, and `npm ci` then refuses that file as incomplete.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const root = path.resolve(here, '../../..');
const binding = path.resolve(here, '..');
const manifest = JSON.parse(fs.readFileSync(path.join(binding, 'package.json'), 'utf8'));
const targets = JSON.parse(fs.readFileSync(path.join(here, 'targets.json'), 'utf8'));

const { version, license, engines } = manifest;
const packageOf = (target) => `nextcache-${target}`;

function emptyFolder(out, name) {
  const folder = path.join(out, 'stage', name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  return folder;
}

function pack(folder, packageJson, out) {
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(packageJson, null, 2)}\n`);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', out], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

function assembleBinaries(target, addon, tool, notices, out) {
  const name = packageOf(target);
  const { os, cpu, libc } = targets[target];
  const folder = emptyFolder(out, name);
  for (const [from, to] of [[addon, 'nextcache.node'], [tool, 'nextcache']]) {
    const file = path.join(folder, to);
    fs.copyFileSync(from, file);
    execFileSync(cpu === 'arm64' ? 'aarch64-linux-gnu-strip' : 'strip', ['--strip-unneeded', file]);
    fs.chmodSync(file, 0o755);
  }
  fs.copyFileSync(notices, path.join(folder, 'THIRD-PARTY-NOTICES'));
  fs.writeFileSync(path.join(folder, 'README.md'), `The binaries of [nextcache](../nextcache) for ${os} on ${cpu} with ${libc}; it installs them by itself.\n`);
  const description = `Binaries of nextcache for ${os} ${cpu} (${libc})`;
  pack(folder, { name, version, description, license, os: [os], cpu: [cpu], libc: [libc], engines, preferUnplugged: true }, out);
}

/** What is compiled where no binaries fit: by bin/install.js. */
const SOURCES = ['CMakeLists.txt', 'src', 'include', 'docs/nextcache.1', 'bindings/node/CMakeLists.txt', 'bindings/node/check-symbols.cmake', 'bindings/node/src'];
const BUILT = new Set(['nextcache.node', 'bin/nextcache']);

function assembleItself(out, optional) {
  const folder = emptyFolder(out, 'nextcache');
  const listed = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: binding, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  const { files } = Array.isArray(listed) ? listed[0] : Object.values(listed)[0];
  for (const { path: file } of files) {
    if (!BUILT.has(file)) fs.cpSync(path.join(binding, file), path.join(folder, file));
  }
  for (const source of SOURCES) {
    const filter = (from) => !from.includes('node_modules');
    fs.cpSync(path.join(root, source), path.join(folder, 'native', source), { recursive: true, filter });
  }
  const { devDependencies, files: _, ...published } = manifest;
  pack(folder, { ...published, scripts: { install: 'node bin/install.js' }, ...optional }, out);
}

const [what, ...args] = process.argv.slice(2);
const optionalDependencies = Object.fromEntries(Object.keys(targets).map((target) => [packageOf(target), version]));
if (what === 'nextcache') assembleItself(...args, { optionalDependencies });
else if (what === 'sources') assembleItself(...args, {});
else assembleBinaries(what, ...args);
