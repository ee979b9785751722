'use strict';
// createInvalidation: helpers that invalidate what a site knows by name, and
// say why. They work wherever they are called from:
//
//   in a server action     updateTag: the visitor sees the change at once
//   in a route handler     revalidateTag, dead at once for everybody
//   in a proxy             Next.js takes what is revalidated, and never carries it out
//   outside any request    it throws (jobs, timers)
//
// In all of them the helpers mark through nextcache itself, too.
// Next 14 and 15 have no updateTag; there revalidateTag serves both of the first.

const nextcache = require('./index');
const { addReason } = require('./lib/reasons');
const { currentWork, nextCacheFunctions } = require('./lib/next');
const { warn, warnOnce } = require('./lib/log');

const NOT_AN_ACTION = /^updateTag can only be called from within a Server Action/;
const IS_ROUTED = /\/(page|route)$/; // "/blog/[slug]/page"
const NOT_A_REQUEST = /^Invariant: static generation store missing/;

/** Whether a call went through; an error that says something else than `unless` is the caller's. */
function tried(call, unless) {
  try {
    call();
    return true;
  } catch (error) {
    if (unless.test(error?.message)) return false;
    throw error;
  }
}

/** Whether this is a proxy, or a middleware: the work there is on no page and no route. */
function isInProxy() {
  const page = currentWork()?.page;
  return typeof page === 'string' && !IS_ROUTED.test(page);
}

/** Tells Next.js, which has no way to ask where else one is, so each door is tried; undefined outside of a request. */
function tellNext(tags) {
  const { updateTag, revalidateTag } = nextCacheFunctions();
  if (updateTag && tried(() => tags.forEach((tag) => updateTag(tag)), NOT_AN_ACTION)) return 'server action';
  if (revalidateTag && tried(() => tags.forEach((tag) => revalidateTag(tag, { expire: 0 })), NOT_A_REQUEST)) {
    return updateTag ? 'route handler' : 'request';
  }
  return undefined;
}

/** Of everything else that fails the log has a line already, such as of a directory that cannot be used. */
function tellNotGlobal({ code, message }) {
  if (code === 'NEXTCACHE_NOT_GLOBAL') warn('invalidation', message);
}

async function invalidate(tags) {
  const inProxy = isInProxy();
  const told = inProxy ? undefined : tellNext(tags);
  if (told) {
    // Next.js marks when an action or a handler has returned; what a stream of the latter says later it only notes.
    await nextcache.revalidateTag(tags).catch(tellNotGlobal);
    return told;
  }
  if (!nextcache.open()) {
    warnOnce('invalidation', "engine=next: outside of a request nothing of Next's own cache can be invalidated");
  }
  await nextcache.revalidateTag(tags);
  return inProxy ? 'proxy' : 'outside any request';
}

const asList = (tags) => (typeof tags === 'string' ? [tags] : [...tags]);

/** What a kind names: its own tag or that of one thing, a list, or what a function says. */
async function tagsOf(kind, args) {
  if (typeof kind === 'function') return asList(await kind(...args));
  if (typeof kind !== 'string') return asList(kind);
  return [args[0] === undefined ? kind : `${kind}:${args[0]}`];
}

const helperName = (name) => `invalidate${name[0].toUpperCase()}${name.slice(1)}Cache`;

/** {customer: …, cart: …} -> {invalidateCustomerCache(reason, …), invalidateCartCache(reason, …)} */
function createInvalidation(kinds) {
  const helper = (name, kind) => async (reason, ...args) => {
    const tags = await tagsOf(kind, args);
    const setting = await invalidate(tags);
    addReason({ by: name, setting, reason, tags });
    return setting;
  };
  return Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [helperName(name), helper(name, kind)]));
}

module.exports = { createInvalidation };
