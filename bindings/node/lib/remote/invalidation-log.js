'use strict';
// The log of invalidations: one stream on the server, which every process of every
// machine reads in order and obeys by local marks. A stream, read from the last id,
// loses nothing when a connection breaks; pub/sub does.
//
//   <prefix>:{t}:log          id -> k "begin", g <generation>
//                             id -> k <dead after ms | never>, t <tags as JSON>
//   <prefix>:{t}:generation   which log this is: chosen anew whenever one was lost
//   <prefix>:{t}:clock        written to for the id that it gives: the server's time
//
// All are in one slot of a cluster. Whoever has a place in the log can go on from it
// only while the entry at that place is still there. If it is not, and the log begins
// later, it was trimmed: what is stored here is not believed any more. If it is not, and
// the log begins earlier, the server has lost its end (a restart, a failover): then what
// others have stored is not to be believed either, which a new generation tells them.
//
// All machines notice that at once, and one of them begins. The generation is a stream of
// one entry, because a stream refuses an id that is not greater than its last: a compare
// and set without scripts. Number n goes through two steps:
//
//   n-1   g <generation>              somebody is beginning it: others wait
//   n-2   g <generation>, b <begin>   begun: the id of its entry "begin" in the log
//
// Who waited too long takes n + 1, and a beginner who then comes back cannot finish.

const crypto = require('node:crypto');
const { pause } = require('./connection');
const { msOfVersion, versionOfId } = require('./versions');

const NEVER = 'never';
const BEGIN = 'begin';
const BATCH = 1000;
const BLOCK_MS = 1000;
const TAG_BYTES_MAX = 65536;
const GENERATION = /^[\w-]{8}$/;
const REGISTERED = /^(\d{1,15})-([12])$/;
const STARTED = 1;
const BEGUN = 2;
const BEGIN_MS = 1000; // longer than this somebody who is beginning is not waited for
const LOOK_MS = 20;

const newGeneration = () => crypto.randomBytes(6).toString('base64url');

const text = (value) => (Buffer.isBuffer(value) ? value.toString('utf8') : String(value));

/** [name, value, …] of a stream entry as an object without prototype. */
function fieldsOf(list) {
  const fields = Object.create(null);
  const flat = Array.isArray(list) ? list : Object.entries(list ?? {}).flat();
  for (let i = 0; i + 1 < flat.length; i += 2) fields[text(flat[i])] = text(flat[i + 1]);
  return fields;
}

function tagsOf(json) {
  try {
    const tags = JSON.parse(json);
    return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag.length < TAG_BYTES_MAX) ? tags : undefined;
  } catch {
    return undefined;
  }
}

/**
 * {id, version, begin} or {id, version, tags, deadAfterMs} of what the server sent as an
 * entry. One that cannot be understood, of a later release perhaps, has neither: whoever
 * does not know what was invalidated has to believe that everything was.
 */
function readEntry(item) {
  const id = text(item?.[0]);
  const version = versionOfId(id);
  if (version === undefined) throw new Error('the server answered with something that is no log entry');
  const { k: kind, g: generation, t: json } = fieldsOf(item[1]);
  if (kind === BEGIN && generation) return { id, version, begin: generation };
  const deadAfterMs = kind === NEVER ? Infinity : Number(kind);
  const tags = tagsOf(json);
  return tags && deadAfterMs >= 0 ? { id, version, tags, deadAfterMs } : { id, version };
}

/** Entries of a reply of XRANGE. What is no list is no empty list: nothing may be missed in silence. */
function readRange(reply) {
  if (!Array.isArray(reply)) throw new Error('the server answered with something that is no part of the log');
  return reply.map(readEntry);
}

/**
 * Entries of a reply of XREAD for one stream: null for none; else, by protocol and client,
 * [[name, entries]], [name, entries], or a map from name to entries.
 */
function readStream(reply) {
  if (reply === null || reply === undefined) return [];
  if (reply instanceof Map) return readRange([...reply.values()][0]);
  if (!Array.isArray(reply)) return readRange(Object.values(reply)[0]);
  return readRange(Array.isArray(reply[0]) ? reply[0][1] : reply[1]);
}

