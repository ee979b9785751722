'use strict';
// The third tier: one cache for many machines, on a Valkey or Redis that the user runs.
//
//   entry   <prefix>:e:<family>:<hash of the key> -> envelope.js, always with an expiry
//   log     invalidation-log.js: what was invalidated, in order
//
// The server is never needed: whatever it does, a get is answered by this machine's
// tiers within a deadline. What it says is checked like a file. docs/many-machines.md
// has the protocol in whole.

const crypto = require('node:crypto');
const { Breaker } = require('./breaker');
const { connector, pause, within } = require('./connection');
const { Follower } = require('./follower');
const { InvalidationLog } = require('./invalidation-log');
const { Latencies } = require('./latencies');
const { PutQueue } = require('./put-queue');
const { HEAD_BYTES, readHead, unwrap, wrap, writeBirth } = require('./envelope');
const { Unsent } = require('./unsent');
const { versionOfId } = require('./versions');
const { warn } = require('../log');

const FAMILY = '2'; // raise it with the format of records or of the values in them
const WRITE_MS = 1000;
const HEARTBEAT_MS = 1000;
const HEARTBEAT_ANSWER_MS = 500;
const HEARTBEATS_MISSED = 3;
const ENTRIES_KEPT = 100000; // of the log
const UNSURE_LEAST_MS = 2000; // the log is heard of once a second

/** The one-shot form, which Node has since 20.12, costs half. */
const sha256 = crypto.hash
  ? (text) => crypto.hash('sha256', text, 'base64url')
  : (text) => crypto.createHash('sha256').update(text).digest('base64url');

/** An invalidation that is in force on this machine, and not known to be on others. */
class NotGlobalError extends Error {
  code = 'NEXTCACHE_NOT_GLOBAL';
  constructor(reason) {
    super(
      `the invalidation is in force on this machine only (${reason}); it is kept, and sent when the shared tier is back`,
    );
  }
}

class Remote {
  #config;
  #local;
  #breaker = new Breaker();
  #queue = new PutQueue((makes) => this.#sendAll(makes));
  #reads = new Map(); // key -> {done, superseded}
  #connect;
  #commands;
  #log;
  #follower;
  #unsent;
  #closed = false;
  #behind; // the place in the log at which the last heartbeat saw more of it
  #alone; // the version since which something is in force here that others may not know of
  #sent = {}; // {generation, version} of the last invalidation of this process
  #voided; // the generation that was cleared here, whether or not others know of it
  #numbers = { gets: 0, hits: 0, misses: 0, failures: 0, deadlines: 0, refused: 0, tooOld: 0, puts: 0, putFailures: 0, sent: 0, bytesIn: 0, bytesOut: 0 };
  #latencies = new Latencies();
  #problem = 'not connected yet';

