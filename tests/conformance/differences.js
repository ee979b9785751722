// Where an answer may differ from the recorded one, each with its reason.
//
// A difference that no rule here covers is a failure, and so is a rule that
// covers none: what is written here is what is true. The rules are data for
// docs/compatibility.md as well: `next` says what Next's own cache does, `ours`
// what nextcache does instead, `reason` why.
//
// A rule covers a difference (see lib/replay.js and lib/values.js for its
// fields) when the engine is one of `engines` and matches(difference) is true.
'use strict';

const RULES = [
  {
    id: 'long-path-is-a-file-name',
    engines: ['next 14', 'next 15', 'next 16'],
    next: 'set() of a page whose path has a segment of over 255 bytes fails with ENAMETOOLONG',
    ours: 'keys are hashed, so any path is stored',
    reason: 'Next makes file names of keys',
    matches: ({ op, path, actual }) => op === 'set' && path === '(threw)' && actual.includes('ENAMETOOLONG'),
  },
  {
    id: 'marked-in-the-same-millisecond',
    engines: ['next 15'],
    next: 'an entry that was set in the very millisecond of a mark is dead in 14 and 15, alive in 16',
    ours: 'order is counted, not clocked: what was rendered after the mark is alive',
    reason: 'the replay does not hit the same milliseconds as the recording',
    matches: ({ vector, path, expected, kind }) => vector === '15.fs' && path === '(answer)' && expected === 'miss' && kind === 'FETCH',
  },
  {
    id: 'recorder-kept-entries-past-revalidate',
    engines: ['next 16'],
    next: "the built-in 'use cache' handler drops an entry once it is older than its revalidate",
    ours: 'an entry is kept until its expire, and Next refreshes it in the background',
    reason: 'the plural handlers of the recording were written to the contract and are not the built-in one',
    matches: ({ vector, path, cls, expected, answer }) =>
      vector === '16cc.fs' && cls.startsWith('plural:') && path === '(answer)' && expected === 'hit' && answer.expected.revalidate < 10,
  },
  {
    id: 'build-entries-survive-the-build',
    engines: ['reference', 'nextcache'],
    next: "'use cache' entries of the build are gone when the server starts",
    ours: 'the server reads what the build workers stored',
    reason: 'the recorder held plural entries in memory; they are worth keeping, and their keys carry the build id',
    matches: ({ vector, cls, path, expected }) => vector.startsWith('16cc') && cls.startsWith('plural:') && path === '(answer)' && expected === 'miss',
  },
];

module.exports = { RULES };
