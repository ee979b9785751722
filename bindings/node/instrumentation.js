'use strict';
// What a server does when it starts:
//
//   export { register } from 'nextcache/instrumentation';       instrumentation.ts
//
// or a call of register() in the project's own one. Next.js bundles this file
// for the edge runtime too, where there is nothing to do.
if (process.env.NEXT_RUNTIME === 'edge') {
  module.exports = { register: async () => {} };
} else {
  module.exports = { register: require('./lib/warming').register };
}
