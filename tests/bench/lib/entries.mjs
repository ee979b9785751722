// What is stored: pages and fetches as Next.js 16 hands them to a handler.
//
// Every entry has text of its own: a string that is a slice of another would
// make its copies cheaper, and its memory smaller, than those of a real site.
import { createHash } from 'node:crypto';

const KB = 1024;
const POOL_BYTES = 2 * 1024 * KB;
const ROUTE = createHash('sha256').update('/products/[slug]/page').digest('hex');
const LAYOUT_TAGS = ['_N_T_/layout', '_N_T_/products/layout', '_N_T_/products/[slug]/layout', '_N_T_/products/[slug]/page'];
const WORDS = ('<p class="text-sm">the quick brown fox</p> <li data-id="%">über señor café</li> price 12.99 € in stock <a href="/products/">' +
  'jumps over lazy dog</a> <div class="grid gap-4">').replaceAll('€', 'EUR').split(' ');

/** Name: kind, and bytes of HTML or of a fetch's body. `wide` text is not Latin-1. */
export const SHAPES = {
  'fetch-2': { kind: 'FETCH', bytes: 2 * KB, label: 'fetch 2 KB' },
  'page-4': { kind: 'APP_PAGE', bytes: 4 * KB, label: 'page 4 KB' },
  'page-40': { kind: 'APP_PAGE', bytes: 40 * KB, label: 'page 40 KB' },
  'page-40-wide': { kind: 'APP_PAGE', bytes: 40 * KB, wide: true, label: 'page 40 K characters, not Latin-1' },
  'fetch-50': { kind: 'FETCH', bytes: 50 * KB, label: 'fetch 50 KB' },
  'page-400': { kind: 'APP_PAGE', bytes: 400 * KB, label: 'page 400 KB' },
};

/** The five shapes of the goals. */
export const GOAL_SHAPES = Object.keys(SHAPES).filter((shape) => !SHAPES[shape].wide);

/** Numbers in [0, 1), the same in every run. */
export function randomFrom(seed) {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
}

function makePool() {
  const random = randomFrom(7);
  let text = '';
  while (text.length < POOL_BYTES) text += `${WORDS[Math.floor(random() * WORDS.length)]} `;
  return Buffer.from(text.slice(0, POOL_BYTES), 'latin1');
}

const pool = makePool();
const widePool = Buffer.from(pool.toString('latin1').replaceAll('"', '’'), 'utf16le');

const offsetOf = (number, bytes) => (number * 8191) % (POOL_BYTES - bytes);

function textOf(number, bytes, wide) {
  const begin = offsetOf(number, bytes);
  return wide ? widePool.toString('utf16le', 2 * begin, 2 * (begin + bytes)) : pool.toString('latin1', begin, begin + bytes);
}

function bytesOf(number, bytes) {
  const begin = offsetOf(number, bytes);
  return Buffer.from(pool.subarray(begin, begin + bytes));
}

function pageOf(number, { bytes, wide }, tags) {
  const path = `/products/${number}`;
  return {
    key: `/route-cache/APP_PAGE/${ROUTE}/$${path}`,
    value: {
      kind: 'APP_PAGE',
      html: textOf(number, bytes, wide),
      rscData: bytesOf(number + 1, bytes / 4),
      headers: { 'x-next-cache-tags': [...LAYOUT_TAGS, `_N_T_${path}`, ...tags].join(','), 'x-nextjs-stale-time': '300' },
      postponed: undefined,
      status: 200,
      segmentData: new Map([['/_tree', bytesOf(number + 2, 400)], ['/products/$d$slug/__PAGE__', bytesOf(number + 3, bytes / 8)]]),
    },
    getContext: { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false },
    setContext: { cacheControl: { revalidate: 3600, expire: 31536000 }, isRoutePPREnabled: false, isFallback: false },
  };
}

function fetchOf(number, { bytes }, tags) {
  const fetchUrl = `https://shop.example/api/products/${number}`;
  const shared = { fetchUrl, fetchIdx: 1, tags };
  return {
    key: createHash('sha256').update(`fetch ${bytes} ${number}`).digest('hex'),
    value: {
      kind: 'FETCH',
      data: { headers: { 'content-type': 'application/json' }, body: bytesOf(number, (bytes * 3) / 4).toString('base64'), status: 200, url: fetchUrl },
      revalidate: 3600,
    },
    getContext: { kind: 'FETCH', revalidate: 3600, ...shared, softTags: [...LAYOUT_TAGS, `_N_T_/products/${number}`] },
    setContext: { fetchCache: true, ...shared },
  };
}

/** {key, value, getContext, setContext, tags}: the same for the same arguments. */
export function entryOf(shape, number, tags = ['catalogue', `product-${number}`]) {
  const described = SHAPES[shape];
  const entry = described.kind === 'FETCH' ? fetchOf(number, described, tags) : pageOf(number, described, tags);
  // Numbers of two shapes are different keys also where their paths are.
  if (described.kind !== 'FETCH') entry.key += `-${shape}`;
  return { ...entry, tags };
}

/** Entries first, first + 1, ... */
export const entriesOf = (shape, count, first = 0, tags) =>
  Array.from({ length: count }, (_, index) => entryOf(shape, first + index, tags));

/** The bytes of an entry's content, as they would be in UTF-8 and binary. */
export function contentBytes({ value }) {
  if (value.kind === 'FETCH') return value.data.body.length;
  let bytes = Buffer.byteLength(value.html) + value.rscData.length;
  for (const segment of value.segmentData.values()) bytes += segment.length;
  return bytes;
}
