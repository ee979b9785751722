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
// Workers that race may each write a record; all say the same time, and the id
// is first read when the build is over, so it does not matter who wins. A record
// of another main process belongs to an earlier build into the same directory,
// and is replaced.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');
const { wallNow } = require('./clock');
const { shared } = require('./shared');
const { warnOnce } = require('./log');

const NAME = 'nextcache-build.json';
const CLOCK_TICKS_PER_SECOND = 100;
// /proc counts in hundredths of a second, and two readers may round differently.
const START_TOLERANCE_MS = 2000;

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

/** Wall time at which a process started, from /proc; undefined where there is none. */
function processStartMs(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
    const uptimeMs = Number(fs.readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;
    const startedMs = wallNow() - uptimeMs + (Number(fields[19]) * 1000) / CLOCK_TICKS_PER_SECOND;
    return Number.isFinite(startedMs) ? Math.floor(startedMs) : undefined;
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

/**
 * Records the start of the build that this process works for. Done once for a
 * directory, before anything is read from it; later calls cost a look-up.
 */
function recordBuildStart(serverDistDir) {
  const recorded = shared('build.recorded', () => new Set());
  if (!serverDistDir || recorded.has(serverDistDir)) return;
  recorded.add(serverDistDir);
  const pid = buildProcess();
  const startedMs = processStartMs(pid) ?? Math.floor(wallNow() - process.uptime() * 1000);
  const old = readBuildRecord(serverDistDir);
  if (old && old.pid === pid && Math.abs(old.startedMs - startedMs) < START_TOLERANCE_MS) return;
  try {
    writeRecord(serverDistDir, { id: crypto.randomUUID(), pid, startedMs });
  } catch (error) {
    warnOnce('build-record', `the start of this build could not be recorded: ${error.message}`);
  }
}

module.exports = { readBuildRecord, recordBuildStart };
