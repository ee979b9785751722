'use strict';
// Pages that `next build` rendered, read from the build output when the cache
// has nothing: Next never hands them to a handler's set.
//
// Next's releases lay it out in three ways, and give keys in two:
//
//   key of a page or a route handler            from
//   /route-cache/<KIND>/<sha256>/$/<path>       15.5.27, 16.3.8: every .meta file
//                                               names the key that it is for
//   /<path>                                     all before; Pages have no .meta
//
//   below <serverDistDir>     14                15, 16
//   app/<path>.html           PAGE, .rsc text   APP_PAGE, .rsc bytes, segments
//   app/<path>.body           ROUTE             APP_ROUTE
//   pages/<path>.html         PAGE, .json       PAGES, .json
//
// One reader per row and column: it takes the path without suffix, the .meta
// file's content, and what was asked for, and returns the value.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { readFile, stat } = require('node:fs/promises');
const { readBuildRecord } = require('./build-record');
const { wallNow } = require('./clock');
const { kindAsked } = require('./kinds');
const { isLargeBuild, isNotFoundRoute, parseKey, prerenderManifest } = require('./prerender-manifest');
const { shared } = require('./shared');
const { withoutResumeData } = require('./resume-data');

// Times before the year 2000 are written by tools that want reproducible
// trees; they say nothing about the content.
const BELIEVABLE_MS = Date.UTC(2000, 0, 1);
const SHARED_SEED_TAGS = 8192;

const parseJson = async (file) => JSON.parse(await readFile(file, 'utf8'));
const readOptional = (file) => readFile(file).catch(() => undefined);

/** Segment payloads of a page by their path; one that is missing is dynamic. */
async function readSegments(base, segmentPaths) {
  if (!segmentPaths) return undefined;
  const segments = new Map();
  await Promise.all(
    segmentPaths.map(async (segmentPath) => {
      const data = await readOptional(`${base}.segments${segmentPath}.segment.rsc`);
      if (data) segments.set(segmentPath, data);
    }),
  );
  return new Map(segmentPaths.filter((name) => segments.has(name)).map((name) => [name, segments.get(name)]));
}

async function readAppPage(base, meta, context, isShell) {
  const [html, rscData, segmentData] = await Promise.all([
    readFile(`${base}.html`, 'utf8'),
    readOptional(`${base}.rsc`),
    readSegments(base, meta.segmentPaths),
  ]);
  return {
    kind: 'APP_PAGE',
    html,
    rscData,
    // A fallback shell is seeded with the results of one concrete page, which
    // have nothing to do with the page that it will become.
    postponed: isShell && meta.postponed ? withoutResumeData(meta.postponed) : meta.postponed,
    headers: meta.headers,
    status: meta.status,
    segmentData,
  };
}

async function readAppRoute(base, meta) {
  return { kind: 'APP_ROUTE', body: await readFile(`${base}.body`), headers: meta.headers, status: meta.status };
}

async function readPagesPage(base, meta, context) {
  const [html, pageData] = await Promise.all([
    readFile(`${base}.html`, 'utf8'),
    context.isFallback ? {} : parseJson(`${base}.json`),
  ]);
  return { kind: 'PAGES', html, pageData, headers: meta.headers, status: meta.status };
}

async function readPage14(base, meta, readData) {
  const [html, pageData] = await Promise.all([readFile(`${base}.html`, 'utf8'), readData()]);
  return { kind: 'PAGE', html, pageData, postponed: meta.postponed, headers: meta.headers, status: meta.status };
}

const readAppPage14 = (base, meta) => readPage14(base, meta, () => readFile(`${base}.rsc`, 'utf8'));
const readPagesPage14 = (base, meta) => readPage14(base, meta, () => parseJson(`${base}.json`));

async function readRoute14(base, meta) {
  return { ...(await readAppRoute(base, meta)), kind: 'ROUTE' };
}

// Where the answers to a question may be: {directory, suffix of the file whose
// presence and time count, whether there is nothing without a .meta file}.
const APP_PAGE_14 = { directory: 'app', suffix: '.html', read: readAppPage14 };
const ROUTE_14 = { directory: 'app', suffix: '.body', needsMeta: true, read: readRoute14 };
const PAGES_14 = { directory: 'pages', suffix: '.html', read: readPagesPage14 };

const PLACES = {
  APP_PAGE: [{ directory: 'app', suffix: '.html', read: readAppPage }],
  APP_ROUTE: [{ directory: 'app', suffix: '.body', needsMeta: true, read: readAppRoute }],
  PAGES: [{ directory: 'pages', suffix: '.html', read: readPagesPage }],
  app: [ROUTE_14, APP_PAGE_14],
  pages: [PAGES_14],
  undefined: [ROUTE_14, PAGES_14, APP_PAGE_14],
};

