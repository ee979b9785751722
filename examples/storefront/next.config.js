// One source tree, two builds: Next.js allows `export const revalidate` and
// `cacheComponents` only apart. SHOP_MODE picks the flavour, and with it the
// route files: `page.isr.tsx` and `page.cc.tsx` hold what differs (the segment
// configuration or the cached functions), all else is shared.
const path = require('node:path');

const mode = process.env.SHOP_MODE || 'isr';
if (mode !== 'isr' && mode !== 'cc') throw new Error(`SHOP_MODE is "${mode}"; it must be "isr" or "cc"`);

// Next.js reads NEXT_CACHE_HANDLER_PATH itself, but only from the shell and not
// from .env files, and a relative path fails at start; so it is resolved here.
const handler = require.resolve(process.env.NEXT_CACHE_HANDLER_PATH || 'nextcache/cache-handler');
const useCacheHandler = require.resolve('nextcache/use-cache-handler');

// Turbopack and the file tracer must see this folder and the package below one
// root, and `nextcache` may be a link into the repository it is developed in.
const packageFolder = path.dirname(require.resolve('nextcache/package.json'));
let root = __dirname;
while (path.relative(root, packageFolder).startsWith('..')) root = path.dirname(root);

/** @type {import('next').NextConfig} */
module.exports = {
  pageExtensions: [`${mode}.tsx`, `${mode}.ts`, 'tsx', 'ts'],
  cacheHandler: handler,
  cacheHandlers: { default: useCacheHandler, remote: useCacheHandler },
  ...(mode === 'cc' ? { cacheComponents: true, partialPrefetching: true } : { experimental: { useCache: true } }),
  serverExternalPackages: ['nextcache'],
  turbopack: { root },
  outputFileTracingRoot: root,
  poweredByHeader: false,
  // A constant build id, as people set who deploy the same commit many times.
  ...(process.env.SHOP_BUILD_ID ? { generateBuildId: () => process.env.SHOP_BUILD_ID } : {}),
  async redirects() {
    return [{ source: '/shop/:slug', destination: '/products/:slug', permanent: true }];
  },
};
