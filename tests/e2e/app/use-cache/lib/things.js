import { randomUUID } from 'node:crypto';
import { cacheLife, cacheTag } from './cache';

// What the app shows comes through these functions, one for each kind of cache.

export async function ask(name) {
  const response = await fetch(`${process.env.E2E_ORIGIN}/${name}`, { cache: 'no-store' });
  if (!response.ok) throw new Error(`the origin answered ${response.status} to ${name}`);
  return { ...(await response.json()), made: randomUUID() };
}

export async function item(id) {
  'use cache';
  cacheLife('hours');
  cacheTag('items', `item-${id}`);
  return ask(`item/${id}`);
}

/** A result that holds another, and has its tags. */
export async function outer(id) {
  'use cache';
  cacheLife('hours');
  return item(id);
}

export async function remote(id) {
  'use cache: remote';
  cacheLife('hours');
  cacheTag(`remote-${id}`);
  return ask(`remote/${id}`);
}

export async function ofOurOwn(id) {
  'use cache: of-our-own';
  cacheLife('hours');
  cacheTag(`own-${id}`);
  return ask(`own/${id}`);
}

export async function unicode(id) {
  'use cache';
  cacheLife('hours');
  cacheTag('größe');
  return ask(`unicode/${id}`);
}

export async function large(id, length) {
  'use cache';
  cacheLife('hours');
  cacheTag(`large-${id}`);
  const thing = await ask(`large/${id}`);
  return { ...thing, text: 'é€😀 '.repeat(length) };
}

/** Fresh for a second, then renewed behind the reader's back. */
export async function shortLived(id) {
  'use cache';
  cacheLife({ stale: 0, revalidate: 1, expire: 600 });
  return ask(`short/${id}`);
}
