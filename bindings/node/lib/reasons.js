'use strict';
// Why things were invalidated: the last reasons that were given, for people.
//
// They stand in <dir>/v1/invalidations, one JSON object on a line, for all
// processes; src/cli/reasons.c has the same rules. A line is one write in append
// mode, with a line end on both sides, so that one that was torn spoils no
// other. A file of 64 KB takes the place of invalidations.1. Nothing depends on
// the list: what cannot be written is left out, and said in the debug log.

const fs = require('node:fs');
const path = require('node:path');
const { debug } = require('./log');
const { theEngine } = require('./engine');

const FILE_BYTES = 65536;
const LINE_BYTES = 4096;
const REASON_CHARACTERS = 300;
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = fs.constants;

/** The line of a record, without the tags that do not fit. */
function lineOf(record) {
  for (let count = record.tags.length; ; count -= 1) {
    const line = `\n${JSON.stringify({ ...record, tags: record.tags.slice(0, count) })}\n`;
    if (count === 0 || Buffer.byteLength(line) <= LINE_BYTES) return line;
  }
}

function rotate(file, fd) {
  // Another process may have moved it meanwhile; then it is not ours to move.
  if (fs.lstatSync(file).ino === fs.fstatSync(fd).ino) fs.renameSync(file, `${file}.1`);
}

function append(file, line) {
  const fd = fs.openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${file} is not a file`);
    if (stat.size >= FILE_BYTES) {
      rotate(file, fd);
      append(file, line);
    } else {
      fs.writeSync(fd, line);
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** Notes why tags were invalidated. `by` is who says so, `setting` where. */
function addReason({ by, setting, reason, tags }) {
  debug?.('invalidated', tags, `by ${by} (${setting}):`, reason);
  const engine = theEngine();
  if (!engine.available || engine.config.diskBytes === 0) return;
  const record = { time_ms: Date.now(), tags, reason: String(reason).slice(0, REASON_CHARACTERS), by };
  try {
    append(path.join(/* turbopackIgnore: true */ engine.config.dir, 'v1', 'invalidations'), lineOf(record));
  } catch (error) {
    debug?.('the reason could not be noted:', error.message);
  }
}

module.exports = { addReason };
