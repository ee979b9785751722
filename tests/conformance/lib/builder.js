// Plays `next build`: the process that starts a worker (host.js) and ends with
// it. It only passes messages on; what matters is that each build is a process.
'use strict';

const path = require('node:path');
const { fork } = require('node:child_process');

const worker = fork(path.join(__dirname, 'host.js'), [], { stdio: 'inherit' });
worker.on('message', (message) => process.send(message));
process.on('message', (message) => worker.send(message));
worker.on('exit', (code) => process.exit(code ?? 1));
