// Part "selftest": can this test fail? Breaks the reference handler in every
// way of lib/sabotage.js and sees that a replay notices, in the right field;
// then does the same to the list of differences. The tests that
// README.md names for each trap are there.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Vector } = require('./lib/vector.js');
const { Replay } = require('./lib/replay.js');
const { Judgement } = require('./lib/judgement.js');
const SABOTAGES = require('./lib/sabotage.js');
const { RULES } = require('./differences.js');

async function replayBroken({ folder, clockLibrary }, vector, sabotage, index) {
  const replay = new Replay({
    vector,
    engine: 'reference',
    arrangement: 'whole',
    folder: path.join(folder, `selftest-${index}`),
    clockLibrary,
    env: { CONFORMANCE_SABOTAGE: sabotage },
  });
  await replay.run();
  return new Judgement(RULES).unlisted(replay.differences);
}

async function run(context) {
  const { report } = context;
  const vectors = { singular: new Vector('16'), plural: new Vector('16cc') };
  for (const [index, [name, { notice, plural }]] of Object.entries(SABOTAGES).entries()) {
    const differences = await replayBroken(context, plural ? vectors.plural : vectors.singular, name, index);
    const noticed = differences.filter((difference) => difference.path.startsWith(notice));
    report.check(`selftest: it is noticed when ${name}`, noticed.length > 0 ? [] : [`no difference in ${notice} among ${differences.length}`]);
  }
  checkJudgement(report);
  checkMap(report);
}

/** That the tests which README.md names are there. */
function checkMap(report) {
  const readme = fs.readFileSync(path.join(__dirname, 'README.md'), 'utf8');
  const named = [...readme.matchAll(/`([\w/.-]+\.m?js): ([^`]+)`/g)];
  const missing = named.filter(([, file, test]) => !fs.readFileSync(path.join(__dirname, '..', file), 'utf8').includes(test));
  report.check(`selftest: README.md names tests that exist: ${named.length}`, named.length > 0 ? missing.map(([text]) => text) : ['none is named']);
}

function checkJudgement(report) {
  const rule = { id: 'a', engines: ['x'], matches: ({ path }) => path === 'listed' };
  const judgement = new Judgement([rule, { ...rule, id: 'b', matches: () => false }]);
  const unlisted = judgement.unlisted([
    { engine: 'x', path: 'listed' },
    { engine: 'x', path: 'other' },
    { engine: 'y', path: 'listed' },
  ]);
  report.check('selftest: a difference that is not listed for the engine stays', unlisted.length === 2 ? [] : [`${unlisted.length} stayed`]);
  const unused = judgement.unused(new Set(['x']));
  const right = unused.length === 1 && unused[0].rule.id === 'b';
  report.check('selftest: a rule that covers nothing is found', right ? [] : [JSON.stringify(unused)]);
}

module.exports = { name: 'selftest', run };
