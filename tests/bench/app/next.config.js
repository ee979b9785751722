// Built twice, with nextcache and with nothing; both from the same files.
const root = require('node:path').dirname(__dirname);

module.exports = {
  ...(process.env.BENCH_HANDLER ? { cacheHandler: require.resolve('nextcache/cache-handler') } : {}),
  cacheMaxMemorySize: 5 * 2 ** 20,
  outputFileTracingRoot: root,
  serverExternalPackages: ['nextcache'],
  turbopack: { root },
};
