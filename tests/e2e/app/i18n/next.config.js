// The Pages router with locales and with a slash at the end of every path.
const root = require('node:path').dirname(__dirname);
const isNext14 = require('next/package.json').version.startsWith('14.');

const config = {
  cacheHandler: require.resolve('nextcache/cache-handler'),
  i18n: { locales: ['en', 'de-AT'], defaultLocale: 'en', localeDetection: false },
  trailingSlash: true,
  skipTrailingSlashRedirect: true,
  ...(isNext14
    ? { experimental: { outputFileTracingRoot: root, serverComponentsExternalPackages: ['nextcache'] } }
    : { outputFileTracingRoot: root, serverExternalPackages: ['nextcache'], turbopack: { root } }),
};

module.exports = process.env.E2E_DIRECT ? require('nextcache/next-config').withDirectHandler(config) : config;
