/* cmd_warm.c - nextcache warm: requests what should be in the cache before people do.
 *
 * The paths come from the sitemap of the site, the manifest of the build, a file, or
 * the entries that were read since they were written (top). A bounded number of
 * requests is under way at any time; what each said about the cache is counted.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build_check.h"
#include "commands.h"
#ifdef CLI_HAS_CURL
#include <curl/curl.h>
#endif

/* A site that is being warmed also serves people. */
#define MOST_AT_ONCE 64
#define MOST_REDIRECTS 3
/* The protocol of sitemaps allows 50 MB. */
#define SITEMAP_BYTES (64u << 20)

typedef struct paths { /* absolute, of the site; ours */
  char **items;
  size_t count, room;
} paths;

static void add_path(paths *p, const char *text, size_t size) {
  if (!size || text[0] != '/') return;
  if (p->count == p->room) {
    p->room = p->room ? 2 * p->room : 64;
    p->items = cli_alloc(p->items, p->room * sizeof *p->items);
  }
  char *path = cli_alloc(NULL, size + 1);
  memcpy(path, text, size);
  path[size] = '\0';
  p->items[p->count++] = path;
}

static void free_paths(paths *p) {
  for (size_t i = 0; i < p->count; i++) free(p->items[i]);
  free(p->items);
}

/* ---- where they come from ------------------------------------------------------------- */

static int from_manifest(paths *p) {
  const char *route;
  json_t *value, *manifest = cli_json_file(cli_where()->root, ".next/prerender-manifest.json");
  if (!manifest) {
    return cli_fail(CLI_ABSENT, "warm: %s/.next/prerender-manifest.json is not there; next build",
                    cli_where()->root);
  }
  const json_t *gone = json_object_get(manifest, "notFoundRoutes");
  json_object_foreach(json_object_get(manifest, "routes"), route, value) {
    /* Pages of Next.js itself (/_not-found, /_global-error) are not asked for by people. */
    if (strncmp(route, "/_", 2) != 0 && !cli_json_has(gone, route))
      add_path(p, route, strlen(route));
  }
  json_decref(manifest);
  return CLI_OK;
}

static int from_file(paths *p, const char *name) {
  char line[8192];
  FILE *f = fopen(name, "re");
  if (!f) return cli_fail(CLI_ABSENT, "warm: the file %s cannot be read", name);
  bool other = false;
  /* The first word of a line, so that a list may have comments. */
  while (fgets(line, sizeof line, f)) {
    add_path(p, line, strcspn(line, " \t\r\n#"));
    other = other || !strchr("/#\r\n", line[0]);
  }
  fclose(f);
  if (p->count || !other) return CLI_OK;
  return cli_fail(CLI_PROBLEM, "warm: %s has no line that begins with a path, such as /about",
                  name);
}

/* Pages and route handlers that were read since they were written. */
static int keep_used(void *arg, const nxc_seen *seen) {
  nxc_record r;
  if (!seen->entry || !seen->used) return 1;
  nxc_entry_read(seen->entry, &r);
  /* Fetches and cached functions have no address; they come with the pages that use them. */
  if (r.class_id != 1 && r.class_id != 2) return 1;
  nxc_slice name = cli_name_of(r.class_id, r.key);
  add_path(arg, name.data, name.size);
  return 1;
}

static int from_top(paths *p) {
  nxc_view *view;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  int rc = nxc_view_each(view, keep_used, p);
  nxc_view_close(view);
  for (size_t i = 0; i < p->count / 2; i++) { /* the newest first */
    char *swap = p->items[i];
    p->items[i] = p->items[p->count - 1 - i];
    p->items[p->count - 1 - i] = swap;
  }
  for (size_t i = 0; i < p->count; i++) { /* the key of the start page */
    if (strcmp(p->items[i], "/index") == 0) p->items[i][1] = '\0';
  }
  return rc == NXC_OK ? CLI_OK : cli_fail(CLI_UNREADABLE, "out of memory");
}

/* ---- the disk alone ----------------------------------------------------------------------- */

typedef struct read_ahead {
  uint64_t entries, bytes;
} read_ahead;

/* The view has read it; so the system has it in memory now. */
static int count_used(void *arg, const nxc_seen *seen) {
  read_ahead *r = arg;
  cli_progress("reading", seen->number, seen->count);
  if (!seen->entry || !seen->used || seen->result == NXC_MISS) return 1;
  r->entries++;
  r->bytes += seen->disk_bytes;
  return 1;
}

