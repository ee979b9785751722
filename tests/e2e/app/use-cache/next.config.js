// 'use cache': an experiment in Next.js 15, a mode of the whole app in 16.
const { version } = require('next/package.json');

const [major, minor] = version.split('.').map(Number);
const hasPartialPrefetching = major > 16 || (major === 16 && minor >= 3);
const root = require('node:path').dirname(__dirname);
const handler = require.resolve('nextcache/use-cache-handler');
const cacheHandlers = { default: handler, remote: handler, 'of-our-own': handler };

const config = {
  cacheHandler: require.resolve('nextcache/cache-handler'),
  serverExternalPackages: ['nextcache'],
  outputFileTracingRoot: root,
  turbopack: { root },
  ...(major === 15 ? { experimental: { useCache: true, cacheHandlers } } : { cacheComponents: true, partialPrefetching: hasPartialPrefetching ? true : undefined, cacheHandlers }),
};

module.exports = process.env.E2E_DIRECT ? require('nextcache/next-config').withDirectHandler(config) : config;
