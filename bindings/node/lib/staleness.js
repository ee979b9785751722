'use strict';
// How Next.js is told how fresh a page is.
//
// Next ages entries by itself, from lastModified. That a tag was marked, by
// whichever process, it must be told, and no release has a word for "serve it,
// and render it anew". What each takes for that:
//
//   14, 15, 16.0-16.2   lastModified -1
//   16.3                a lastModified that is older than the lifetime which
//                       this process knows for the page; -1 means "render
//                       before answering", and is for pages without a lifetime
//   16.4                a cacheControl that is just over

const { BoundedMap } = require('./bounded-map');
const { nextNow, toNext } = require('./clock');
const { STALE } = require('./engine');
const { isNextBefore } = require('./next');
const { denormalized, parseKey, prerenderManifest } = require('./prerender-manifest');
const { lastModifiedOfFresh } = require('./revalidation');
const { retention } = require('./retention');
const { headerTags } = require('./tags');
const { shared } = require('./shared');

const RENDER_ANEW = -1;
// A lifetime that is over: one second, counted from a little more ago. The
// response that carries it says s-maxage=1.
const OVER_SECONDS = 1;
const OVER_AGE_MS = 1500;
const LIFETIMES_MAX = 10000;

const secondsToMs = (seconds) => (typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : Infinity);

/** A lifetime that Next accepts; anything else makes it answer 500. */
function usableCacheControl(cacheControl) {
  const revalidate = cacheControl?.revalidate;
  const usable = revalidate === false || (typeof revalidate === 'number' && revalidate >= 1);
  return usable ? cacheControl : undefined;
}

/** Lifetimes that Next set in this process, which 16.3 remembers by path. */
const lifetimes = () => shared('staleness.lifetimes', () => new BoundedMap(LIFETIMES_MAX));

/** To be told of every set of a page: {revalidate, expire} in seconds. */
function noteLifetime(key, cacheControl) {
  if (cacheControl && isNextBefore(16, 4)) lifetimes().set(key, cacheControl);
}

/** How long Next 16.3 believes a page to be fresh, in seconds; false for ever. */
function revalidateKnown(key, context, serverDistDir) {
  const set = lifetimes().get(key);
  if (set) return set.revalidate;
  const { routes } = prerenderManifest(serverDistDir);
  const built = routes.get(denormalized(parseKey(key).pathname))?.initialRevalidateSeconds;
  return built ?? (context.isFallback ? false : OVER_SECONDS);
}

function staleIn163({ key, context, serverDistDir }, lastModified, cacheControl) {
  const known = revalidateKnown(key, context, serverDistDir);
  if (known === false) return RENDER_ANEW;
  const seconds = Math.max(known, Number(cacheControl?.revalidate) || 0);
  return Math.min(lastModified, nextNow() - seconds * 1000 - OVER_AGE_MS);
}

/** {lastModified, cacheControl} of an entry that is stale by a tag. */
function staleByTag(asked, lastModified, cacheControl) {
  if (isNextBefore(16, 3)) return { lastModified: RENDER_ANEW, cacheControl };
  if (isNextBefore(16, 4)) return { lastModified: staleIn163(asked, lastModified, cacheControl), cacheControl };
  return {
    lastModified: Math.min(lastModified, nextNow() - OVER_AGE_MS),
    cacheControl: { revalidate: OVER_SECONDS, expire: cacheControl?.expire },
  };
}

/** The same for an entry whose re-render failed: as if it had been made then. */
function retained({ since, seconds }, found, cacheControl) {
  const deadAt = Math.min(found.deadAt, found.created + secondsToMs(cacheControl?.expire));
  const deadIn = Math.ceil((deadAt - since) / 1000);
  return {
    lastModified: toNext(since),
    cacheControl: { revalidate: seconds, expire: Number.isFinite(deadIn) ? deadIn : undefined },
  };
}

/**
 * What Next is told of a hit: {lastModified, cacheControl}. `asked` is
 * {key, storage, context, serverDistDir}, `found` what the core found.
 */
function freshness(asked, found, value, stored) {
  const lastModified = toNext(found.created);
  const cacheControl = usableCacheControl(stored);
  const retry = retention(asked.storage);
  if (retry && found.created <= retry.since) return retained(retry, found, cacheControl);
  if (found.result !== STALE) return { lastModified: lastModifiedOfFresh(lastModified, () => headerTags(value)), cacheControl };
  if (found.why === 'age') return { lastModified, cacheControl };
  return staleByTag(asked, lastModified, cacheControl);
}

module.exports = { OVER_AGE_MS, freshness, noteLifetime, secondsToMs };