class InvalidationLog {
  constructor(prefix, limit) {
    this.key = `${prefix}:{t}:log`;
    this.generationKey = `${prefix}:{t}:generation`;
    this.clockKey = `${prefix}:{t}:clock`;
    this.limit = limit;
  }

  #add(send, fields) {
    return send(this.key, ['XADD', this.key, 'MAXLEN', '~', String(this.limit), '*', ...fields]);
  }

  /** Appends an invalidation; the id that it got. */
  async append(send, tags, deadAfterMs) {
    const kind = deadAfterMs === Infinity ? NEVER : String(Math.floor(deadAfterMs));
    const id = text(await this.#add(send, ['k', kind, 't', JSON.stringify(tags)]));
    if (versionOfId(id) === undefined) throw new Error('the server answered with something that is no id');
    return id;
  }

  /** {number, step, generation, begin} of the server's generation; undefined when it has none. */
  async registered(send) {
    const reply = await send(this.generationKey, ['XREVRANGE', this.generationKey, '+', '-', 'COUNT', '1']);
    if (Array.isArray(reply) && reply.length === 0) return undefined;
    const match = REGISTERED.exec(text(reply?.[0]?.[0]));
    const { g: generation, b: begin } = fieldsOf(reply?.[0]?.[1]);
    if (!match || !GENERATION.test(generation) || (Number(match[2]) === BEGUN && versionOfId(begin) === undefined)) {
      throw new Error('the server answered with something that is no generation');
    }
    return { number: Number(match[1]), step: Number(match[2]), generation, begin };
  }

  /** Whether this step of ours is the server's now: nobody else has taken it, or gone on. */
  async #register(send, { number, step, generation, begin }) {
    const fields = step === BEGUN ? ['g', generation, 'b', begin] : ['g', generation];
    try {
      await send(this.generationKey, ['XADD', this.generationKey, 'MAXLEN', '1', `${number}-${step}`, ...fields]);
      return true;
    } catch (error) {
      const now = await this.registered(send).catch(() => undefined); // a client ends with what a demoted master says
      if (!now || now.number < number || (now.number === number && now.step < step)) throw error;
      return now.generation === generation && now.step === step;
    }
  }

  /** The generation of the server's log; begins one where there is none, or where one was left half begun. */
  async current(send) {
    const until = performance.now() + BEGIN_MS;
    for (;;) {
      const known = await this.registered(send);
      if (known?.step === BEGUN) return known;
      if (!known || performance.now() > until) return this.beginAnew(send, known);
      await pause(LOOK_MS);
    }
  }

  /**
   * Declares everything from before void, on all machines, unless somebody has done so
   * since `replaced` was registered; the generation that there is then.
   */
  async beginAnew(send, replaced) {
    const ours = { number: (replaced?.number ?? 0) + 1, step: STARTED, generation: newGeneration() };
    if (!(await this.#register(send, ours))) return this.current(send);
    ours.begin = text(await this.#add(send, ['k', BEGIN, 'g', ours.generation]));
    ours.step = BEGUN;
    return (await this.#register(send, ours)) ? ours : this.current(send);
  }

  async #range(send, from, to, count, command = 'XRANGE') {
    return readRange(await send(this.key, [command, this.key, from, to, 'COUNT', String(count)]));
  }

  async first(send) {
    return (await this.#range(send, '-', '+', 1))[0];
  }

  async last(send) {
    return (await this.#range(send, '+', '-', 1, 'XREVRANGE'))[0];
  }

  /** The clock that the ids of the log are of. TIME would be that of any node of a cluster. */
  async serverMs(send) {
    const id = text(await send(this.clockKey, ['XADD', this.clockKey, 'MAXLEN', '1', '*', 'c', '']));
    return msOfVersion(versionOfId(id));
  }

  /** Whether the entry with this id is still there. */
  async has(send, id) {
    return (await this.#range(send, id, id, 1)).length === 1;
  }

  /** The next entries after `id`; waits for them when `block` is set. */
  async after(send, id, block) {
    const wait = block ? ['BLOCK', String(BLOCK_MS)] : [];
    return readStream(await send(this.key, ['XREAD', 'COUNT', String(BATCH), ...wait, 'STREAMS', this.key, id]));
  }
}

module.exports = { BATCH, BLOCK_MS, InvalidationLog, readEntry, readStream };
