'use strict';
// What `next build` wrote down about the pages that it rendered, as far as it
// matters here. Read when it is first needed, once for each build directory.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { shared } = require('./shared');

// About ten thousand prerendered pages.
const LARGE_BYTES = 4 * 2 ** 20;
const SCOPED_KEY = /^\/route-cache\/[A-Z_]+\/([0-9a-f]{64})\/\$(\/.*)$/s;
const NO_MANIFEST = { modifiedMs: undefined, notFoundRoutes: new Set(), dynamicRoutes: new Set(), routes: new Map() };

const manifestFile = (serverDistDir) => path.join(/* turbopackIgnore: true */ serverDistDir, '..', 'prerender-manifest.json');

/** What `make` finds out about a build, kept for as long as the process lives. */
function known(name, serverDistDir, make, otherwise) {
  const all = shared(`manifest.${name}`, () => new Map());
  if (!all.has(serverDistDir)) {
    let found = otherwise;
    try {
      found = make(manifestFile(serverDistDir));
    } catch {
      // A build without a manifest has prerendered nothing.
    }
    all.set(serverDistDir, found);
  }
  return all.get(serverDistDir);
}

/** Whether a build has so many pages that a tag for each would fill the table. */
const isLargeBuild = (serverDistDir) =>
  known('large', serverDistDir, (file) => fs.statSync(file).size > LARGE_BYTES, false);

/** What is kept of a prerendered route: its source, unless it is its own, and its lifetime. */
const kept = ({ srcRoute, initialRevalidateSeconds }) => ({ srcRoute, initialRevalidateSeconds });

function read(file) {
  const { notFoundRoutes, dynamicRoutes, routes } = JSON.parse(fs.readFileSync(file, 'utf8'));
  return {
    modifiedMs: Math.floor(fs.statSync(file).mtimeMs),
    notFoundRoutes: new Set(notFoundRoutes),
    dynamicRoutes: new Set(Object.keys(dynamicRoutes)),
    routes: new Map(Object.entries(routes).map(([route, about]) => [route, kept(about)])),
  };
}

const prerenderManifest = (serverDistDir) => known('content', serverDistDir, read, NO_MANIFEST);

/** The path that a key stands for, and the source route in it, if it is scoped. */
function parseKey(key) {
  const match = SCOPED_KEY.exec(key);
  return match ? { scope: match[1], pathname: match[2] } : { scope: undefined, pathname: key };
}

/** "/index" back to "/", "/index/index" to "/index". */
const denormalized = (pathname) => pathname.replace(/^\/index(?=\/|$)/, '') || '/';

/** Whether one of `routes` is the source route that a scoped key names. */
const isScopeOf = (scope, routes) =>
  routes.some((route) => crypto.createHash('sha256').update(route).digest('hex') === scope);

/**
 * Whether Next answers a miss of this page of the Pages router with "not
 * found", without rendering it: the build saw no content for it.
 */
function isNotFoundRoute(serverDistDir, key) {
  const { notFoundRoutes, routes } = prerenderManifest(serverDistDir);
  if (notFoundRoutes.size === 0) return false;
  const { scope, pathname } = parseKey(key);
  if (scope === undefined) return notFoundRoutes.has(pathname);
  const route = denormalized(pathname);
  if (!notFoundRoutes.has(route)) return false;
  const source = routes.get(route)?.srcRoute;
  // A page without a dynamic segment is its own source, without its locale.
  return isScopeOf(scope, source ? [source] : [route, route.replace(/^\/[^/]*/, '') || '/']);
}

module.exports = { denormalized, isLargeBuild, isNotFoundRoute, parseKey, prerenderManifest };
