'use strict';
// What a route in the edge runtime gets of `nextcache`, of its metrics and of its
// invalidation, by the condition "edge-light" in package.json. Nothing native can be
// there, and nothing of the process be reached: it builds, and says so when it is used.

const NEEDS_NODE =
  "nextcache cannot be used in the edge runtime: take out `export const runtime = 'edge'`, or call what next/cache has for it there";

async function refuse() {
  throw new Error(NEEDS_NODE);
}

module.exports = {
  GET: async () => new Response(`${NEEDS_NODE}\n`, { status: 501 }),
  clear: refuse,
  close() {},
  configure() {},
  createInvalidation: () => new Proxy({}, { get: () => refuse }),
  metrics: refuse,
  open: () => false,
  remove: refuse,
  revalidatePath: refuse,
  revalidateTag: refuse,
  stats: () => null,
};