/* No process can fill the memory tier of another one. What it can do is to read what
 * was in use, the newest last, so that a look-up finds it without waiting for the disk. */
static int warm_memory(void) {
  nxc_view *view;
  read_ahead r = {0, 0};
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  int rc = nxc_view_each(view, count_used, &r);
  cli_progress_end();
  nxc_view_close(view);
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "out of memory");
  printf("%s in use, %s: now in the memory of the system; a server that has "
         "nextcache/instrumentation lifts them into its own when it starts\n",
         cli_things(r.entries, "entry", "entries").text, cli_bytes(r.bytes).text);
  return CLI_OK;
}

#ifdef CLI_HAS_CURL

/* ---- requests ---------------------------------------------------------------------------- */

typedef struct request {
  const char *path;
  char cache[16]; /* what x-nextjs-cache said */
  int redirects;
} request;

typedef struct tour {
  const char *base;
  const paths *paths;
  size_t next, done, under_way;
  uint64_t hits, stale, made, other, failed; /* by what the answers said */
  CURLM *multi;
} tour;

/* The body matters to nobody: that it was asked for is what fills the cache. */
// NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's
static size_t drop(char *data, size_t size, size_t n, void *unused) {
  (void)data, (void)unused;
  return size * n;
}

static size_t note_header(char *line, size_t size, size_t n, void *arg) {
  static const char name[] = "x-nextjs-cache:";
  request *r = arg;
  size_t bytes = size * n;
  if (bytes > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(bytes - sizeof name + 1), line + sizeof name - 1);
    sscanf(text, " %15s", r->cache);
  }
  return bytes;
}

/* A proxy of the environment is for other machines, also where nobody said so. */
static char *hosts_without_proxy(void) {
  const char *named = getenv("no_proxy");
  if (!named) named = getenv("NO_PROXY");
  return cli_format("localhost,127.0.0.1,::1%s%s", named ? "," : "", named ? named : "");
}

static CURL *plain_request(const char *url) {
  CURL *curl = curl_easy_init();
  char *direct = hosts_without_proxy();
  curl_easy_setopt(curl, CURLOPT_NOPROXY, direct);
  free(direct);
  curl_easy_setopt(curl, CURLOPT_URL, url);
  /* A sitemap is text from elsewhere: it must not lead to files or other protocols. */
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "nextcache-warm");
  /* As a browser, so that a proxy in between keeps what browsers will ask for. */
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
  return curl;
}

/* Next.js decodes the names of pages, but for what would divide them (%2F, %3F): what an address
 * cannot hold is encoded again, and what is encoded stays. */
static char *address_of(const char *base, const char *path) {
  static const char plain[] = "-._~!$&'()*+,;=:@/?";
  char *address = cli_alloc(NULL, strlen(base) + 3 * strlen(path) + 1), *to = stpcpy(address, base);
  for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
    bool encoded = *c == '%' && isxdigit(c[1]) && isxdigit(c[2]);
    if (encoded || (*c < 0x80 && isalnum(*c)) || strchr(plain, *c)) {
      *to++ = (char)*c;
    } else {
      to += sprintf(to, "%%%02X", *c);
    }
  }
  *to = '\0';
  return address;
}

static void ask(tour *t, request *r, const char *url) {
  CURL *curl = plain_request(url);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, note_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, r);
  curl_easy_setopt(curl, CURLOPT_PRIVATE, r);
  curl_multi_add_handle(t->multi, curl);
  t->under_way++;
}

static void begin(tour *t) {
  request *r = cli_alloc(NULL, sizeof *r);
  *r = (request){.path = t->paths->items[t->next++]};
  char *url = address_of(t->base, r->path);
  ask(t, r, url);
  free(url);
}

/* With trailingSlash the build names /about, and the page is at /about/. Only what the site says
 * of itself is followed: its public name would lead around the server that is to be warmed. */
static bool go_on(tour *t, CURL *curl, request *r) {
  char *to = NULL;
  size_t n = strlen(t->base);
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
  if (!to || strncmp(to, t->base, n) != 0 || to[n] != '/' || r->redirects++ == MOST_REDIRECTS) {
    return false;
  }
  r->cache[0] = '\0';
  ask(t, r, to);
  return true;
}

