const root = require('node:path').dirname(__dirname);

module.exports = {
  cacheHandler: require.resolve('nextcache/cache-handler'),
  outputFileTracingRoot: root,
  serverExternalPackages: ['nextcache'],
  turbopack: { root },
  headers: async () => [
    { source: '/products/:path*', headers: [{ key: 'x-shop', value: 'open' }] },
    { source: '/u/cookie', headers: [{ key: 'set-cookie', value: 'seen=1' }] },
    { source: '/ruled', has: [{ type: 'cookie', key: 'beta' }], headers: [{ key: 'x-beta', value: 'yes' }] },
  ],
  redirects: async () => [{ source: '/old', destination: '/', permanent: true }],
  rewrites: async () => ({
    // A page whose place another one has taken, and a way to it.
    beforeFiles: [{ source: '/shadowed', destination: '/products/b' }, { source: '/behind', destination: '/shadowed' }],
    afterFiles: [{ source: '/alias', destination: '/products/a' }],
  }),
};
