'use strict';
// What a site's operator reads. A cause is told once a minute at most, by one
// of all processes: they agree through claims, symbolic links in a directory
// under the system's temporary one, which need no room on a full disk. Where
// that is impossible, each process keeps to the minute by itself.
//
// With NEXT_PRIVATE_DEBUG_CACHE set, every call is logged in the manner of
// Next's own cache.

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { BoundedMap } = require('./bounded-map');
const { shared } = require('./shared');

const debugging = Boolean(process.env.NEXT_PRIVATE_DEBUG_CACHE);
const MINUTE_MS = 60000;
const CAUSES_MAX = 1000;

// ---- agreeing with the other processes -------------------------------------------

/** The directory of this user's claims; undefined where there can be none. */
function claimsDirectory() {
  const uid = process.getuid?.();
  const dir = path.join(/* turbopackIgnore: true */ os.tmpdir(), `nextcache-${uid}`);
  try {
    fs.mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (error.code !== 'EEXIST') return undefined;
  }
  // Somebody else's, or one that others can write to, is none.
  const { uid: owner, mode } = fs.lstatSync(dir);
  return owner === uid && (mode & 0o170077) === 0o040000 ? dir : undefined;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

function link(file, now) {
  try {
    fs.symlinkSync(`${process.pid}.${now}`, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** When a live process told of it, by its claim; 0 for none. A process that was started again says it again. */
function toldAt(file) {
  try {
    const [pid, at] = fs.readlinkSync(file).split('.').map(Number);
    return isAlive(pid) ? at : 0;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Removes the claims of minutes that are over. */
function sweep(dir, minute) {
  for (const name of fs.readdirSync(dir)) {
    if (Number(name.split('.')[1]) < minute - 1) fs.rmSync(path.join(/* turbopackIgnore: true */ dir, name), { force: true });
  }
}

/** Whether this process is the one that tells of `cause` now, and nobody did in the minute before. */
function claim(cause, now) {
  try {
    const dir = claimsDirectory();
    if (!dir) return true;
    // Another site of this user has causes of its own.
    const name = crypto.createHash('sha256').update(`${process.cwd()}\0${cause}`).digest('hex').slice(0, 24);
    const minute = Math.floor(now / MINUTE_MS);
    const [file, before] = [minute, minute - 1].map((m) => path.join(/* turbopackIgnore: true */ dir, `${name}.${m}`));
    if (now - toldAt(before) < MINUTE_MS) return false;
    if (link(file, now)) {
      sweep(dir, minute);
      return true;
    }
    if (toldAt(file)) return false;
    fs.rmSync(file, { force: true });
    return link(file, now);
  } catch {
    return true;
  }
}

// ---- telling ---------------------------------------------------------------------

const told = () => shared('log.told', () => new BoundedMap(CAUSES_MAX));

/** Prints a line, unless one was printed for this cause in the minute before. */
function warn(cause, text = cause) {
  const now = Date.now();
  const age = now - told().get(cause);
  if (age >= 0 && age < MINUTE_MS) return;
  told().set(cause, now);
  if (claim(cause, now)) console.warn(`nextcache: ${text.replace(/\s*\n\s*/g, ' ')}`);
}

/** The same, but only once in the life of the process. */
function warnOnce(cause, text) {
  if (!told().has(cause)) warn(cause, text);
}

// ---- debugging -------------------------------------------------------------------

const REASONS = {
  absent: 'absent',
  age: 'expired',
  future: 'from the future',
  floor: 'older than the oldest invalidation still known',
  corrupt: 'corrupt',
  error: 'the disk answered with an error',
};

/** Why a look-up found nothing, or something stale, in words. */
const reasonOf = ({ why, whyTag }, state) =>
  why === 'tag' ? `${state} by tag ${JSON.stringify(whyTag)}` : (REASONS[why] ?? why);

const printed = (word) => (Array.isArray(word) ? `[${word.join(', ')}]` : word);

const debug = debugging ? (...words) => console.log('nextcache:', ...words.map(printed)) : undefined;

module.exports = { debug, reasonOf, warn, warnOnce };