static void count(tour *t, const request *r, CURLcode result, long status) {
  if (result != CURLE_OK || status >= 400) {
    t->failed++;
    if (result == CURLE_OK) {
      cli_warn("%s answered %ld", r->path, status);
    } else {
      cli_warn("%s: %s", r->path, curl_easy_strerror(result));
    }
  } else if (strcmp(r->cache, "HIT") == 0 || strcmp(r->cache, "PRERENDER") == 0) {
    t->hits++;
  } else if (strcmp(r->cache, "STALE") == 0) {
    t->stale++;
  } else if (strcmp(r->cache, "MISS") == 0) {
    t->made++;
  } else {
    t->other++;
  }
  t->done++;
}

static void finish(tour *t, CURL *curl, CURLcode result) {
  request *r;
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_PRIVATE, &r);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  t->under_way--;
  if (result != CURLE_OK || !go_on(t, curl, r)) {
    count(t, r, result, status);
    free(r);
  }
  curl_multi_remove_handle(t->multi, curl);
  curl_easy_cleanup(curl);
}

static void make_tour(tour *t, size_t at_once) {
  t->multi = curl_multi_init();
  while (t->done < t->paths->count) {
    int running, left;
    while (t->under_way < at_once && t->next < t->paths->count) begin(t);
    curl_multi_perform(t->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(t->multi, &left));) {
      if (m->msg == CURLMSG_DONE) finish(t, m->easy_handle, m->data.result);
    }
    cli_progress("warming", t->done, t->paths->count);
    /* It may be that all under way ended just now: then there is nothing to wait for. */
    if (running) curl_multi_poll(t->multi, NULL, 0, 1000, NULL);
  }
  curl_multi_cleanup(t->multi);
}

/* ---- the sitemap ----------------------------------------------------------------------------- */

typedef struct text {
  char *data;
  size_t size;
} text;

static size_t keep(char *data, size_t size, size_t n, void *arg) {
  text *t = arg;
  if (t->size + size * n > SITEMAP_BYTES) return 0;
  t->data = cli_alloc(t->data, t->size + size * n + 1);
  memcpy(t->data + t->size, data, size * n);
  t->size += size * n;
  t->data[t->size] = '\0';
  return size * n;
}

/* In place: & is always written as an entity there, and an address with a query has some. */
static void decode_entities(char *path) {
  static const char *const entities[][2] = {{"&amp;", "&"},  {"&#38;", "&"}, {"&apos;", "'"},
                                            {"&#39;", "'"},  {"&lt;", "<"},  {"&gt;", ">"},
                                            {"&quot;", "\""}};
  char *to = path;
  for (const char *from = path; *from; to++) {
    size_t i = 0, n = sizeof entities / sizeof *entities;
    while (i < n && strncmp(from, entities[i][0], strlen(entities[i][0])) != 0) i++;
    const char *letter = i < n ? entities[i][1] : from;
    *to = *letter;
    from += i < n ? strlen(entities[i][0]) : 1;
  }
  *to = '\0';
}

/* The paths of <loc>https://any.host/path</loc>: the host that it names is the public
 * one, and we ask another. */
static void read_locations(paths *p, const char *xml) {
  for (const char *at = xml, *end; (at = strstr(at, "<loc>")); at = end) {
    at += 5 + strspn(at + 5, " \t\r\n");
    end = strstr(at, "</loc>");
    if (!end) break;
    const char *host = memmem(at, (size_t)(end - at), "://", 3);
    if (!host) continue;
    host += 3;
    const char *path = memchr(host, '/', (size_t)(end - host));
    if (path) {
      add_path(p, path, strcspn(path, " \t\r\n<"));
      decode_entities(p->items[p->count - 1]);
    } else {
      add_path(p, "/", 1);
    }
  }
}

static int fetch(const char *url, text *body) {
  long status = 0;
  CURL *curl = plain_request(url);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
  CURLcode result = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  if (result != CURLE_OK) {
    return cli_fail(CLI_UNREADABLE, "warm: %s: %s", url, curl_easy_strerror(result));
  }
  return status == 200 ? CLI_OK : cli_fail(CLI_ABSENT, "warm: %s answered %ld", url, status);
}

/* A sitemap that is too long is divided, and an index names its parts; there are no indexes
 * of indexes. */
