/* site.c - the manifests of a build.
 *
 *   package.json, server.js               who serves it: `next start`, or the server of a
 *                                         standalone build; anything else is a custom server
 *   .next/BUILD_ID, build-manifest.json   with the version of Next.js, and the record that
 *                                         nextcache left: the namespace of the pages' keys
 *   .next/server/middleware-manifest.json,
 *   .next/server/functions-config-manifest.json   what a middleware or proxy.ts may touch
 *   .next/routes-manifest.json            rules by cookie, header, host or query; i18n
 *   .next/required-server-files.json      whether bots are served in another way
 *   .next/app-path-routes-manifest.json,
 *   .next/server/pages-manifest.json      the routes, which are part of the keys
 */
#include "site.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buffer.h"

#define MIDDLEWARE_VERSION 3
#define FUNCTIONS_VERSION 1
#define ROUTES_VERSION 3
#define VALUE_FAMILY "2" /* of the handler: bindings/node/lib/namespace.js */

static const char *const FILES[] = {
    "package.json",
    "server.js",
    "server.mjs",
    "server.cjs",
    "server.ts",
    ".next/BUILD_ID",
    ".next/build-manifest.json",
    ".next/routes-manifest.json",
    ".next/required-server-files.json",
    ".next/app-path-routes-manifest.json",
    ".next/server/middleware-manifest.json",
    ".next/server/functions-config-manifest.json",
    ".next/server/pages-manifest.json",
    ".next/server/pages/nextcache-build.json",
};
#define FILE_COUNT (sizeof FILES / sizeof *FILES)

/* Of a file, to notice that it was replaced: a build writes some of them twice in the same
 * millisecond, and tools set the time of modification. */
typedef struct stamp {
  ino_t inode;
  off_t size;
  struct timespec modified, changed;
} stamp;

typedef struct route {
  char *pattern; /* "/blog/[slug]" */
  char prefix[128];
} route;

struct site {
  char *dir;
  stamp stamps[FILE_COUNT];
  char closed[512];
  char namespace[17];
  pcre2_code **guards; /* of paths that go to Next.js */
  size_t guard_count;
  pcre2_code *bots; /* NULL: all are served alike */
  route *routes;
  size_t route_count;
};

/* ---- files ------------------------------------------------------------------------- */

/* Closes the site; the first reason stays. Returns false. */
__attribute__((format(printf, 2, 3))) static bool close_site(site *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (!s->closed[0]) vsnprintf(s->closed, sizeof s->closed, format, args);
  va_end(args);
  return false;
}

static void path_of(const site *s, const char *file, char out[PATH_MAX]) {
  snprintf(out, PATH_MAX, "%s/%s", s->dir, file);
}

static json_t *read_json(const site *s, const char *file) {
  char path[PATH_MAX];
  path_of(s, file, path);
  return json_load_file(path, 0, NULL);
}

/* The whole of a file; false when it cannot be read. */
static bool read_file(const site *s, const char *file, buffer *out) {
  char path[PATH_MAX], part[4096];
  path_of(s, file, path);
  FILE *f = fopen(path, "re");
  if (!f) return false;
  for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buffer_add(out, part, n);
  fclose(f);
  return true;
}

static bool exists(const site *s, const char *file) {
  char path[PATH_MAX];
  struct stat st;
  path_of(s, file, path);
  return stat(path, &st) == 0;
}