  /**
   * @param config  of config.js, `remote`
   * @param local   as Follower's, parseRecord(), and `dir` where there is a disk tier
   */
  constructor(config, local) {
    this.#config = config;
    this.#local = local;
    this.#connect = connector(config);
    this.#log = new InvalidationLog(config.prefix, ENTRIES_KEPT);
    this.#unsent = new Unsent(local.dir);
    this.#follower = new Follower({
      log: this.#log,
      connect: this.#connect,
      local,
      onChange: (error) => this.#changed(error),
    });
  }

  start() {
    this.#keepCommands();
    this.#follower.run();
    this.#keepBeating();
  }

  close() {
    this.#closed = true;
    this.#queue.clear();
    this.#follower.close();
    this.#commands?.close();
  }

  // ---- the connection for commands ---------------------------------------------------------

  async #keepCommands() {
    while (!this.#closed && !this.#commands) {
      try {
        const commands = await this.#connect('commands');
        if (this.#closed) commands.close();
        else this.#commands = commands;
      } catch (error) {
        this.#tell(error);
        await pause(500 + Math.random() * 500);
      }
    }
  }

  /** Sends a command, or fails at once. */
  #send = (key, args) => {
    if (!this.#commands) return Promise.reject(new Error(this.#problem));
    return this.#commands.send(key, args);
  };

  #write = (key, args) => within(WRITE_MS, this.#send(key, args), args[0], true);

  // ---- health ------------------------------------------------------------------------------

  #tell(error) {
    this.#problem = error.message;
    if (!this.#closed) {
      warn('remote', `the shared tier does not answer (${error.message}); this machine's tiers serve meanwhile`);
    }
  }

  /** The follower has attached, or was detached by an error. */
  async #changed(error) {
    if (error) {
      this.#tell(error);
      return;
    }
    this.#problem = undefined;
    try {
      await this.#unsent.flush((what) => this.#publish(what));
    } catch (problem) {
      this.#tell(problem);
    }
    this.#warnOfPolicy().catch(() => {}); // a user without the right to ask knows it
  }

  async #warnOfPolicy() {
    if (this.#commands === undefined) return;
    const reply = await this.#write(undefined, ['CONFIG', 'GET', 'maxmemory-policy']);
    const policy = String((Array.isArray(reply) ? reply[1] : Object.values(reply ?? {})[0]) ?? '');
    if (policy.startsWith('allkeys-')) {
      warn(
        'remote policy',
        `the server's maxmemory-policy is ${policy}, which may evict the log of invalidations; set a policy volatile-*`,
      );
    }
  }

  /** Looks once a second, off the requests, whether the server is well and the log the one that is followed. */
  async #keepBeating() {
    let failures = 0;
    while (!this.#closed) {
      await pause(HEARTBEAT_MS * (0.9 + Math.random() / 5));
      if (!this.#commands || this.#closed) continue;
      try {
        await this.#beat();
        if (this.#breaker.isOpen) await this.#tryAgain(failures > 0);
        if (this.#follower.attached && this.#unsent.isWaiting) await this.#changed();
        failures = 0;
      } catch {
        if (++failures % HEARTBEATS_MISSED === 0) this.#replaceCommands();
      }
    }
  }

  /** No request is let through to see whether the server is well again: this does, when it is time. */
  async #tryAgain(wasAway) {
    if (wasAway) this.#breaker.close();
    else if (this.#breaker.allows()) await this.#ask(this.#nameOf(''));
  }

  /** A peer that vanished without a word leaves a connection that looks well. */
  #replaceCommands() {
    this.#commands?.close();
    this.#commands = undefined;
    this.#keepCommands();
  }

  async #beat() {
    const ask = (key, args) => within(HEARTBEAT_ANSWER_MS, this.#send(key, args), args[0]);
    const position = this.#follower.position;
    const [registered, last] = await Promise.all([this.#log.registered(ask), this.#log.last(ask)]);
    if (!this.#follower.attached) return;
    const isBehind = last !== undefined && last.id !== position && this.#follower.position === position;
    const isStuck = isBehind && this.#behind === position;
    this.#behind = isBehind ? position : undefined;
    const isAnother = registered?.generation !== this.#follower.generation || last === undefined;
    if (isAnother || isStuck || this.#follower.isAhead(last)) this.#follower.restart();
    else if (this.#follower.isUprooted()) this.#follower.startOver();
  }

  /** Follows what a read has shown about the server. */
  #note(began, error) {
    if (!error || error.code === 'DEADLINE') this.#latencies.add(performance.now() - began);
    if (error) {
      this.#numbers.failures++;
      // What fails at once costs a request nothing: only waiting is to be avoided.
      if (error.code !== 'DEADLINE') {
        this.#breaker.settle();
      } else {
        this.#numbers.deadlines++;
        this.#breaker.failure();
      }
      this.#tell(error);
    } else {
      this.#breaker.success();
    }
  }

  // ---- what may be believed ------------------------------------------------------------------

  /**
   * To be asked before a get: a promise in the first moments, in which the log is not
   * reached yet, and in strict mode, which looks into the log. False: it could not be
   * looked into, and nothing that is stored may be served.
   */
  beforeGet() {
    if (!this.#follower.attached && !this.#hasTried) return this.#firstTry().then(() => this.#lookIntoLog());
    return this.#lookIntoLog();
  }

  #hasTried = false;

  async #firstTry() {
    await within(this.#config.connectMs + this.#config.getMs, this.#follower.firstTry, 'connecting', true).catch(() => {});
    this.#hasTried = true;
  }

  #lookIntoLog() {
    if (!this.#config.strict) return undefined;
    if (!this.#follower.attached || this.#breaker.isOpen) return false;
    const began = performance.now();
    return within(this.#config.getMs, this.#follower.catchUp(this.#send), 'reading the log', true).then(
      () => (this.#note(began), true),
      (error) => (this.#note(began, error), false),
    );
  }

  /**
   * Whether something that was created at a wall time may be served. While the log cannot
   * be read, what was certain, or made, a while ago is not.
   */
  believes(createdMs) {
    return this.#follower.unsureMs <= this.#unsureMs || createdMs > Date.now() - this.#unsureMs;
  }

  get #unsureMs() {
    return Math.max(this.#config.unsureMs, UNSURE_LEAST_MS);
  }

  /** Whether every answer has to be looked up, and judged, anew. */
  get isDoubtful() {
    return this.#config.strict || this.#follower.unsureMs > this.#unsureMs;
  }

  // ---- entries -------------------------------------------------------------------------------

  #nameOf(key) {
    return `${this.#config.prefix}:e:${FAMILY}:${sha256(key).slice(0, 22)}`;
  }

  /**
   * The record of a key, born here, as a promise, which is undefined when there is none
   * that is to be believed; undefined at once when the server is not asked. Gets that come
   * meanwhile share one read.
   */
  read(key) {
    const joined = this.#reads.get(key);
    if (joined) return joined.done;
    if (!this.#follower.attached || this.#breaker.isOpen) return undefined;
    const name = this.#nameOf(key);
    if (this.#queue.has(name)) return undefined; // what it has is over
    const reading = { done: undefined, superseded: false };
    this.#reads.set(key, reading);
    reading.done = this.#read(key, name, reading);
    return reading.done;
  }

  async #read(key, name, reading) {
    try {
      const value = await this.#ask(name);
      const record = value === undefined ? undefined : await this.#open(key, value);
      const isTaken = record !== undefined && !reading.superseded;
      this.#numbers[isTaken ? 'hits' : 'misses']++;
      return isTaken ? record : undefined;
    } finally {
      this.#reads.delete(key);
    }
  }

  /** What the server has under a name; undefined when it has nothing, or did not say. */
  async #ask(name) {
    const began = performance.now();
    this.#numbers.gets++;
    try {
      const value = await within(this.#config.getMs, this.#send(name, ['GET', name]), 'GET', true);
      this.#note(began);
      return value ?? undefined;
    } catch (error) {
      this.#note(began, error);
      return undefined;
    }
  }

  /** The record in a value, born here; undefined where it is not to be believed. */
  async #open(key, value) {
    this.#numbers.bytesIn += value.length ?? 0;
    const head = readHead(value, this.#config.maxEntryBytes);
    if (!head) return this.#refuse();
    const { generation, versions } = this.#follower;
    // From before a loss, or older than what is known of the log.
    const birth = head.generation === generation ? versions.birthOf(head.version) : undefined;
    if (birth === undefined || generation === this.#voided || this.#isUntold(head.version)) {
      this.#numbers.tooOld++;
      return undefined;
    }
    const unpacking = unwrap(value, head);
    const bytes = unpacking instanceof Promise ? await unpacking : unpacking;
    if (!bytes) return this.#refuse();
    writeBirth(bytes, birth);
    return this.#local.parseRecord(bytes, key) ?? this.#refuse();
  }

  /**
   * Whether it comes from somebody who may not have known what is in force here: local marks
   * judge only what has obeyed no more of the log than this process had when it made them.
   */
  #isUntold(version) {
    if (this.#alone === undefined) return false;
    const isObeyed = this.#sent.generation !== this.#follower.generation || this.#sent.version <= this.#follower.version;
    if (this.#unsent.size === 0 && isObeyed) this.#alone = undefined;
    return version > this.#alone;
  }

  #refuse() {
    if (this.#closed) return undefined; // nobody can tell
    this.#numbers.refused++;
    warn('remote value', 'the shared tier holds a value that is not intact; it was not believed');
    return undefined;
  }

  /** A value of this machine is newer than what is being read. */
  supersede(key) {
    const reading = this.#reads.get(key);
    if (reading) reading.superseded = true;
  }

  /** Whether puts are of use now. */
  get takesPuts() {
    return this.#follower.attached && !this.#breaker.isOpen;
  }

  /** Sends a record, in its room, that was born here at `birth`, off the request. */
  put(key, room, birth, expireMs) {
    const bytes = room.length - HEAD_BYTES;
    if (bytes > this.#config.maxEntryBytes) return this.remove(key);
    const { generation, versions } = this.#follower;
    const version = versions.versionOf(birth);
    if (version === undefined) return undefined;
    const name = this.#nameOf(key);
    const ttlMs = String(Math.max(1, Math.floor(Math.min(expireMs, this.#config.maxTtlMs))));
    const command = (value) => ['SET', name, value, 'PX', ttlMs];
    this.#queue.add(name, bytes, () => {
      const value = wrap(room, generation, version);
      return value instanceof Promise ? value.then(command) : command(value);
    });
    return undefined;
  }

  /** A process that does nothing else is held until it has tried to reach the server. */
  remove(key) {
    this.supersede(key);
    if (this.#follower.attached || this.#hasTried) this.#delete(key);
    else this.#firstTry().then(() => this.#delete(key));
  }

  #delete(key) {
    const name = this.#nameOf(key);
    if (this.takesPuts) this.#queue.add(name, 0, () => ['DEL', name]);
  }

  /** Sends what the queue has taken, in one write. */
  async #sendAll(makes) {
    if (!this.takesPuts) {
      this.#queue.dropped += makes.length;
      return;
    }
    let error;
    try {
      const commands = await Promise.all(makes.map((make) => make()));
      const sending = commands.map((args) => this.#send(args[1], args).then(() => this.#noteSent(args), (problem) => (error = problem)));
      await within(WRITE_MS, Promise.all(sending), 'SET', true);
    } catch (problem) {
      error = problem;
    }
    if (error) this.#noteUnsent(error);
  }

  #noteSent([command, , value]) {
    if (command !== 'SET') return;
    this.#numbers.puts++;
    this.#numbers.bytesOut += value.length;
  }

  #noteUnsent(error) {
    if (this.#closed) return;
    this.#numbers.putFailures++;
    // A server that is full says so, and answers all the same.
    if (error.code === 'DEADLINE') this.#breaker.failure();
    warn('remote put', `an entry could not be shared: ${error.message}`);
  }

  // ---- invalidations -------------------------------------------------------------------------

  /** Sends {tags, deadAfterMs}, or {clear}: everything; the id in the log, or undefined. */
  async #publish({ tags, deadAfterMs, clear }) {
    if (clear) {
      this.#void();
      await this.#log.beginAnew(this.#write, await this.#log.registered(this.#write));
      return undefined;
    }
    const id = await this.#log.append(this.#write, tags, deadAfterMs);
    this.#numbers.sent++;
    this.#sent = { generation: this.#follower.generation, version: versionOfId(id) };
    return id;
  }

  /** Marks tags before that has come back through the log, if it ever does. */
  #markAlone(tags, deadAfterMs) {
    this.#alone ??= this.#follower.version;
    return this.#local.mark(tags, deadAfterMs);
  }

  /**
   * Marks tags on all machines. It comes back through the log like those of others, so
   * that what begins afterwards carries its version. Rejects when it is not known to be
   * in the log; then it is in force here, and kept.
   */
  async mark(tags, deadAfterMs) {
    await this.#untilTried();
    try {
      if (this.#breaker.isOpen) throw new Error(this.#problem ?? 'the server does not answer');
      const id = await this.#publish({ tags, deadAfterMs });
      if (await this.#follower.arrival(id, this.#config.getMs)) return 0;
      return await this.#markAlone(tags, deadAfterMs);
    } catch (error) {
      const marking = this.#markAlone(tags, deadAfterMs);
      this.#unsent.addMarks(tags, deadAfterMs);
      await marking;
      throw new NotGlobalError(error.message);
    }
  }

  /** Nothing of this generation is believed any more, nor what is being read of it. */
  #void() {
    this.#voided = this.#follower.generation;
    for (const reading of this.#reads.values()) reading.superseded = true;
  }

  /** Empties the cache of all machines. */
  async clear() {
    await this.#untilTried();
    this.#void();
    const result = await this.#local.clear();
    try {
      await this.#publish({ clear: true });
      return result;
    } catch (error) {
      this.#unsent.addClear();
      throw new NotGlobalError(error.message);
    }
  }

  async #untilTried() {
    if (!this.#follower.attached && !this.#hasTried) await this.#firstTry();
  }

  // ---- watching --------------------------------------------------------------------------------

  stats() {
    const follower = this.#follower;
    const attached = follower.attached;
    const [latencyP50Ms, latencyP99Ms] = this.#latencies.quantiles(0.5, 0.99);
    return {
      state: this.#breaker.isOpen ? 'open' : attached ? 'ready' : 'down',
      problem: attached && !this.#breaker.isOpen ? undefined : this.#problem,
      latencyP50Ms,
      latencyP99Ms,
      // Since when the log may have entries that are not obeyed here.
      unsureMs: follower.unsureMs,
      behind: this.#behind !== undefined,
      position: follower.position,
      breakerOpen: this.#breaker.isOpen,
      breakerOpenings: this.#breaker.openings,
      ...this.#numbers,
      dropped: this.#queue.dropped,
      queueBytes: this.#queue.bytes,
      received: follower.received,
      clears: follower.clears,
      unsent: this.#unsent.size,
    };
  }
}

module.exports = { Remote };