static int read_sitemap(paths *p, const char *host, const char *path, bool may_be_index) {
  text body = {NULL, 0};
  paths parts = {NULL, 0, 0};
  char *url = address_of(host, path);
  int code = fetch(url, &body);
  const char *xml = body.data ? body.data : "";
  if (code == CLI_OK && may_be_index && strstr(xml, "<sitemapindex")) {
    read_locations(&parts, xml);
  } else if (code == CLI_OK && strstr(xml, "<urlset")) {
    read_locations(p, xml);
  } else if (code == CLI_OK) {
    code = cli_fail(CLI_PROBLEM, "warm: %s is no sitemap", url);
  }
  free(url);
  free(body.data);
  for (size_t i = 0; i < parts.count && code == CLI_OK; i++) {
    code = read_sitemap(p, host, parts.items[i], false);
  }
  free_paths(&parts);
  return code;
}

/* Its paths are those of the host, a basePath included; so the base becomes that. */
static int from_sitemap(paths *p, char *base) {
  char *slash = strchr(strstr(base, "://") + 3, '/');
  char *path = cli_format("%s/sitemap.xml", slash ? slash : "");
  if (slash) *slash = '\0';
  int code = read_sitemap(p, base, path, true);
  free(path);
  return code;
}

/* ---- the command ------------------------------------------------------------------------------- */

static int find_paths(paths *p, const char *from, char *base) {
  if (strcmp(from, "sitemap") == 0) return from_sitemap(p, base);
  if (strcmp(from, "prerender-manifest") == 0) return from_manifest(p);
  if (strcmp(from, "top") == 0) return from_top(p);
  return from_file(p, from);
}

static int warm(const char *url, const char *from, size_t at_once, size_t limit) {
  paths p = {NULL, 0, 0};
  char *base = cli_strdup(url);
  /* Paths begin with a slash of their own. */
  for (size_t n = strlen(base); n && base[n - 1] == '/';) base[--n] = '\0';
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int code = find_paths(&p, from, base);
  tour t = {.base = base, .paths = &p};
  size_t all = p.count;
  if (limit && p.count > limit) p.count = limit;
  if (code == CLI_OK) {
    make_tour(&t, at_once);
    cli_progress_end();
    printf("%s: %llu made now, %llu warm already, %llu refreshed, %llu not cached, "
           "%llu failed\n",
           cli_things(p.count, "path", "paths").text, (unsigned long long)t.made,
           (unsigned long long)t.hits, (unsigned long long)t.stale, (unsigned long long)t.other,
           (unsigned long long)t.failed);
    if (t.failed) code = CLI_PROBLEM;
  }
  p.count = all;
  free_paths(&p);
  free(base);
  curl_global_cleanup();
  return code;
}

#else

static int warm(const char *url, const char *from, size_t at_once, size_t limit) {
  (void)url, (void)from, (void)at_once, (void)limit;
  (void)from_manifest, (void)from_file, (void)from_top, (void)free_paths;
  return cli_fail(CLI_UNREADABLE, "warm is not in this build; it needs libcurl "
                                  "(apt install libcurl4-openssl-dev, and build again)");
}

#endif

int cli_cmd_warm(const cli_command *self, int argc, char **argv) {
  const char *url = NULL, *from = "prerender-manifest";
  uint64_t at_once = 4, limit = 0;
  bool memory = false;
  int code;
  const cli_option options[] = {
      {"url", CLI_TEXT, &url, "BASE", "the site, as http://127.0.0.1:3000"},
      {"from", CLI_TEXT, &from, "prerender-manifest|sitemap|top|FILE",
       "top: what was read of late; or a file of paths"},
      {"at-once", CLI_NUMBER, &at_once, "N", "requests under way at any time (4)"},
      {"limit", CLI_NUMBER, &limit, "N", "only the first N paths"},
      {"memory", CLI_FLAG, &memory, NULL, "no requests: read what was in use from the disk"},
      {0},
  };
  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  if (memory && url) return cli_fail(CLI_USAGE, "warm: --memory asks no site; leave out --url");
  if (memory) return warm_memory();
  if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
    return cli_fail(CLI_USAGE, "warm: --url is needed, such as http://127.0.0.1:3000");
  }
  if (!at_once || at_once > MOST_AT_ONCE) {
    return cli_fail(CLI_USAGE, "warm: --at-once should be 1 to %d", MOST_AT_ONCE);
  }
  return warm(url, from, (size_t)at_once, (size_t)limit);
}
