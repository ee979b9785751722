// Part "faults": what the contract asks of a handler that no recorded app did:
// wrong kinds, broken arguments, marks with deadlines, broken storage. The
// checks are in lib/fault-checks.js; here they get the process each group needs.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { Clock } = require('./lib/clock.js');
const { Vector } = require('./lib/vector.js');

const TIMEOUT_MS = 120000;

/** The groups of checks, and what their process is told beside the usual. */
const GROUPS = {
  usual: {},
  'little room': { NEXT_CACHE_MAX_MEMORY_SIZE: '1MB', NEXT_CACHE_MAX_DISK_SIZE: '8MB' },
  'no directory': { NEXT_CACHE_DIR: '/dev/null/nextcache' },
  edge: { NEXT_RUNTIME: 'edge' },
};

/** Runs a group in a process of its own: [{name, failure?}]. */
function runGroup(group, env, cwd) {
  const child = spawn(process.execPath, ['--expose-gc', path.join(__dirname, 'lib/fault-checks.js'), group], {
    cwd,
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const results = [];
  let errors = '';
  child.on('message', (result) => results.push(result));
  child.stderr.on('data', (data) => (errors += data));
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const ended = code === 0 ? [] : [{ name: 'the process ends well', failure: `${code ?? signal}: ${errors.slice(-400)}` }];
      resolve([...results, ...ended]);
    });
  });
}

async function run({ report, folder, clockLibrary }) {
  const vector = new Vector('16');
  for (const [group, extra] of Object.entries(GROUPS)) {
    const home = path.join(folder, `faults-${group.replace(' ', '-')}`);
    fs.mkdirSync(home);
    const app = vector.makeApp(path.join(home, 'app'));
    const clock = new Clock(clockLibrary, path.join(home, 'clock'), Date.now(), 1);
    const env = {
      PATH: process.env.PATH,
      CONFORMANCE_BINDING: process.env.CONFORMANCE_BINDING ?? '',
      NODE_ENV: 'production',
      NEXT_RUNTIME: 'nodejs',
      NEXT_CACHE_DIR: path.join(home, 'cache'),
      ...clock.env,
      ...extra,
    };
    const results = await runGroup(group, env, app.root);
    clock.close();
    for (const { name, failure } of results) report.check(`faults, ${group}: ${name}`, failure ? [failure] : []);
    if (results.length === 0) report.notOk(`faults, ${group}: no check ran`);
  }
}

module.exports = { name: 'faults', run };
