// Where an answer may differ from the recorded one, each with its reason.
//
// A difference that no rule here covers is a failure, and so is a rule that
// covers none: what is written here is what is true. The rules are data for
// docs/compatibility.md as well: `next` says what Next's own cache does, `ours`
// what nextcache does instead, `reason` why.
//
// A rule covers a difference (see lib/replay.js and values.js for its fields)
// when the engine is one of `engines` and matches(difference) is true.
'use strict';

const { isDead, isOnlyRepeated, isPathRevalidated, isStale, outlivesDeadline } = require('./lib/history.js');

const isReplay = ({ suite }) => suite === 'replay';
const isPlural = ({ cls }) => cls.startsWith('plural:');
const missBecomesHit = ({ path, expected }) => path === '(answer)' && expected === 'miss';
const hitBecomesMiss = ({ path, expected }) => path === '(answer)' && expected === 'hit';
const isAbsent = (field) => field?.$t === 'absent';

/** Whether an answer differs by what makes Next serve it stale. */
function saysJustOver({ path, expected, actual }) {
  if (path === 'lastModified') return actual < expected;
  if (path === 'cacheControl') return actual.revalidate === 1;
  return path === 'cacheControl.revalidate' && actual === 1;
}

const RULES = [
  // ---- where nextcache answers otherwise than Next's own cache ------------------------
  {
    id: 'stale-by-tag',
    engines: ['nextcache'],
    next: 'an entry whose tag was marked "stale now, dead later" is returned as it is; Next knows of the mark from a map in its own process',
    ours: 'it is returned with a lifetime that is just over, so that every process serves it stale and renders it anew',
    reason: 'the singular interface has no word for "stale", and a map in one process does not reach the others',
    matches: (difference) =>
      isReplay(difference) &&
      difference.cls === 'singular' &&
      saysJustOver(difference) &&
      isStale(difference.history),
  },
  {
    id: 'a-deadline-spares-what-came-after-the-mark',
    engines: ['nextcache'],
    next: 'when the deadline of a mark passes, entries are dead that were set between the mark and the deadline',
    ours: 'only entries from before the mark are dead',
    reason: 'what was rendered after the invalidation already shows what it was about',
    matches: (difference) => isReplay(difference) && missBecomesHit(difference) && outlivesDeadline(difference.history),
  },
  {
    id: 'one-invalidation-announced-twice',
    engines: ['nextcache'],
    next: 'revalidateTag in a server action is announced twice, and the second time expires what the action has just rendered',
    ours: 'what one request repeats is one invalidation',
    reason: 'a needless second render of every page that a server action changes',
    matches: (difference) => isReplay(difference) && missBecomesHit(difference) && isOnlyRepeated(difference.history),
  },
  {
    id: 'revalidate-path-reaches-the-pages-router',
    engines: ['nextcache'],
    next: 'revalidatePath changes nothing for a page of the Pages router, which has no tags',
    ours: 'such a page has the tags of its path, and is rendered anew',
    reason: 'it is what the call is for; with Next alone only res.revalidate() does it',
    matches: (difference) =>
      isReplay(difference) && hitBecomesMiss(difference) && /^pages$/i.test(difference.kind) && isPathRevalidated(difference.history),
  },
  {
    id: 'build-entries-survive-the-build',
    engines: ['nextcache', 'reference'],
    next: "'use cache' entries of the build are gone when the server starts",
    ours: 'the server reads what the build workers stored',
    reason: 'the plural handlers of the recording were in memory; the entries are worth keeping, and their keys carry the build id',
    matches: (difference) =>
      isReplay(difference) && isPlural(difference) && missBecomesHit(difference) && difference.phase === 'start' && difference.history.set?.phase === 'build',
  },
  {
    id: 'soft-tags-are-judged-by-get',
    engines: ['nextcache'],
    next: "getExpiration() says when the page's own tags were last marked, and Next compares",
    ours: 'getExpiration() is Infinity: get() has judged these tags and answers with a miss',
    reason: 'counted order instead of clocks, and one question instead of two; the interface provides for it',
    matches: (difference) =>
      isReplay(difference) &&
      isPlural(difference) &&
      (difference.op === 'getExpiration' ? difference.actual.v === 'Infinity' : hitBecomesMiss(difference) && isDead(difference.history)),
  },
  {
    id: 'route-handlers-die-by-tag-in-14',
    engines: ['nextcache'],
    next: '14 judges pages by their tags, but not route handlers: revalidatePath and revalidateTag have no effect on those',
    ours: 'a route handler whose tag was marked is a miss, as in 15 and 16',
    reason: 'an answer that was invalidated is not to be served; 15 corrected it',
    matches: (difference) =>
      isReplay(difference) &&
      difference.vector.startsWith('14') &&
      hitBecomesMiss(difference) &&
      difference.recorded.value?.kind === 'ROUTE' &&
      isDead(difference.history),
  },
  {
    id: 'shells-come-without-rsc-data',
    engines: ['nextcache'],
    next: 'RSC data of a fallback or of a postponed page is withheld when read from disk, but not when read from memory',
    ours: 'it is always withheld',
    reason: 'it is partial: returned, it leads to a stale or broken page in the browser',
    matches: ({ path, kind, ctx, actual, recorded }) =>
      path === 'value.rscData' &&
      kind === 'APP_PAGE' &&
      actual?.$t === 'undefined' &&
      (ctx.isFallback || (ctx.isRoutePPREnabled && typeof recorded.value.postponed === 'string')),
  },
  {
    id: 'fallback-shells-come-without-results',
    engines: ['nextcache'],
    next: 'the state of a prerendered fallback shell carries the results of the one page that the build rendered it with',
    ours: 'the shell comes without them',
    reason: 'they are of another page than the one that is asked for, and nothing invalidates them',
    matches: ({ path, ctx, expected, actual }) =>
      path === 'value.postponed' && ctx.isFallback && actual.endsWith('null') && expected.startsWith(actual.slice(0, -'null'.length)),
  },
  {
    id: 'fetch-values-without-tags',
    engines: ['nextcache'],
    next: 'a FETCH value that was read from disk carries a field `tags` that was not in it when it was set',
    ours: 'a value comes back as it was set',
    reason: 'Next keeps the tags inside the file; nothing reads them from the value',
    matches: ({ path, kind, actual }) => path === 'value.tags' && /^fetch$/i.test(kind) && isAbsent(actual),
  },
  {
    id: 'lifetimes-are-returned-to-15',
    engines: ['nextcache'],
    next: '15 returns no cacheControl and ignores one',
    ours: 'it is returned as it was set',
    reason: '16.4 reads it, and nothing is gained by hiding it from 15',
    matches: ({ vector, path, expected }) => vector.startsWith('15') && path === 'cacheControl' && isAbsent(expected),
  },
  {
    id: 'implicit-build-fetches-are-not-stored',
    engines: ['nextcache'],
    next: 'fetches without cache options are stored during the build and stay for ever',
    ours: 'they are held in the memory of the build worker',
    reason: 'nothing asks for them after the build',
    matches: ({ suite, path, setCtx }) => suite === 'values' && path === '(answer)' && setCtx?.isImplicitBuildTimeCache === true,
  },

  // ---- where the replay differs from the recording -----------------------------------------
  {
    id: 'a-path-is-a-file-name',
    engines: ['next 14', 'next 15', 'next 16'],
    next: 'set() of a page whose path has a segment of over 255 bytes fails with ENAMETOOLONG',
    ours: 'keys are hashed, so any path is stored',
    reason: 'Next makes file names of keys; the recording does not say what a set answered',
    matches: ({ op, path, actual }) => op === 'set' && path === '(threw)' && actual.includes('ENAMETOOLONG'),
  },
  {
    id: 'marked-in-the-same-millisecond',
    engines: ['next 15'],
    next: 'an entry that was set in the very millisecond of a mark is dead in 14 and 15, alive in 16',
    ours: 'order is counted, not clocked: what was rendered after the mark is alive',
    reason: 'the replay does not hit the same milliseconds as the recording',
    matches: (difference) => isReplay(difference) && missBecomesHit(difference) && isOnlyRepeated(difference.history),
  },
  {
    id: 'recorded-entries-outlive-revalidate',
    engines: ['next 16'],
    next: "the built-in 'use cache' handler drops an entry once it is older than its revalidate",
    ours: 'an entry is kept until its expire, and Next refreshes it in the background',
    reason: 'the plural handlers of the recording kept them, too, and are not the built-in one',
    matches: (difference) =>
      isPlural(difference) && hitBecomesMiss(difference) && difference.history.t > difference.history.set.born + difference.recorded.revalidate * 1000,
  },
];

module.exports = { RULES };
