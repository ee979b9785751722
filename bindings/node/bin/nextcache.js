#!/usr/bin/env node
'use strict';
// npx nextcache: the command line tool, which is a program in C, and two commands that know the project's JavaScript.

const { spawn } = require('node:child_process');
const { findTool, platform } = require('../lib/binaries');

const CANNOT = 4;

/** Runs the tool on our terminal; its exit code, or signal, becomes ours. */
function run(args) {
  const file = findTool();
  if (!file) {
    console.error(`nextcache: there is no tool for ${platform}; were optional dependencies left out? It can be built with CMake (target nextcache_cli)`);
    process.exitCode = CANNOT;
    return;
  }
  const tool = spawn(file, args, { stdio: 'inherit' });
  // A key on the terminal reaches both; the tool decides what it means.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => tool.kill(signal));
  tool.on('error', (error) => {
    console.error(`nextcache: the tool cannot be run: ${error.message}`);
    process.exitCode = CANNOT;
  });
  tool.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else {
      process.exitCode = code;
    }
  });
}

const [command, ...args] = process.argv.slice(2);
const setup = require('../lib/setup/commands');
if (Object.hasOwn(setup.USAGE, command ?? '')) {
  setup.main(command, args).then((code) => (process.exitCode = code));
} else {
  if (['--help', 'help'].includes(command)) console.log(`In a project of Next.js also:\n  ${Object.values(setup.USAGE).join('\n  ')}\n`);
  run([command, ...args].filter((arg) => arg !== undefined));
}
