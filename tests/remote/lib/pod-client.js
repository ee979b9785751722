'use strict';
// The clients that a project may pass in, by the name in POD_KIND, with the addresses in
// POD_PORTS. A pod calls this to get its option `remote`.

const fs = require('node:fs');

const host = '127.0.0.1';
const ports = (process.env.POD_PORTS ?? '').split(',').map(Number);
const nodes = ports.map((port) => ({ host, port }));
const quiet = (client) => client.on('error', () => {});

// Shorter than the follower waits for the log's next entry.
const IMPATIENT = { commandTimeout: 300, socketTimeout: 300 };

const KINDS = {
  iovalkey: () => new (require('iovalkey'))({ ...nodes[0], lazyConnect: true }),
  ioredis: () => new (require('ioredis').Redis)({ ...nodes[0], lazyConnect: true }),
  'redis 5': () => require('redis').createClient({ socket: nodes[0] }),
  'redis 4': () => require('redis-4').createClient({ socket: nodes[0] }),
  "a site's ioredis": () => new (require('ioredis').Redis)({ ...nodes[0], ...IMPATIENT, lazyConnect: true, enableAutoPipelining: true }),
  "a site's redis": () => require('redis').createClient({ socket: { ...nodes[0], ...IMPATIENT } }),
  'iovalkey cluster': () => new (require('iovalkey').Cluster)(nodes, { lazyConnect: true }),
  'ioredis cluster': () => new (require('ioredis').Cluster)(nodes, { lazyConnect: true }),
  'redis 5 cluster': () => require('redis').createCluster({ rootNodes: nodes.map((socket) => ({ socket })) }),
  'redis 4 cluster': () => require('redis-4').createCluster({ rootNodes: nodes.map((socket) => ({ socket })) }),
  sentinel: () => new (require('ioredis').Redis)({ sentinels: nodes, name: 'shop', lazyConnect: true, sentinelRetryStrategy: () => 100 }),
  tls: () =>
    new (require('iovalkey'))({
      ...nodes[0],
      lazyConnect: true,
      username: 'nextcache',
      password: 'secret',
      tls: { ca: fs.readFileSync(process.env.POD_CERT) },
    }),
};

module.exports = () => ({ client: quiet(KINDS[process.env.POD_KIND]()), getMs: 1000, connectMs: 2000 });