static stamp stamp_of(const site *s, const char *file) {
  char path[PATH_MAX];
  struct stat st;
  path_of(s, file, path);
  if (stat(path, &st) != 0) return (stamp){0};
  return (stamp){st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
}

static bool same_stamp(const stamp *a, const stamp *b) {
  return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
         a->modified.tv_nsec == b->modified.tv_nsec && a->changed.tv_sec == b->changed.tv_sec &&
         a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- who serves it ----------------------------------------------------------------- */

static bool is_standalone(const site *s) {
  buffer text = {0};
  bool is = read_file(s, "server.js", &text);
  buffer_add(&text, "", 1);
  is = is && strstr(text.data, "__NEXT_PRIVATE_STANDALONE_CONFIG") &&
       strstr(text.data, "startServer(");
  buffer_free(&text);
  return is;
}

/* A custom server may do anything before Next.js sees a request, so what starts the site has
 * to be known. */
static bool check_server(site *s) {
  if (is_standalone(s)) return true;
  for (size_t i = 1; i <= 4; i++) {
    if (exists(s, FILES[i])) return close_site(s, "%s may be a custom server", FILES[i]);
  }
  json_t *package = read_json(s, "package.json");
  const char *start =
      json_string_value(json_object_get(json_object_get(package, "scripts"), "start"));
  bool ours = start && strstr(start, "next start");
  json_decref(package);
  return ours || close_site(s, "package.json has no \"start\" script with `next start`");
}

/* ---- the namespace ------------------------------------------------------------------- */

/* The version of the Next.js that a `require` in the site finds. */
static bool next_version(const site *s, buffer *out) {
  char dir[PATH_MAX], path[PATH_MAX + 64];
  if (!realpath(s->dir, dir)) return false;
  for (;;) {
    snprintf(path, sizeof path, "%s/node_modules/next/package.json", dir);
    json_t *package = json_load_file(path, 0, NULL);
    const char *version = json_string_value(json_object_get(package, "version"));
    if (version) buffer_add_text(out, version);
    json_decref(package);
    char *slash = strrchr(dir, '/');
    if (out->size || !slash) return out->size > 0;
    *slash = '\0';
  }
}

static void digest_part(EVP_MD_CTX *hash, const buffer *part) {
  char length[32];
  int n = snprintf(length, sizeof length, "%zu:", part->size);
  EVP_DigestUpdate(hash, length, (size_t)n);
  EVP_DigestUpdate(hash, part->data, part->size);
}

/* As computeNamespace() of the handler, in bindings/node/lib/namespace.js. Were they to
 * differ, no entry would be found, and every request go to Next.js. */
static bool read_namespace(site *s) {
  buffer parts[5] = {{0}, {0}, {0}, {0}, {0}};
  unsigned char digest[EVP_MAX_MD_SIZE];
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  bool known = read_file(s, ".next/BUILD_ID", &parts[0]) && next_version(s, &parts[2]);
  (void)read_file(s, ".next/build-manifest.json", &parts[1]);
  buffer_add_text(&parts[3], VALUE_FAMILY);
  json_t *record = read_json(s, ".next/server/pages/nextcache-build.json");
  const char *id = json_string_value(json_object_get(record, "id"));
  if (id) buffer_add_text(&parts[4], id);
  json_decref(record);
  EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
  for (int i = 0; i < 5; i++) digest_part(hash, &parts[i]);
  EVP_DigestFinal_ex(hash, digest, NULL);
  EVP_MD_CTX_free(hash);
  for (int i = 0; i < 5; i++) buffer_free(&parts[i]);
  EVP_EncodeBlock((unsigned char *)s->namespace, digest, 12);
  for (char *at = s->namespace; *at; at++) *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
  return known || close_site(s, "there is no build, or no Next.js beside it");
}

/* ---- what goes to Next.js -------------------------------------------------------------- */

/* JavaScript's regular expressions, as far as Next.js makes them, are PCRE's too. */
static pcre2_code *compile(const char *text, uint32_t options) {
  int error;
  size_t at;
  pcre2_code *code =
      pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
  if (code) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return code;
}

/* Next.js compares some with the case of letters and some without. What either of them
 * matches is guarded, for none is wider: of "/((?!login).*)" only the first matches /Login.
 * A guard that is too wide costs a way to Next.js, nothing else. */
static bool add_guard(site *s, const char *text) {
  static const uint32_t options[] = {0, PCRE2_CASELESS};
  for (size_t i = 0; i < 2; i++) {
    pcre2_code *code = text ? compile(text, options[i]) : NULL;
    if (!code)
      return close_site(s, "a pattern of the build is not understood: %s", text ? text : "");
    s->guards = must_alloc(s->guards, (s->guard_count + 1) * sizeof *s->guards);
    s->guards[s->guard_count++] = code;
  }
  return true;
}

static bool has_condition(const json_t *rule) {
  return json_object_get(rule, "has") || json_object_get(rule, "missing");
}

static bool add_matchers(site *s, const json_t *middleware) {
  size_t i;
  json_t *matcher, *matchers = json_object_get(middleware, "matchers");
  if (!json_array_size(matchers)) return close_site(s, "a middleware without matchers");
  json_array_foreach(matchers, i, matcher) {
    if (has_condition(matcher)) return close_site(s, "a matcher of the middleware has conditions");
    if (!add_guard(s, json_string_value(json_object_get(matcher, "regexp")))) return false;
  }
  return true;
}

/* A manifest of this version, or NULL and a closed site. */
static json_t *manifest(site *s, const char *file, int version) {
  json_t *m = read_json(s, file);
  if (m && json_integer_value(json_object_get(m, "version")) == version) return m;
  close_site(s, m ? "%s is of an unknown version" : "%s cannot be read", file);
  json_decref(m);
  return NULL;
}

static void read_middleware(site *s) {
  const char *name;
  json_t *one, *m = manifest(s, ".next/server/middleware-manifest.json", MIDDLEWARE_VERSION);
  json_t *all = json_object_get(m, "middleware");
  if (m && !json_is_object(all)) close_site(s, "middleware-manifest.json is not understood");
  json_object_foreach(all, name, one) add_matchers(s, one);
  json_decref(m);
  m = manifest(s, ".next/server/functions-config-manifest.json", FUNCTIONS_VERSION);
  all = json_object_get(m, "functions");
  if (m && !json_is_object(all)) close_site(s, "functions-config-manifest.json is not understood");
  json_object_foreach(all, name, one) {
    if (strcmp(name, "/_middleware") == 0 || json_object_get(one, "matchers")) add_matchers(s, one);
  }
  json_decref(m);
}

/* Interception routes look at Next-Url, and requests that have it go to Next.js anyway. */
static bool asks_for_next_url(const json_t *rule) {
  const json_t *has = json_object_get(rule, "has");
  const char *key = json_string_value(json_object_get(json_array_get(has, 0), "key"));
  return !json_object_get(rule, "missing") && json_array_size(has) == 1 && key &&
         strcasecmp(key, "next-url") == 0;
}

static void add_rules(site *s, json_t *rules) {
  size_t i;
  json_t *rule;
  json_array_foreach(rules, i, rule) {
    if (has_condition(rule) && !asks_for_next_url(rule))
      add_guard(s, json_string_value(json_object_get(rule, "regex")));
  }
}

static void read_rules(site *s) {
  static const char *const lists[] = {"redirects", "headers", "onMatchHeaders", "rewrites"};
  static const char *const stages[] = {"beforeFiles", "afterFiles", "fallback"};
  json_t *m = manifest(s, ".next/routes-manifest.json", ROUTES_VERSION);
  const json_t *i18n = json_object_get(m, "i18n");
  const char *base = json_string_value(json_object_get(m, "basePath"));
  if (i18n && !json_is_null(i18n)) close_site(s, "i18n: paths depend on who asks");
  if (base && *base) close_site(s, "a basePath is not supported");
  for (int i = 0; i < 4; i++) add_rules(s, json_object_get(m, lists[i]));
  for (int i = 0; i < 3; i++)
    add_rules(s, json_object_get(json_object_get(m, "rewrites"), stages[i]));
  json_decref(m);
}

/* With partial prerendering Next.js renders anew for some bots. */
static void read_bots(site *s) {
  json_t *m = read_json(s, ".next/required-server-files.json");
  const json_t *config = json_object_get(m, "config");
  const json_t *ppr = json_object_get(json_object_get(config, "experimental"), "ppr");
  const char *bots = json_string_value(json_object_get(config, "htmlLimitedBots"));
  if (!json_is_object(config)) close_site(s, ".next/required-server-files.json cannot be read");
  if (json_is_true(json_object_get(config, "cacheComponents")) || (ppr && !json_is_false(ppr))) {
    s->bots = bots ? compile(bots, PCRE2_CASELESS) : NULL;
    if (!s->bots) close_site(s, "it is not known which bots are served in another way");
  }
  json_decref(m);
}

/* ---- routes ------------------------------------------------------------------------------ */

static void add_route(site *s, const char *kind, const char *source, const char *pattern) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  char hex[65];
  EVP_Digest(source, strlen(source), digest, NULL, EVP_sha256(), NULL);
  for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  s->routes = must_alloc(s->routes, (s->route_count + 1) * sizeof *s->routes);
  route *r = &s->routes[s->route_count++];
  r->pattern = strcpy(must_alloc(NULL, strlen(pattern) + 1), pattern);
  snprintf(r->prefix, sizeof r->prefix, "/route-cache/%s/%s/$", kind, hex);
}

static void read_routes(site *s) {
  const char *name;
  json_t *value, *m = read_json(s, ".next/app-path-routes-manifest.json");
  json_object_foreach(m, name, value) {
    const char *end = strrchr(name, '/'), *pattern = json_string_value(value);
    if (!pattern) continue;
    add_route(s, strcmp(end ? end : "", "/route") == 0 ? "APP_ROUTE" : "APP_PAGE", name, pattern);
  }
  json_decref(m);
  m = read_json(s, ".next/server/pages-manifest.json");
  json_object_foreach(m, name, value) add_route(s, "PAGES", name, name);
  json_decref(m);
}

/* Whether "/blog/a" is of "/blog/[slug]". */
static bool fits(const char *pattern, const char *path) {
  for (;;) {
    if (strncmp(pattern, "/[[...", 6) == 0) return true;
    if (strncmp(pattern, "/[...", 5) == 0) return path[0] == '/' && path[1] != '\0';
    if (*pattern == '\0' || *path == '\0') return *pattern == *path;
    size_t want = 1 + strcspn(pattern + 1, "/"), have = 1 + strcspn(path + 1, "/");
    bool any = pattern[1] == '[' && have > 1;
    if (!any && (want != have || memcmp(pattern, path, want) != 0)) return false;
    pattern += want;
    path += have;
  }
}

/* Both spellings of a key: the path alone, as Next.js had it before 15.5.27 and 16.3.8, and
 * with the hash of a route that fits. Which of them is stored shows when it is looked up. */
bool site_source_key(const site *s, const char *path, size_t number, char *key, size_t size) {
  const char *stored = strcmp(path, "/") == 0 ? "/index" : path;
  if (number == 0) return (size_t)snprintf(key, size, "p:%s:%s", s->namespace, stored) < size;
  for (size_t i = 0; i < s->route_count; i++) {
    if (!fits(s->routes[i].pattern, path) || --number) continue;
    int n = snprintf(key, size, "p:%s:%s%s", s->namespace, s->routes[i].prefix, stored);
    return (size_t)n < size;
  }
  return false;
}

/* ---- the whole ----------------------------------------------------------------------------- */

site *site_load(const char *dir) {
  site *s = must_alloc(NULL, sizeof *s);
  *s = (site){.dir = strcpy(must_alloc(NULL, strlen(dir) + 1), dir)};
  /* Before they are read: what changes meanwhile is read again. */
  for (size_t i = 0; i < FILE_COUNT; i++) s->stamps[i] = stamp_of(s, FILES[i]);
  check_server(s);
  read_namespace(s);
  read_middleware(s);
  read_rules(s);
  read_bots(s);
  read_routes(s);
  return s;
}

void site_free(site *s) {
  if (!s) return;
  for (size_t i = 0; i < s->guard_count; i++) pcre2_code_free(s->guards[i]);
  for (size_t i = 0; i < s->route_count; i++) free(s->routes[i].pattern);
  pcre2_code_free(s->bots);
  free(s->guards);
  free(s->routes);
  free(s->dir);
  free(s);
}

bool site_is_over(const site *s) {
  for (size_t i = 0; i < FILE_COUNT; i++) {
    stamp now = stamp_of(s, FILES[i]);
    if (!same_stamp(&now, &s->stamps[i])) return true;
  }
  return false;
}

const char *site_closed(const site *s) {
  return s->closed[0] ? s->closed : NULL;
}

const char *site_namespace(const site *s) {
  return s->namespace;
}

/* What cannot be decided, as for want of memory, counts as a match. */
static bool matches(const pcre2_code *code, const char *text, size_t size) {
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  int rc = data ? pcre2_match(code, (PCRE2_SPTR)text, size, 0, 0, data, NULL) : 0;
  pcre2_match_data_free(data);
  return rc != PCRE2_ERROR_NOMATCH;
}

bool site_is_free(const site *s, const char *path) {
  for (size_t i = 0; i < s->guard_count; i++) {
    if (matches(s->guards[i], path, strlen(path))) return false;
  }
  return true;
}

bool site_is_bot(const site *s, const char *user_agent, size_t size) {
  return s->bots && matches(s->bots, user_agent, size);
}
