'use strict';
// For the debug log alone: whether what a look-up missed is there for another
// build. Entries of a build have its name in their key, so the cache itself
// cannot say; the last names that stored something are kept in it.

const { CLASSES } = require('./classes');
const { decode } = require('./codec');
const { theEngine } = require('./engine');

const NAMES_MAX = 8;
const NAMES_KEY = 'nextcache:builds';

async function readNames() {
  const { parts } = await theEngine().get(NAMES_KEY, CLASSES.other);
  return parts ? decode(parts).names : [];
}

async function addName(name) {
  const others = (await readNames()).filter((other) => other !== name);
  const names = [name, ...others].slice(0, NAMES_MAX);
  await theEngine().put(NAMES_KEY, CLASSES.other, [], { birth: theEngine().birth() }, { names });
}

/** Notes that the build called `name` stores something: once per process, which is to be waited for. */
function noteBuildName(name) {
  const noted = theEngine().remembered('other-builds', () => new Set());
  if (!name || noted.has(name)) return undefined;
  noted.add(name);
  return addName(name);
}

/** Whether an entry is there whose key `keyFor` makes of another build's name. */
async function isOfAnotherBuild(name, keyFor) {
  for (const other of await readNames()) {
    if (other === name) continue;
    const { why } = await theEngine().get(keyFor(other), CLASSES.other);
    if (why !== 'absent') return true;
  }
  return false;
}

module.exports = { isOfAnotherBuild, noteBuildName };
