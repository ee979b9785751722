// One configuration for every version and build; what differs comes from the
// environment of the checks' builder and from the version itself.
const { version } = require('next/package.json');

const [major, minor] = version.split('.').map(Number);
const root = require('node:path').dirname(__dirname);
const handler = require.resolve('nextcache/cache-handler');
const isDirect = Boolean(process.env.E2E_DIRECT);
const hasOwnImages = !isDirect && (major > 16 || (major === 16 && minor >= 2));
// Next 14 has these under `experimental`.
const tracing = { outputFileTracingRoot: root };
const external = ['nextcache'];

const config = {
  cacheHandler: handler,
  output: process.env.E2E_STANDALONE ? 'standalone' : undefined,
  images: { ...(hasOwnImages ? { customCacheHandler: true } : {}) },
  experimental: {
    ...(process.env.E2E_WORKER_THREADS ? { workerThreads: true, cpus: 2 } : {}),
    ...(major === 14 ? { ...tracing, serverComponentsExternalPackages: external, instrumentationHook: true } : {}),
  },
  ...(major === 14 ? {} : { ...tracing, serverExternalPackages: external, turbopack: { root } }),
};

module.exports = isDirect ? require('nextcache/next-config').withDirectHandler(config) : config;
