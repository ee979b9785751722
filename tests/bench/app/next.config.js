// Built with nextcache, with nothing, and with Next's own cache as a handler; all from the same files.
const root = require('node:path').dirname(__dirname);

const config = {
  ...(process.env.BENCH_HANDLER ? { cacheHandler: require.resolve(process.env.BENCH_HANDLER) } : {}),
  cacheMaxMemorySize: 5 * 2 ** 20,
  outputFileTracingRoot: root,
  serverExternalPackages: ['nextcache'],
  turbopack: { root },
};

module.exports = process.env.BENCH_DIRECT ? require('nextcache/next-config').withDirectHandler(config) : config;
