// PM2: `pm2 start ecosystem.config.js` in the folder of the site, after `npm run build`.
// `pm2 reload shop` replaces one process after the other; all of them share the cache.
module.exports = {
  apps: [
    {
      name: 'shop',
      script: 'node_modules/next/dist/bin/next', // of a standalone build: server.js, without args
      args: 'start',
      exec_mode: 'cluster',
      instances: 2,
      kill_timeout: 10_000, // requests under way may end
      env: {
        NODE_ENV: 'production',
        PORT: process.env.PORT ?? 3000,
        // Outside of the folder that a deployment replaces.
        NEXT_CACHE_DIR: process.env.NEXT_CACHE_DIR ?? '/var/cache/shop',
      },
    },
  ],
};