/** <serverDistDir>/app/blog/a; undefined for a path that leads out of there. */
function basePath(serverDistDir, directory, pathname) {
  const root = path.join(/* turbopackIgnore: true */ serverDistDir, directory);
  const base = path.join(/* turbopackIgnore: true */ root, pathname);
  return base.startsWith(root + path.sep) ? base : undefined;
}

/** {base, place} of the file that holds a page. Most keys that miss were not
 *  prerendered, so this is one call for each place, and synchronous. */
function locate(serverDistDir, pathname, kind) {
  for (const place of PLACES[kind] ?? []) {
    const base = basePath(serverDistDir, place.directory, pathname);
    if (base && fs.existsSync(base + place.suffix)) return { base, place };
  }
  return undefined;
}

/** Whether a .meta file was written for this key and this way of asking. */
function isOwner(meta, key, context) {
  const route = meta.routeCache;
  if (route?.key !== key) return false;
  if (Boolean(route.isFallback) === Boolean(context.isFallback)) return true;
  // Partially prerendered routes look their fallback shells up as pages, too.
  return context.kind === 'APP_PAGE' && context.isRoutePPREnabled && meta.postponed != null;
}

/** The .meta file of a page: undefined where the page may not be taken without one. */
async function readMeta(base, key, place, context) {
  const { scope } = parseKey(key);
  const text = await readOptional(`${base}.meta`);
  if (!text) return scope === undefined && !place.needsMeta ? {} : undefined;
  const meta = JSON.parse(text);
  return scope === undefined || isOwner(meta, key, context) ? meta : undefined;
}

/** Whether a page is the shell of a route, and not a page of its own. */
function isFallbackShell(serverDistDir, key, meta, context) {
  if (meta.routeCache) return Boolean(meta.routeCache.isFallback);
  return Boolean(context.isFallback) || prerenderManifest(serverDistDir).dynamicRoutes.has(key);
}

function buildStart(serverDistDir) {
  const records = shared('build.records', () => new Map());
  if (!records.has(serverDistDir)) records.set(serverDistDir, readBuildRecord(serverDistDir));
  return records.get(serverDistDir)?.startedMs;
}

/** When the content of a build is to be judged from, and when it was written. */
function times(mtimeMs, serverDistDir) {
  const startedMs = buildStart(serverDistDir);
  const believed = mtimeMs >= BELIEVABLE_MS ? mtimeMs : startedMs;
  if (believed === undefined) return undefined;
  const modifiedMs = Math.min(believed, wallNow());
  return { modifiedMs, bornMs: Math.min(modifiedMs, startedMs ?? modifiedMs) };
}

/**
 * The build's own version of a page: {value, modifiedMs, bornMs, isShell}, or
 * undefined. Its age counts from modifiedMs; marks since bornMs invalidate it.
 */
async function readBuildOutput(serverDistDir, key, context) {
  const found = serverDistDir && locate(serverDistDir, parseKey(key).pathname, kindAsked(context));
  if (!found) return undefined;
  const { base, place } = found;
  try {
    const meta = await readMeta(base, key, place, context);
    if (!meta) return undefined;
    const { mtimeMs } = await stat(base + place.suffix);
    const when = times(Math.floor(mtimeMs), serverDistDir);
    const isShell = isFallbackShell(serverDistDir, key, meta, context);
    const value = await place.read(base, meta, context, isShell);
    return when && { ...when, value, isShell };
  } catch {
    return undefined; // a build output that is incomplete is none
  }
}

/**
 * What the build knew of a page that it found to be missing: {bornMs}, or
 * undefined for any other page.
 */
function readNotFound(serverDistDir, key) {
  if (!serverDistDir || !isNotFoundRoute(serverDistDir, key)) return undefined;
  return times(prerenderManifest(serverDistDir).modifiedMs, serverDistDir) ?? { bornMs: 0 };
}

/**
 * The tag whose mark says that a page's build output has been superseded. The
 * pages of a large build share tags: superseding one then costs a few others
 * a render, instead of the table of tags its memory.
 */
function seedTag(storage, serverDistDir) {
  if (!isLargeBuild(serverDistDir)) return `nextcache:seed:${storage}`;
  const bucket = crypto.createHash('sha256').update(storage).digest().readUInt32LE() % SHARED_SEED_TAGS;
  return `nextcache:seeds:${bucket}`;
}

module.exports = { readBuildOutput, readNotFound, seedTag };
