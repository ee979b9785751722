'use strict';
// State that must exist once per environment (the main thread, or one worker).
// A bundler may put several copies of these files into one process; they all
// find the same state through a registered symbol. The version is part of it,
// so that two releases in one process keep apart.

const { version } = require('../package.json');

const symbol = Symbol.for(`nextcache@${version}`);

/** The value called `name`, made by `create` when it is first asked for. */
function shared(name, create) {
  const all = (globalThis[symbol] ??= new Map());
  let value = all.get(name);
  if (value === undefined) {
    value = create();
    all.set(name, value);
  }
  return value;
}

/** The value called `name` if somebody has made it. */
const sharedIfAny = (name) => globalThis[symbol]?.get(name);

module.exports = { shared, sharedIfAny };
