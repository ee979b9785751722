const useCache = require.resolve('nextcache/use-cache-handler');

module.exports = {
  output: 'standalone',
  cacheComponents: true,
  cacheHandler: require.resolve('nextcache/cache-handler'),
  cacheHandlers: { default: useCache, remote: useCache },
  serverExternalPackages: ['nextcache'],
  outputFileTracingRoot: __dirname,
  turbopack: { root: __dirname },
};
