'use strict';
// The tags of a page or route handler.
//
// Those of the App router carry them in a response header. A page of the Pages
// router has none, so that no revalidatePath reaches it in Next's own cache;
// here it gets what an App page in its place would have:
//
//   key   /en/blog/a, of the route /blog/[slug], where "en" is a locale
//   tags  _N_T_/en/blog/a          _N_T_/blog/a           the path, also without locale
//         _N_T_/layout _N_T_/en/layout _N_T_/blog/layout …  revalidatePath(…, 'layout')
//         nextcache:route:<sha256 of the route>           revalidatePath(route, 'page')
//
// Since 15.5.27 and 16.3.8 a key holds the hash of its route; before, the
// routes are those of the build that the path fits.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { denormalized, parseKey, prerenderManifest } = require('./prerender-manifest');
const { shared } = require('./shared');
const { PATH_TAG, headerTags, normalizeTags } = require('./tags');

// So many levels of a path have a layout tag of their own; visitors choose paths.
const LEVELS_MAX = 32;
const ROUTE_FORM = /^_N_T_(\/.*)?\/(page|layout)$/s;

const routeTag = (hash) => `nextcache:route:${hash}`;
const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');

/** A regular expression for the paths of "/shop/[...rest]". */
function patternOf(route) {
  const parts = route.split('/').slice(1).map((part) => {
    if (part.startsWith('[[...')) return '(?:/.+)?';
    if (part.startsWith('[...')) return '/.+';
    if (part.startsWith('[')) return '/[^/]+';
    return `/${part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`;
  });
  return new RegExp(`^${parts.join('')}$`, 's');
}

function readLocales(serverDistDir) {
  try {
    const file = path.join(/* turbopackIgnore: true */ serverDistDir, '..', 'routes-manifest.json');
    return JSON.parse(fs.readFileSync(file, 'utf8')).i18n?.locales ?? [];
  } catch {
    return [];
  }
}

/** {locales, routes: [{route, pattern}]} of a build, found out once. */
function routing(serverDistDir) {
  const known = shared('page-tags.routing', () => new Map());
  let found = known.get(serverDistDir);
  if (!found) {
    const routes = [...prerenderManifest(serverDistDir).dynamicRoutes];
    found = {
      locales: new Set(readLocales(serverDistDir).map((locale) => locale.toLowerCase())),
      routes: routes.map((route) => ({ route, pattern: patternOf(route) })),
    };
    known.set(serverDistDir, found);
  }
  return found;
}

/** A path, and the same without its locale. */
function spellings(pathname, locales) {
  const [, first, rest] = /^\/([^/]*)(.*)$/s.exec(pathname) ?? [];
  return locales.has(first?.toLowerCase()) ? [pathname, rest || '/'] : [pathname];
}

/** "/blog/a" has the layouts of "/", "/blog" and "/blog/a". */
function layoutTags(pathname) {
  const parts = pathname.split('/').filter(Boolean).slice(0, LEVELS_MAX);
  const levels = parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`);
  return ['', ...levels].map((level) => `${PATH_TAG}${level}/layout`);
}

function routeTags({ scope }, paths, routes) {
  if (scope !== undefined) return [routeTag(scope)];
  const fitting = routes.filter(({ pattern }) => paths.some((pathname) => pattern.test(pathname)));
  return [...paths, ...fitting.map(({ route }) => route)].map((route) => routeTag(sha256(route)));
}

function pagesRouterTags(key, serverDistDir) {
  const parsed = parseKey(key);
  const { locales, routes } = routing(serverDistDir);
  const paths = spellings(denormalized(parsed.pathname), locales);
  const named = paths.flatMap((pathname) => [`${PATH_TAG}${pathname}`, ...layoutTags(pathname)]);
  return [...normalizeTags(named), ...routeTags(parsed, paths, routes)];
}

/** Whether a value is one of the Pages router; 14 calls those of both routers PAGE. */
function isOfPagesRouter(value) {
  if (value === null || value?.kind === 'PAGES' || value?.kind === 'REDIRECT') return true;
  return value?.kind === 'PAGE' && typeof value.pageData === 'object';
}

/** The tags that `value` is stored with under `key`. */
function pageTags(key, value, serverDistDir) {
  const tags = headerTags(value);
  return isOfPagesRouter(value) ? [...new Set([...tags, ...pagesRouterTags(key, serverDistDir)])] : tags;
}

/** What is to be marked for these tags: revalidatePath(route, type) also means the route. */
function tagsToMark(tags) {
  const named = normalizeTags(tags);
  if (!named.some((tag) => tag.startsWith(PATH_TAG))) return named;
  const forms = named.map((tag) => ROUTE_FORM.exec(tag)).filter(Boolean);
  return [...new Set([...named, ...forms.map(([, route]) => routeTag(sha256(route ?? '/')))])];
}

module.exports = { pageTags, tagsToMark };
