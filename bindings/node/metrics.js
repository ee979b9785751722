'use strict';
// A route handler that answers Prometheus:
//
//   export { GET } from 'nextcache/metrics';        app/metrics/route.ts
//
// It looks at the headers of the request first, which keeps the route dynamic
// in every Next.js, with and without cacheComponents. With
// NEXT_CACHE_METRICS_TOKEN set, only who sends it as a bearer token is answered.

const crypto = require('node:crypto');

const TEXT = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' };

const digest = (text) => crypto.createHash('sha256').update(text).digest();

/** Whether the request may see the numbers; takes as long whatever differs. */
function isAllowed(authorization) {
  const token = process.env.NEXT_CACHE_METRICS_TOKEN;
  return !token || crypto.timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
}

async function GET(request) {
  if (!isAllowed(request.headers.get('authorization'))) {
    return new Response('a token is needed\n', { status: 401, headers: { ...TEXT, 'www-authenticate': 'Bearer' } });
  }
  return new Response(await require('./index').metrics(), { headers: TEXT });
}

module.exports = { GET };
