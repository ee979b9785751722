'use strict';
// The classes of records: how the core counts and lists what it stores without
// knowing Next.js. The numbers are part of what is on disk.

const CLASSES = { other: 0, pages: 1, routes: 2, fetches: 3, useCache: 4, images: 5 };

const BY_KIND = {
  APP_PAGE: CLASSES.pages,
  PAGES: CLASSES.pages,
  PAGE: CLASSES.pages,
  REDIRECT: CLASSES.pages,
  APP_ROUTE: CLASSES.routes,
  ROUTE: CLASSES.routes,
  FETCH: CLASSES.fetches,
  IMAGE: CLASSES.images,
  // What Next 14 asks for: it does not tell a page from a route handler.
  app: CLASSES.pages,
  pages: CLASSES.pages,
};

/** The class of a value, by its kind, or of a question, by what it asks for. */
const classOfKind = (kind) => BY_KIND[kind] ?? CLASSES.other;

module.exports = { CLASSES, classOfKind };
