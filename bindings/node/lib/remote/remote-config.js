'use strict';
// The setting `remote`: an address, a client, or an object with either and with what
// else there is to be told. A URL may have the same in its query.

const { MB, parseSize } = require('../sizes');
const { isClient } = require('./connection');

const PROTOCOLS = ['redis:', 'rediss:', 'valkey:', 'valkeys:'];

const parseNumber = (value) => (value !== '' && Number(value) >= 0 ? Number(value) : undefined);
const parseMs = (value) => {
  const seconds = parseNumber(value);
  return seconds === undefined ? undefined : seconds * 1000;
};
// Longer ones a timer takes for none, and the server's own sum of times does not hold.
const DEADLINE_MOST_MS = 2 ** 30;
const TTL_MOST_MS = 2 ** 50;

const parseDeadline = (value) => (parseNumber(value) <= DEADLINE_MOST_MS ? parseNumber(value) : undefined);
const parseTtl = (value) => parseMs(value) && Math.min(parseMs(value), TTL_MOST_MS);
const parseFlag = (value) => {
  if ([true, 'true', '1', ''].includes(value)) return true;
  return [false, 'false', '0'].includes(value) ? false : undefined;
};
const parsePrefix = (value) => (/^[^{}\s]{1,64}$/.test(value) ? String(value) : undefined);

// By the name of the option: the name inside, what holds without it, and how it is read.
const OPTIONS = {
  prefix: { name: 'prefix', fallback: 'nextcache', parse: parsePrefix },
  strict: { name: 'strict', fallback: false, parse: parseFlag },
  build: { name: 'build', fallback: false, parse: parseFlag },
  unsureSeconds: { name: 'unsureMs', fallback: 60000, parse: parseMs },
  connectMs: { name: 'connectMs', fallback: 200, parse: parseDeadline },
  getMs: { name: 'getMs', fallback: 50, parse: parseDeadline },
  maxEntrySize: { name: 'maxEntryBytes', fallback: 4 * MB, parse: parseSize },
  maxTtlSeconds: { name: 'maxTtlMs', fallback: 14 * 86400000, parse: parseTtl },
};

const REMOTE_WANTED =
  'a URL such as redis://user:password@host:6379 (with %2F, %23 and %3F for "/", "#" and "?" in the password), a client of iovalkey, ioredis or redis, or an object with ' +
  `url or client, ${Object.keys(OPTIONS).join(', ')}`;

/** Whether a password has ended the address early, with a character that is not encoded: what is left of it would be a host. */
const isCutApart = ({ pathname, search, hash }) => !/^\/?\d*$/.test(pathname) || search.includes('@') || hash !== '';

/** {url, given}: the address for the client, and what its query says to us; undefined when it is none. */
function readUrl(url) {
  // "valkey:6379" is a URL as well, of no host.
  if (typeof url !== 'string' || !url.includes('://') || !URL.canParse(url)) return undefined;
  const address = new URL(url);
  if (!PROTOCOLS.includes(address.protocol) || isCutApart(address)) return undefined;
  const given = {};
  for (const option of Object.keys(OPTIONS)) {
    if (address.searchParams.has(option)) given[option] = address.searchParams.get(option);
    address.searchParams.delete(option);
  }
  return { url: address.href.replace(/^valkey/, 'redis'), given };
}

/** {url or client, prefix, strict, …} of what `remote` is set to; undefined when it is not usable. */
function parseRemote(value) {
  if (isClient(value)) return parseRemote({ client: value });
  if (typeof value === 'string') return parseRemote({ url: value });
  if (typeof value !== 'object' || value === null) return undefined;
  const { url, client, ...rest } = value;
  const address = client === undefined ? readUrl(url) : { given: {} };
  if (!address || (client !== undefined && !isClient(client))) return undefined;
  const given = { ...address.given, ...rest };
  if (!Object.keys(given).every((option) => option in OPTIONS)) return undefined;
  const out = { url: address.url, client };
  for (const [option, { name, fallback, parse }] of Object.entries(OPTIONS)) {
    out[name] = given[option] === undefined ? fallback : parse(given[option]);
    if (out[name] === undefined) return undefined;
  }
  return out;
}

module.exports = { REMOTE_WANTED, parseRemote };
