'use strict';
// When a build began, as the build's own workers saw it.
//
// Pages that `next build` renders are files without a birth: they are judged
// by wall time. A file's mtime says when it was written, or copied; its data
// was read earlier, at the earliest when the build began. The first worker
// that loads the handler writes that moment to a file which travels with the
// build output (also into a standalone tree, which copies server/pages whole).
// The record's id also tells two builds apart that have the same BUILD_ID.
//
// All workers of one build write the same id, so it does not matter who wins. A
// record of another main process belongs to an earlier build into the same
// directory, and is replaced.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');
const { wallNow } = require('./clock');
const { warnOnce } = require('./log');

const NAME = 'nextcache-build.json';
const CLOCK_TICKS_PER_SECOND = 100;

const recordFile = (serverDistDir) => path.join(/* turbopackIgnore: true */ serverDistDir, 'pages', NAME);

/** {id, startedMs} of a build; undefined when none was recorded. */
function readBuildRecord(serverDistDir) {
  try {
    const record = JSON.parse(fs.readFileSync(recordFile(serverDistDir), 'utf8'));
    return typeof record.startedMs === 'number' && typeof record.id === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When a process started: {ticks, startedMs}, from /proc; undefined where there
 * is none. Ticks are exact, so every reader gets the same.
 */
function processStart(pid) {
  try {
    const ticks = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[19];
    const uptimeMs = Number(fs.readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;
    const startedMs = Math.floor(wallNow() - uptimeMs + (Number(ticks) * 1000) / CLOCK_TICKS_PER_SECOND);
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return Number.isFinite(startedMs) ? { ticks: `${boot}:${ticks}`, startedMs } : undefined;
  } catch {
    return undefined;
  }
}

/** The process of `next build`: our parent when we are one of its workers. */
const buildProcess = () => (isMainThread && typeof process.send === 'function' ? process.ppid : process.pid);

function writeRecord(serverDistDir, record) {
  const file = recordFile(serverDistDir);
  const temporary = `${file}.${process.pid}.${crypto.randomUUID()}`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(temporary, JSON.stringify(record));
  fs.renameSync(temporary, file);
}

function currentBuild() {
  const pid = buildProcess();
  const start = processStart(pid);
  if (!start) return { id: crypto.randomUUID(), startedMs: Math.floor(wallNow() - process.uptime() * 1000) };
  const id = crypto.createHash('sha256').update(`${pid}:${start.ticks}`).digest('base64url').slice(0, 16);
  return { id, startedMs: start.startedMs };
}

/** Records the start of the build that this process works for, and returns it. */
function recordBuildStart(serverDistDir) {
  const build = currentBuild();
  if (readBuildRecord(serverDistDir)?.id !== build.id) {
    try {
      writeRecord(serverDistDir, build);
    } catch (error) {
      warnOnce('build-record', `the start of this build could not be recorded: ${error.message}`);
    }
  }
  return build;
}

module.exports = { readBuildRecord, recordBuildStart };
