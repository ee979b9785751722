// On what, and from what, the figures were taken.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { requirePeer, rootFolder, workFolder } from './places.mjs';

const PACKAGES = ['next', 'lmdb', 'lru-cache', 'better-sqlite3', '@fortedigital/nextjs-cache-handler', '@trieb.work/nextjs-turbo-redis-cache'];

function versionOf(name) {
  const paths = requirePeer.resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return JSON.parse(readFileSync(`${path}/${name}/package.json`, 'utf8')).version;
    } catch {
      // the next one
    }
  }
  return '?';
}

function ask(command, ...args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', cwd: rootFolder, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '?';
  }
}

export function machine() {
  mkdirSync(workFolder, { recursive: true });
  const redis = /(\d[\d.]+)/.exec(ask('redis-cli', '--version'))?.[1] ?? '?';
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: ask('git', 'rev-parse', '--short', 'HEAD') + (ask('git', 'status', '--porcelain', '-uno') ? ', with changes' : ''),
    cpu: `${os.cpus().length} × ${os.cpus()[0]?.model.trim()}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GB`,
    system: `Linux ${os.release().split('-')[0]}, ${ask('stat', '-f', '-c', '%T', workFolder)}`,
    node: process.version,
    packages: [...PACKAGES.map((name) => `${name} ${versionOf(name)}`), `Redis ${redis}`],
  };
}
