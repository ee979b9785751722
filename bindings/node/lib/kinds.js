'use strict';
// Kinds: what Next.js asks for, and which values answer it.
//
// Next 15 and 16 name the kind of an entry in every get, and from 15.5.27 and
// 16.3.8 on in every set. Next 14 gives a hint with a get, which may mean either
// of two kinds. A set that names no kind is judged by the value, and by the
// key: only those of pages and route handlers are paths. What does not answer the question is a miss, and what does not belong
// under a key is not stored: Next answers 500 to a wrong kind, and 14 even
// stores again what it could not use, so that the page stays broken.
//
//   question           answered by
//   FETCH              FETCH with data               (14: the hint "fetch")
//   APP_PAGE           APP_PAGE
//   APP_ROUTE          APP_ROUTE
//   PAGES              PAGES, REDIRECT, null for "not found"
//   IMAGE              IMAGE
//   app (14)           PAGE with RSC text, ROUTE
//   pages (14)         PAGE with data, REDIRECT, null
//   undefined (14)     any of the last two rows: 14 does not always know

const isKind = (...kinds) => (value) => kinds.includes(value?.kind);
const isAppValue14 = (value) => value?.kind === 'ROUTE' || (value?.kind === 'PAGE' && typeof value.pageData === 'string');
const isPagesValue14 = (value) =>
  value === null || value?.kind === 'REDIRECT' || (value?.kind === 'PAGE' && typeof value.pageData === 'object');

const isResponse = (value) =>
  isAppValue14(value) || isPagesValue14(value) || isKind('APP_PAGE', 'APP_ROUTE', 'PAGES')(value);

const ANSWERS = {
  FETCH: (value) => value?.kind === 'FETCH' && typeof value.data === 'object' && value.data !== null,
  APP_PAGE: isKind('APP_PAGE'),
  APP_ROUTE: isKind('APP_ROUTE'),
  PAGES: (value) => value === null || isKind('PAGES', 'REDIRECT')(value),
  IMAGE: isKind('IMAGE'),
  app: isAppValue14,
  pages: isPagesValue14,
  undefined: (value) => isAppValue14(value) || isPagesValue14(value),
};

const FETCH_KEY = /^[0-9a-f]{64}$/;

/** What a get, or a set, is about: a row of the table above. */
function kindAsked(context) {
  const kind = context.kind ?? context.kindHint;
  return kind === 'fetch' ? 'FETCH' : kind;
}

/** Whether a stored value answers a question for `kind`; a kind of a later Next is answered by itself. */
const answers = (kind, value) => (Object.hasOwn(ANSWERS, kind) ? ANSWERS[kind] : isKind(kind))(value);

/** Whether `value` may be stored under `key` by a set with this context. */
function belongs(key, value, context) {
  if (context.fetchCache) return answers('FETCH', value);
  const kind = kindAsked(context);
  if (kind !== undefined) return kind !== 'FETCH' && !FETCH_KEY.test(key) && answers(kind, value);
  return String(key).startsWith('/') ? isResponse(value) : answers('IMAGE', value);
}

module.exports = { answers, belongs, kindAsked };
