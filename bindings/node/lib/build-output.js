'use strict';
// Pages that `next build` rendered, read from the build output when the cache
// has nothing: Next never hands them to a handler's set.
//
// One reader per layout. A reader takes the path of an entry without suffix
// and what was asked for, and returns {value, modifiedMs, cacheControl?}, or
// undefined for "not there". This file knows the layout of Next 16.3.8 and
// later, whose keys are scoped by the source route:
//
//   /route-cache/<KIND>/<sha256 of the source route>/$/<path>
//
// and whose .meta file names the key that it may be served under.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { readFile, stat } = require('node:fs/promises');
const { readBuildRecord } = require('./build-record');
const { wallNow } = require('./clock');
const { shared } = require('./shared');
const { withoutResumeData } = require('./resume-data');

const SCOPE_END = '/$/';
// Times before the year 2000 are written by tools that want reproducible
// trees; they say nothing about the content.
const BELIEVABLE_MS = Date.UTC(2000, 0, 1);

// About ten thousand prerendered pages.
const LARGE_MANIFEST_BYTES = 4 * 2 ** 20;
const SHARED_SEED_TAGS = 8192;

const DIRECTORIES = { APP_PAGE: 'app', APP_ROUTE: 'app', PAGES: 'pages' };
const PRIMARY_SUFFIX = { APP_PAGE: '.html', APP_ROUTE: '.body', PAGES: '.html' };

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

async function readAppPage(base, meta) {
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
    postponed: meta.routeCache.isFallback && meta.postponed ? withoutResumeData(meta.postponed) : meta.postponed,
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

const READERS = { APP_PAGE: readAppPage, APP_ROUTE: readAppRoute, PAGES: readPagesPage };

/** Whether a .meta file was written for this key and this way of asking. */
function isOwner(meta, key, context) {
  const route = meta.routeCache;
  if (route?.key !== key) return false;
  if (Boolean(route.isFallback) === Boolean(context.isFallback)) return true;
  // Partially prerendered routes look their fallback shells up as pages, too.
  return context.kind === 'APP_PAGE' && context.isRoutePPREnabled && meta.postponed != null;
}

/** <serverDistDir>/app/blog/a for a scoped key; undefined for any other. */
function basePath(serverDistDir, key, kind) {
  const scope = key.indexOf(SCOPE_END);
  if (scope === -1 || !DIRECTORIES[kind]) return undefined;
  const root = path.join(/* turbopackIgnore: true */ serverDistDir, DIRECTORIES[kind]);
  const base = path.join(/* turbopackIgnore: true */ root, key.slice(scope + SCOPE_END.length - 1));
  return base.startsWith(root + path.sep) ? base : undefined;
}

/** When the content of a build is to be judged from, and when it was written. */
function times(mtimeMs, serverDistDir) {
  const records = shared('build.records', () => new Map());
  if (!records.has(serverDistDir)) records.set(serverDistDir, readBuildRecord(serverDistDir));
  const startedMs = records.get(serverDistDir)?.startedMs;
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
  const { kind } = context;
  const base = basePath(serverDistDir, key, kind);
  // Most keys that miss were not prerendered: a single call finds that out.
  if (!base || !fs.existsSync(`${base}.meta`)) return undefined;
  try {
    const meta = await parseJson(`${base}.meta`);
    if (!isOwner(meta, key, context)) return undefined;
    const { mtimeMs } = await stat(base + PRIMARY_SUFFIX[kind]);
    const when = times(Math.floor(mtimeMs), serverDistDir);
    const value = await READERS[kind](base, meta, context);
    return when && { ...when, value, isShell: Boolean(meta.routeCache.isFallback) };
  } catch {
    return undefined; // a build output that is incomplete is none
  }
}

/** Whether a build has so many pages that tags for each would fill the table. */
function isLargeBuild(serverDistDir) {
  const known = shared('build.large', () => new Map());
  let large = known.get(serverDistDir);
  if (large === undefined) {
    try {
      const manifest = path.join(/* turbopackIgnore: true */ serverDistDir, '..', 'prerender-manifest.json');
      large = fs.statSync(manifest).size > LARGE_MANIFEST_BYTES;
    } catch {
      large = false;
    }
    known.set(serverDistDir, large);
  }
  return large;
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

module.exports = { readBuildOutput, seedTag };
