// The contract in its shortest form, without memory bounds, disk or a second
// process: what the vectors that were recorded with an empty store expect.
// Replaying them through it proves the replay where Next is not installed,
// and breaking it on purpose (selftest.js) proves that the replay can fail.
'use strict';

const sabotage = require('./sabotage.js')[process.env.CONFORMANCE_SABOTAGE] ?? {};
const unharmed = (answer) => answer;
const now = () => performance.timeOrigin + performance.now();

const marks = new Map(); // tag -> {stale, expired}, wall times

function mark(tags, durations) {
  const at = Date.now();
  for (const tag of [tags].flat()) {
    const before = marks.get(tag);
    if (!durations) marks.set(tag, { ...before, expired: at });
    else marks.set(tag, { stale: at, expired: durations.expire === undefined ? before?.expired : at + durations.expire * 1000 });
  }
}

/** Dead: a mark that has come into force lies after the birth. */
const dead = (tags, born) => !sabotage.deaf && tags.some((tag) => marks.get(tag)?.expired > born && marks.get(tag).expired <= now());
const stale = (tags, born) => tags.some((tag) => marks.get(tag)?.stale > born);

const pages = new Map();

class Singular {
  async get(key, ctx) {
    const entry = pages.get(key);
    if (!entry) return null;
    const { tags, ...answer } = entry;
    if (dead([...tags, ...(ctx.softTags ?? [])], answer.lastModified)) return null;
    return (sabotage.singular ?? unharmed)(answer);
  }

  async set(key, value, ctx) {
    const tags = ctx.tags ?? value?.headers?.['x-next-cache-tags']?.split(',') ?? [];
    pages.set(key, { value, lastModified: Date.now(), cacheControl: ctx.cacheControl, tags });
  }

  async revalidateTag(tags, durations) {
    mark(tags, durations);
  }

  resetRequestCache() {}
}

const entries = new Map();

const plural = {
  async get(key) {
    const entry = entries.get(key);
    if (!entry || now() > entry.timestamp + entry.expire * 1000 || dead(entry.tags, entry.timestamp)) return undefined;
    const revalidate = stale(entry.tags, entry.timestamp) ? -1 : entry.revalidate;
    const { bytes, ...answer } = (sabotage.plural ?? unharmed)({ ...entry, revalidate });
    return { ...answer, value: new Blob([bytes]).stream() };
  },

  async set(key, pending) {
    const { value, ...entry } = await pending;
    const bytes = await new Response(value).arrayBuffer();
    if (entry.expire > 0) entries.set(key, { ...entry, bytes });
  },

  async refreshTags() {},
  getExpiration: async (...tags) => Math.max(0, ...tags.flat().map((tag) => marks.get(tag)?.expired ?? 0)),
  updateTags: async (tags, durations) => mark(tags, durations),
};

module.exports = { Singular, plural: () => plural };
