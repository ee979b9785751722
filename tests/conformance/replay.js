// Part "replay": every vector through our handlers, in each arrangement; and
// the vectors of Next's own cache through Next's own cache, as the proof that
// the replay does what the recorded app did.
'use strict';

const path = require('node:path');
const { Replay } = require('./lib/replay.js');
const { NOT_YET } = require('./differences.js');
const { describe } = require('./lib/report.js');

const ARRANGEMENTS = ['one', 'two', 'restart'];

/** A vector that is not to be whole yet is replayed once, to see how far it is. */
const arrangementsOf = ({ name }) => (name in NOT_YET ? ['one'] : ARRANGEMENTS);

/** Which vectors an engine is measured by, and in which arrangements. */
function planOf({ vectors, nextFolders }) {
  const plan = [];
  for (const vector of vectors) {
    if (vector.isOracle && nextFolders[vector.major]) plan.push({ vector, engine: 'next', arrangement: 'one' });
    if (!vector.isOracle) plan.push({ vector, engine: 'reference', arrangement: 'whole' });
    for (const arrangement of arrangementsOf(vector)) plan.push({ vector, engine: 'nextcache', arrangement });
  }
  return plan;
}

async function run(context) {
  const { report, judgement, engines, nextFolders } = context;
  if (!nextFolders[16]) report.note('Next 16.4.6 is not installed: its own cache is not replayed');
  for (const { vector, engine, arrangement } of planOf(context)) {
        const replay = new Replay({
      vector,
      engine,
      arrangement,
      folder: path.join(context.folder, `${vector.name}-${engine}-${arrangement}`),
      clockLibrary: context.clockLibrary,
      env: engine === 'next' ? { CONFORMANCE_NEXT: nextFolders[vector.major] } : {},
    });
    engines.add(replay.label);
    await replay.run();
    const unlisted = judgement.unlisted(replay.differences);
    const listed = replay.differences.length - unlisted.length;
    const name = `replay ${vector.name} through ${replay.label}, ${arrangement}: ${replay.answers} answers, ${listed} listed differences`;
    if (engine === 'nextcache') report.checkVector(vector.name, name, unlisted.map(describe));
    else report.check(name, unlisted.map(describe));
  }
}

module.exports = { name: 'replay', run };
