'use strict';
// One way to talk to the server, whatever client there is: `iovalkey`, `ioredis` or
// `redis` (node-redis 4 and 5), found by itself for a URL, or passed in by the user, who
// thereby decides on TLS, ACL, Sentinel and Cluster. A client that was passed in is
// only a pattern: what is used are duplicates of it, so that nothing that we wait for or
// give up is in its way.
//
//   open(purpose) -> {send(key, args), close(), whenLost}
//
// A connection queues nothing while it is down and repeats nothing. One with the
// purpose "log" ends when it breaks; one with "commands" comes back by itself.

const CLIENTS = ['iovalkey', 'ioredis', 'redis'];
const BULK_STRING = 36; // "$", in the protocol
const RECONNECT_MS = [10, 1000];

/**
 * The value of the promise, or a rejection when it takes longer. Somebody who waits for
 * it may be all that a process still does: `hold` keeps it alive so long.
 */
function within(ms, promise, what, hold = false) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineError(`${what} took more than ${ms} ms`)), ms);
    if (!hold) timer.unref();
    promise.then(
      (value) => (clearTimeout(timer), resolve(value)),
      (error) => (clearTimeout(timer), reject(error)),
    );
  });
}

class DeadlineError extends Error {
  code = 'DEADLINE';
}

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

const reconnectAfter = (times) => {
  const [shortest, longest] = RECONNECT_MS;
  return Math.min(longest, shortest * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2);
};

/** Sockets of ours never keep a process alive. */
const letGo = (stream) => stream?.unref?.();

// ---- ioredis and iovalkey --------------------------------------------------------------

/** The deadlines of a pattern would end a read that waits for the log. Here are others. */
const WITHOUT_DEADLINES = { commandTimeout: undefined, socketTimeout: undefined };

const ioredisOptions = (purpose, connectMs) => ({
  ...WITHOUT_DEADLINES,
  lazyConnect: true,
  enableAutoPipelining: false, // which loses the name of a command that is sent as an argument
  connectTimeout: connectMs,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: purpose === 'log' ? () => null : reconnectAfter,
  // A master that was demoted says so; the client then asks where the new one is.
  reconnectOnError: (error) => /^READONLY/.test(error.message),
});

function duplicateIoredis(client, purpose, connectMs) {
  const options = ioredisOptions(purpose, connectMs);
  if (!client.isCluster) return client.duplicate(options);
  const { retryStrategy, reconnectOnError, ...cluster } = options;
  return client.duplicate(undefined, {
    ...cluster,
    clusterRetryStrategy: retryStrategy,
    redisOptions: { ...client.options?.redisOptions, ...WITHOUT_DEADLINES, connectTimeout: connectMs },
  });
}

/** The sockets of a client: those of all nodes, of a cluster. */
function unrefIoredis(client) {
  const nodes = client.isCluster ? client.nodes('all') : [client];
  for (const node of nodes) letGo(node.stream);
}

async function openIoredis(client) {
  let lost;
  const whenLost = new Promise((resolve) => (lost = resolve));
  let cause; // of what fails, which is only told that it was closed
  client.on('error', (error) => (cause = error));
  client.on('end', lost);
  client.on('connect', () => unrefIoredis(client));
  client.on('+node', (node) => node.on('connect', () => letGo(node.stream)));
  await client.connect().catch((error) => {
    throw cause ?? error;
  });
  unrefIoredis(client);
  return {
    whenLost,
    send: (_key, args) => {
      if (!client.isCluster) corkForNow(client.stream);
      return client.callBuffer(...args);
    },
    close: () => client.disconnect(),
  };
}

/** What is written until this turn of the event loop ends goes in one piece. */
function corkForNow(stream) {
  if (!stream?.cork || stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

// ---- node-redis ------------------------------------------------------------------------

const isNodeRedisCluster = (client) => typeof client.nodeClient === 'function' || 'masters' in client;

function duplicateNodeRedis(client, purpose, connectMs) {
  const socket = {
    socketTimeout: undefined,
    connectTimeout: connectMs,
    reconnectStrategy: purpose === 'log' ? false : reconnectAfter,
  };
  if (isNodeRedisCluster(client)) {
    const defaults = client._options?.defaults;
    const patient = { ...defaults?.socket, socketTimeout: undefined };
    return client.duplicate({ defaults: { ...defaults, disableOfflineQueue: true, socket: patient } });
  }
  return client.duplicate({ disableOfflineQueue: true, socket: { ...client.options?.socket, ...socket } });
}

/** One that has ended already says so: 4 by its promise, 5 in the call. */
async function endNodeRedis(client) {
  try {
    await (client.destroy ?? client.disconnect).call(client);
  } catch {
    // It has ended.
  }
}

async function openNodeRedis(client) {
  let lost;
  const whenLost = new Promise((resolve) => (lost = resolve));
  client.on('error', () => {});
  client.on('end', lost);
  await client.connect();
  client.unref?.();
  // 4 and 5 say in different words that replies are wanted as bytes.
  const options = { returnBuffers: true, typeMapping: { [BULK_STRING]: Buffer } };
  const send = isNodeRedisCluster(client)
    ? (key, args) => client.sendCommand(key, false, args, options)
    : (_key, args) => client.sendCommand(args, options);
  return {
    whenLost,
    send,
    close: () => {
      lost();
      endNodeRedis(client);
    },
  };
}

// ---- which client ----------------------------------------------------------------------

const isIoredis = (client) => typeof client?.callBuffer === 'function' && typeof client.duplicate === 'function';
const isNodeRedis = (client) => typeof client?.sendCommand === 'function' && typeof client.duplicate === 'function';

/** Whether a client is one that can be used. */
const isClient = (client) => isIoredis(client) || isNodeRedis(client);

/** The first client package that the project has. Bundled copies have none, and open nothing. */
function installedClient() {
  if (!process.env.__NEXT_BUNDLER) {
    // Written out, so that what a standalone build traces contains them.
    for (const load of [() => require('iovalkey'), () => require('ioredis'), () => require('redis')]) {
      try {
        return load();
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error;
      }
    }
  }
  throw new Error(`a client for Valkey or Redis is needed: install one of ${CLIENTS.join(', ')}`);
}

function clientForUrl(url) {
  const client = installedClient();
  if (client.createClient && !client.Cluster) return client.createClient({ url });
  const Constructor = client.default ?? client;
  return new Constructor(url, { lazyConnect: true });
}

/** A function that opens connections: for a URL, or like a client that was passed in. */
function connector({ url, client, connectMs }) {
  let pattern = client;
  return (purpose) => {
    pattern ??= clientForUrl(url);
    const ioredis = isIoredis(pattern);
    const made = (ioredis ? duplicateIoredis : duplicateNodeRedis)(pattern, purpose, connectMs);
    return within(connectMs * 2, (ioredis ? openIoredis : openNodeRedis)(made), 'connecting').catch((error) => {
      if (ioredis) made.disconnect();
      else endNodeRedis(made);
      throw error;
    });
  };
}

module.exports = { connector, isClient, pause, within };
