'use strict';
// npx nextcache init and npx nextcache uninstall: what they would change is
// shown as a diff, and done when it is agreed to.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const readline = require('node:readline/promises');
const { NotUnderstood, findConfig } = require('./config-file');
const { diff } = require('./edit');
const { projectRoot } = require('../config');
const { toPaste, withSettings, withoutSettings } = require('./settings');
const { withVariables, withoutVariables } = require('./env-file');

const ENV_FILE = '.env.production';
const [OK, PROBLEM, WRONG_ARGUMENTS] = [0, 1, 2];

const USAGE = {
  init: 'nextcache init [--yes]       puts nextcache into next.config and .env.production',
  uninstall: 'nextcache uninstall [--yes]  takes it out again',
};

const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
const readJson = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));

/** A name that is ours, or a link to somewhere else: then the file it leads to is written. */
function write(file, text) {
  const target = fs.existsSync(file) ? fs.realpathSync(file) : file;
  const temporary = `${target}.nextcache-${process.pid}`;
  fs.writeFileSync(temporary, text, { mode: fs.existsSync(target) ? fs.statSync(target).mode : 0o644 });
  fs.renameSync(temporary, target);
}

function nextMajor(root) {
  const { version } = Module.createRequire(path.join(root, 'package.json'))('next/package.json');
  const [major, minor] = version.split('.').map(Number);
  if (major < 14 || (major === 14 && minor < 2)) throw new NotUnderstood(`Next.js ${version} is older than 14.2`);
  return Math.min(major, 16);
}

/** Whether Node.js runs the file as an ES module; next.config.ts is compiled by Next.js. */
function isEsm(root, name) {
  if (/\.m[jt]s$/.test(name)) return true;
  return name.endsWith('.js') && readJson(path.join(root, 'package.json')).type === 'module';
}

// ---- what would change ------------------------------------------------------------------

/** {name, before, after} of next.config, or {name, problem}. */
function changedConfig(root, command) {
  const name = findConfig(root);
  let major = 16;
  try {
    if (command === 'uninstall') return name ? { name, ...withoutSettings(root, name) } : undefined;
    major = nextMajor(root);
    return name ? { name, ...withSettings(root, name, { major, isEsm: isEsm(root, name) }) } : newConfig(root, major);
  } catch (error) {
    if (!(error instanceof NotUnderstood) && error.code !== 'MODULE_NOT_FOUND') throw error;
    return { name: name ?? 'next.config', major, problem: firstLine(error.message) };
  }
}

function newConfig(root, major) {
  const esm = readJson(path.join(root, 'package.json')).type === 'module';
  const name = esm ? 'next.config.mjs' : 'next.config.js';
  const text = `/** @type {import('next').NextConfig} */\n${esm ? 'export default' : 'module.exports ='} {};\n`;
  return { name, ...withSettings(root, name, { major, isEsm: esm, text }), before: '' };
}

const firstLine = (text) => text.split('\n', 1)[0];

function changes(root, command) {
  const env = read(path.join(root, ENV_FILE));
  const found = [
    changedConfig(root, command),
    { name: ENV_FILE, before: env, after: command === 'init' ? withVariables(env) : withoutVariables(env) },
  ];
  return found.filter((change) => change && (change.problem || change.before !== change.after));
}

// ---- telling, asking, doing ---------------------------------------------------------------

function tell(command, { name, problem, before, after, major }) {
  if (!problem) {
    console.log(`${diff(name, before, after)}\n`);
  } else if (command === 'init') {
    console.log(`${name} stays as it is: ${problem}. Put this into the configuration by hand:\n\n${toPaste(major)}\n`);
  } else {
    console.log(`${name} stays as it is: ${problem}. Take out by hand what names nextcache.\n`);
  }
}

async function agreed(yes) {
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    console.error('nextcache: nothing was changed; --yes agrees to it');
    return false;
  }
  const terminal = readline.createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('Change this? [y/N] ');
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function apply(root, { name, after }) {
  const file = path.join(root, name);
  if (after === '') fs.rmSync(file);
  else write(file, after);
}

function whatIsNext(root, command) {
  if (command === 'uninstall') {
    console.log('Now build anew, then: npm uninstall nextcache, and remove the cache directory (.cache/nextcache).');
    return;
  }
  if (!/^\/?\.cache\b/m.test(read(path.join(root, '.gitignore')))) console.log('Put .cache/ into .gitignore.');
  console.log('Now build, start, and look: npx nextcache doctor');
}

/** Runs a command; returns the exit code. */
async function main(command, args) {
  const unknown = args.find((arg) => !['--yes', '-y', '--help'].includes(arg));
  if (unknown || args.includes('--help')) {
    (unknown ? console.error : console.log)(`usage: ${USAGE[command]}`);
    return unknown ? WRONG_ARGUMENTS : OK;
  }
  const root = projectRoot();
  const found = changes(root, command);
  for (const change of found) tell(command, change);
  const possible = found.filter((change) => !change.problem);
  const code = found.length > possible.length ? PROBLEM : OK;
  if (found.length === 0) console.log(command === 'init' ? 'All is there already.' : 'Nothing of nextcache is there.');
  if (possible.length === 0) return code;
  if (!(await agreed(args.includes('--yes') || args.includes('-y')))) return PROBLEM;
  for (const change of possible) apply(root, change);
  whatIsNext(root, command);
  return code;
}

module.exports = { USAGE, main };
