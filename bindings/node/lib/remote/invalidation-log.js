'use strict';
// The log of invalidations: one stream on the server, which every process of every
// machine reads in order and obeys by local marks. A stream, read from the last id,
// loses nothing when a connection breaks; pub/sub does.
//
//   <prefix>:{t}:generation   which log this is: chosen anew whenever one was lost
//   <prefix>:{t}:log          id -> k "begin", g <generation>
//                             id -> k <dead after ms | never>, t <tags as JSON>
//
//   <prefix>:{t}:clock        written to for the id that it gives: the server's time
//
// All are in one slot of a cluster. Whoever has a place in the log can go on from it
// only while the entry at that place is still there. If it is not, and the log begins
// later, it was trimmed: what is stored here is not believed any more. If it is not, and
// the log begins earlier, the server has lost its end (a restart, a failover): then what
// others have stored is not to be believed either, which a new generation tells them.

const crypto = require('node:crypto');
const { msOfVersion, versionOfId } = require('./versions');

const NEVER = 'never';
const BEGIN = 'begin';
const BATCH = 1000;
const BLOCK_MS = 1000;
const TAG_BYTES_MAX = 65536;
const GENERATION = /^[\w-]{8}$/;

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

  /** Declares everything from before void, on all machines; the new generation. */
  async beginAnew(send) {
    const generation = newGeneration();
    await send(this.generationKey, ['SET', this.generationKey, generation]);
    const id = text(await this.#add(send, ['k', BEGIN, 'g', generation]));
    await send(this.key, ['XTRIM', this.key, 'MINID', id]);
    return generation;
  }

  /** The generation of the server's log, which an empty server is given. */
  async generation(send) {
    const read = async () => {
      const value = await send(this.generationKey, ['GET', this.generationKey]);
      if (value === null || value === undefined) return undefined;
      if (!GENERATION.test(text(value))) throw new Error('the server answered with something that is no generation');
      return text(value);
    };
    const known = await read();
    if (known !== undefined) return known;
    const reply = await send(this.generationKey, ['SET', this.generationKey, newGeneration(), 'NX']);
    const chosen = await read();
    if (chosen === undefined) throw new Error('the server keeps nothing');
    if (reply !== null) await this.#add(send, ['k', BEGIN, 'g', chosen]);
    return chosen;
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
