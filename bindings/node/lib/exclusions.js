'use strict';
// What a site does not want to be stored: fetches by their URL (`neverStore`),
// and response headers by their name (`dropHeaders`).

const { theEngine } = require('./engine');

// Next writes these itself and needs them back: the tags among them.
const NEEDED = /^x-next/i;

/** Whether what was fetched from `url` may be kept. */
function mayStore(url) {
  const { neverStore } = theEngine().config;
  return neverStore.length === 0 || typeof url !== 'string' || !neverStore.some((pattern) => pattern.test(url));
}

/** The same headers without those to drop; the same object when there are none. */
function keptHeaders(headers, dropped) {
  if (headers === null || typeof headers !== 'object') return headers;
  const isDropped = (name) => !NEEDED.test(name) && dropped.some((pattern) => pattern.test(name));
  const names = Object.keys(headers);
  if (!names.some(isDropped)) return headers;
  return Object.fromEntries(names.filter((name) => !isDropped(name)).map((name) => [name, headers[name]]));
}

/** A value as it is to be stored: the same, or a copy with fewer headers. */
function withoutDroppedHeaders(value) {
  const { dropHeaders } = theEngine().config;
  if (dropHeaders.length === 0 || value === null) return value;
  const holder = value.kind === 'FETCH' ? value.data : value;
  const headers = keptHeaders(holder?.headers, dropHeaders);
  if (headers === holder?.headers) return value;
  return value.kind === 'FETCH' ? { ...value, data: { ...value.data, headers } } : { ...value, headers };
}

module.exports = { mayStore, withoutDroppedHeaders };
