// Part "replay": every vector through our handlers, in each arrangement; and
// the vectors of Next's own cache through Next's own cache, as the proof that
// the replay does what the recorded app did.
'use strict';

const path = require('node:path');
const { Replay } = require('./lib/replay.js');
const { VERSIONS } = require('./lib/vector.js');
const { describe } = require('./lib/report.js');

const ARRANGEMENTS = ['one', 'two', 'restart'];

/** Which vectors an engine is measured by, and in which arrangements. */
function planOf({ vectors, nextFolders }) {
  const plan = [];
  for (const vector of vectors) {
    const next = nextFolders[vector.major];
    if (vector.isOracle && next) plan.push({ vector, engine: 'next', arrangement: 'one', next });
    if (vector.isOracle && next) plan.push({ vector, engine: 'hand-over', arrangement: 'one', next });
    if (!vector.isOracle) plan.push({ vector, engine: 'reference', arrangement: 'whole' });
    for (const arrangement of ARRANGEMENTS) plan.push({ vector, engine: 'nextcache', arrangement });
  }
  return plan;
}

const nameOf = ({ engine, label }) => (engine === 'hand-over' ? `nextcache handing over to ${label}` : label);

async function run(context) {
  const { report, judgement, engines, nextFolders } = context;
  for (const [major, version] of Object.entries(VERSIONS)) {
    if (!nextFolders[major]) report.note(`Next ${version} is not installed: its own cache is not replayed`);
  }
  for (const { vector, engine, arrangement, next } of planOf(context)) {
    const replay = new Replay({
      vector,
      engine,
      arrangement,
      folder: path.join(context.folder, `${vector.name}-${engine}-${arrangement}`),
      clockLibrary: context.clockLibrary,
      next,
    });
    engines.add(replay.label);
    await replay.run();
    const unlisted = judgement.unlisted(replay.differences);
    const listed = replay.differences.length - unlisted.length;
    const name = `replay ${vector.name} through ${nameOf(replay)}, ${arrangement}: ${replay.answers} answers, ${listed} listed differences`;
    report.check(name, unlisted.map(describe));
  }
}

module.exports = { name: 'replay', run };
