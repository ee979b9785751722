// A Dockerfile, with as much of its language as ours uses. The images that it begins with
// are a root of debootstrap with a user `node`, and Node.js and npm of this machine.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const said = (command, args) => execFileSync(command, args, { encoding: 'utf8' }).trim();
const quietly = (command, args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** How npm reaches its registry from here: it may be in files that a root has not got. */
function registryOfThisMachine(root) {
  const env = { npm_config_registry: said('npm', ['config', 'get', 'registry']) };
  const authorities = said('npm', ['config', 'get', 'cafile']);
  if (existsSync(authorities)) {
    mkdirSync(join(root, 'etc/ssl'), { recursive: true });
    copyFileSync(authorities, join(root, 'etc/ssl/authorities.crt'));
    Object.assign(env, { npm_config_cafile: '/etc/ssl/authorities.crt', NODE_EXTRA_CA_CERTS: '/etc/ssl/authorities.crt' });
  }
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) copyFileSync(file, join(root, file));
  return env;
}

function baseImage(base, root) {
  rmSync(root, { recursive: true, force: true });
  quietly('cp', ['-a', base, root]);
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true });
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  chmodSync(join(root, 'usr/local/bin/node'), 0o755);
  cpSync(join(said('npm', ['root', '-g']), 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  quietly('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm')]);
  quietly('chroot', [root, 'useradd', '--uid', '1000', '--create-home', '--shell', '/bin/bash', 'node']);
  quietly('mount', ['-t', 'proc', 'proc', join(root, 'proc')]);
}

/** [word, rest] of each instruction. */
function instructions(file) {
  const lines = readFileSync(file, 'utf8').replaceAll('\\\n', '').split('\n');
  return lines.filter((line) => line.trim() && !line.startsWith('#')).map((line) => /^(\w+) +(.*)$/.exec(line).slice(1));
}

export class Image {
  env = {};
  folder = '/';
  user = 'root';
  command = undefined;

  constructor(root) {
    this.root = root;
  }

  #inside(user, command) {
    const env = Object.entries({ PATH, HOME: user === 'root' ? '/root' : `/home/${user}`, ...this.env }).map((pair) => pair.join('='));
    const as = user === 'root' ? [] : [`--userspec=${user}:${user}`];
    return [...as, this.root, 'env', '-i', ...env, 'sh', '-c', `cd ${this.folder} && ${command}`];
  }

  run(command, env) {
    const before = this.env;
    this.env = { ...env, ...before };
    try {
      return quietly('chroot', this.#inside(this.user, command));
    } catch (error) {
      throw new Error(`RUN ${command}:\n${String(error.stdout).slice(-3000)}${String(error.stderr).slice(-3000)}`);
    } finally {
      this.env = before;
    }
  }

  copy(from, words) {
    const target = words.pop();
    const inside = resolve(this.folder, target);
    for (const source of words) {
      // A folder means what is in it.
      mkdirSync(join(this.root, dirname(inside)), { recursive: true });
      quietly('cp', ['-a', '-T', join(from, source), join(this.root, inside)]);
      quietly('chown', ['-R', 'root:root', join(this.root, inside)]);
    }
  }

  /** `docker run -e NAME=value`: the process itself, and not a shell above it. */
  start(env) {
    const before = this.env;
    this.env = { ...before, ...env };
    const args = this.#inside(this.user, `exec ${this.command.join(' ')}`);
    this.env = before;
    return spawn('chroot', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

/** Carries a Dockerfile out; the image of its last stage. */
export function build(file, { base, context, scratch }) {
  const stages = new Map();
  let image;
  let registry;
  for (const [word, rest] of instructions(file)) {
    const words = rest.split(/ +/);
    if (word === 'FROM') {
      image = new Image(join(scratch, `stage-${stages.size}`));
      stages.set(words[2] ?? 'last', image);
      baseImage(base, image.root);
      registry = registryOfThisMachine(image.root);
    } else if (word === 'WORKDIR') {
      image.folder = rest;
      mkdirSync(join(image.root, rest), { recursive: true });
    } else if (word === 'ENV') {
      for (const pair of words) image.env[pair.split('=')[0]] = pair.split('=')[1];
    } else if (word === 'COPY') {
      const [, stage] = /^--from=(.*)$/.exec(words[0]) ?? [];
      if (stage) image.copy(stages.get(stage).root, words.slice(1));
      else image.copy(context, words);
    } else if (word === 'RUN') {
      image.run(rest, registry);
    } else if (word === 'USER') {
      image.user = rest;
    } else if (word === 'CMD') {
      image.command = JSON.parse(rest);
    } else if (word !== 'VOLUME' && word !== 'EXPOSE') {
      throw new Error(`${word} is not understood`);
    }
  }
  return { image, stages };
}
