/* request.c - which requests may be answered here.
 *
 * A request is doubtful, and goes to Next.js, unless all that it says is known to make
 * no difference to a finished page, or is part of the question that is looked up.
 */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Half of what Node.js takes: 16 KB, of which it looks at 2000 headers. */
#define LARGEST_HEAD 8192

static bool is(const char *name, size_t size, const char *wanted) {
  return strlen(wanted) == size && strncasecmp(name, wanted, size) == 0;
}

static bool contains(const char *text, size_t size, const char *part) {
  return memmem(text, size, part, strlen(part)) != NULL;
}

/* ---- headers --------------------------------------------------------------------------- */

/* RSC, prefetches, server actions, conditions other than If-None-Match, and what only
 * proxies of Next.js may say. Range is not among them: Next.js answers pages whole. */
static bool is_doubtful_header(const char *name, size_t size) {
  static const char *const names[] = {
      "rsc",
      "authorization",
      "expect",
      "upgrade",
      "if-modified-since",
      "if-match",
      "if-unmodified-since",
      "if-range",
      "purpose",
      "sec-purpose",
      "x-purpose",
      "content-type",
      "te",
      "x-moz",
      "x-matched-path",
      "content-length",
      "transfer-encoding",
  };
  static const char *const prefixes[] = {"next-",     "x-next",       "x-middleware-",
                                         "x-invoke-", "x-prerender-", "x-now-",
                                         "x-vercel-", "x-http-method"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (is(name, size, names[i])) return true;
  }
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    size_t n = strlen(prefixes[i]);
    if (size >= n && strncasecmp(name, prefixes[i], n) == 0) return true;
  }
  return false;
}

/* What clients say, letter by letter, but for spaces behind commas. The order is kept, because
 * it may decide; anything else is doubtful, as each spelling has an answer of its own: no client
 * may make thousands of one page. */
static bool read_accept(request *r, const char *value, size_t size) {
  static const char *const known[] = {
      "",
      "gzip",
      "deflate",
      "br",
      "identity",
      "*",
      "gzip,deflate",
      "gzip,br",
      "gzip,deflate,br",
      "gzip,deflate,br,zstd",
      "br,gzip,deflate",
      "deflate,gzip",
      "deflate,gzip,br,zstd",
  };
  size_t used = 0;
  if (r->accept[0]) return false;
  for (size_t i = 0; i < size; i++) {
    if (value[i] == ' ' && used && r->accept[used - 1] == ',') continue;
    if (used + 1 >= sizeof r->accept) return false;
    r->accept[used++] = value[i];
  }
  r->accept[used] = '\0';
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(r->accept, known[i]) == 0) return true;
  }
  return false;
}

/* One ETag, strong or weak; lists and "*" are doubtful. */
static bool read_if_none_match(request *r, const char *value, size_t size) {
  if (r->if_none_match[0] || size >= sizeof r->if_none_match || memchr(value, ',', size))
    return false;
  const char *tag = size > 2 && value[0] == 'W' && value[1] == '/' ? value + 2 : value;
  size_t n = size - (size_t)(tag - value);
  if (n < 2 || tag[0] != '"' || tag[n - 1] != '"') return false;
  memcpy(r->if_none_match, tag, n);
  r->if_none_match[n] = '\0';
  return true;
}

/* Whoever has these sees drafts, or in a test half a page; whether they are valid is for
 * Next.js to say. */
static bool is_draft(const char *value, size_t size) {
  return contains(value, size, "__prerender_bypass") ||
         contains(value, size, "__next_preview_data") ||
         contains(value, size, "next-instant-navigation-testing");
}

static void note_header(request *r, const char *name, size_t size, const char *value, size_t n,
                        const site *s) {
  /* "Content-Length : 1", which that parser takes, too. */
  if (memchr(name, ' ', size)) r->malformed = true;
  if (is_doubtful_header(name, size)) r->doubtful = true;
  if (is(name, size, "cookie") && is_draft(value, n)) r->doubtful = true;
  if (is(name, size, "host")) r->hosts++;
  if (is(name, size, "cache-control")) r->has_cache_control = true;
  if (is(name, size, "accept-encoding") && !read_accept(r, value, n)) r->doubtful = true;
  if (is(name, size, "if-none-match") && !read_if_none_match(r, value, n)) r->doubtful = true;
  if (is(name, size, "user-agent") && site_is_bot(s, value, n)) r->doubtful = true;
}

/* http_parser, as Debian builds it, also takes bare line feeds, folded lines and anything
 * behind the last carriage return: a proxy in front of us may see other requests in them. */
bool request_lines_are_strict(request_lines *l, const char *data, size_t size) {
  for (const char *at = data, *end = data + size; at < end && !l->over;) {
    if (l->last == '\r') {
      if (*at++ != '\n') return false;
      l->over = l->begun && l->size == 0;
      l->size = 0;
      l->last = '\n';
      continue;
    }
    if (l->begun && l->last == '\n' && (*at == ' ' || *at == '\t')) return false;
    const char *stop = memchr(at, '\r', (size_t)(end - at));
    size_t n = (size_t)((stop ? stop : end) - at);
    if (memchr(at, '\n', n)) return false;
    l->size += n;
    if (n) l->begun = true;
    l->last = stop ? '\r' : at[n - 1];
    at += n + (stop ? 1 : 0);
  }
  return true;
}

/* ---- the head ---------------------------------------------------------------------------- */

void request_begin(request *r) {
  r->head.size = r->target_at = r->target_size = r->name_at = r->value_at = 0;
  r->doubtful = r->malformed = r->has_cache_control = false;
  r->hosts = 0;
  r->accept[0] = r->if_none_match[0] = '\0';
}

void request_add_target(request *r, const http_parser *p, const char *data, size_t size) {
  if (!r->target_at) {
    buffer_add_text(&r->head, http_method_str(p->method));
    buffer_add(&r->head, " ", 1);
    r->target_at = r->head.size;
  }
  buffer_add(&r->head, data, size);
  r->target_size += size;
}

/* Ends the line before, which is the request line or a header. */
static void end_line(request *r, const http_parser *p) {
  if (!r->name_at) {
    char version[32];
    snprintf(version, sizeof version, " HTTP/%u.%u", p->http_major, p->http_minor);
    buffer_add_text(&r->head, version);
  } else if (!r->value_at) {
    buffer_add_text(&r->head, ": ");
  }
  buffer_add_text(&r->head, "\r\n");
}

void request_add_name(request *r, const http_parser *p, const char *data, size_t size) {
  if (!r->name_at || r->value_at) {
    end_line(r, p);
    r->name_at = r->head.size;
    r->value_at = 0;
  }
  buffer_add(&r->head, data, size);
}

void request_add_value(request *r, const char *data, size_t size) {
  if (!r->value_at) {
    buffer_add_text(&r->head, ": ");
    r->value_at = r->head.size;
  }
  buffer_add(&r->head, data, size);
}

/* When the head is whole: names and values come from the parser in pieces. */
static void note_headers(request *r, const site *s) {
  const char *end_of_line = memchr(r->head.data, '\n', r->head.size);
  const char *at = end_of_line + 1, *end = r->head.data + r->head.size;
  while (at < end) {
    const char *stop = memchr(at, '\r', (size_t)(end - at)),
               *colon = memchr(at, ':', (size_t)(stop - at));
    const char *value = colon + 2, *last = stop;
    while (last > value && (last[-1] == ' ' || last[-1] == '\t')) last--;
    note_header(r, at, (size_t)(colon - at), value, (size_t)(last - value), s);
    at = stop + 2;
  }
}

/* The client's own X-Forwarded-For stays; Node.js joins the lines in their order. */
void request_end_head(request *r, const http_parser *p, const site *s, const char *peer) {
  end_line(r, p);
  note_headers(r, s);
  buffer_add_text(&r->head, "X-Forwarded-For: ");
  buffer_add_text(&r->head, peer);
  buffer_add_text(&r->head, "\r\n\r\n");
}

/* ---- the question --------------------------------------------------------------------------- */

static int hex_digit(char c) {
  const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
  return at ? (int)(at - digits) : -1;
}

/* The path, decoded as far as it is certain: of what is escaped only bytes of UTF-8. Whether
 * an escaped slash or letter is the same as a plain one differs between parts of Next.js. */
static bool decode_path(const char *text, size_t size, char *out, size_t room) {
  static const char plain[] = "-._~!$&'()*+,;=:@/";
  size_t n = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '%') {
      int high = i + 2 < size ? hex_digit(text[i + 1]) : -1,
          low = high < 8 ? -1 : hex_digit(text[i + 2]);
      if (low < 0) return false;
      c = (unsigned char)(high << 4 | low);
      i += 2;
    } else if (!(c < 0x80 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) && !(c >= '0' && c <= '9') &&
               !(c && strchr(plain, c))) {
      return false;
    }
    if (n + 1 >= room) return false;
    out[n++] = (char)c;
  }
  out[n] = '\0';
  return true;
}

/* Whether the path is spelt as Next.js spells pages. Those that begin with an underscore are
 * its own: /_not-found is one page for people, and another for an image. */
static bool is_plain(const char *path) {
  size_t n = strlen(path);
  if (n == 0 || path[0] != '/' || (n > 1 && path[n - 1] == '/')) return false;
  return !strstr(path, "//") && !strstr(path, "/.") && strncmp(path, "/_", 2) != 0 &&
         strncmp(path, "/index", 6) != 0 && !strstr(path, ".rsc");
}

/* A finished page ignores its query, but for the parameters of Next.js itself; a name
 * that is escaped may be one of them. */
static bool is_harmless_query(const char *query, size_t size) {
  static const char *const ours[] = {"_rsc", "__next", "nxt", "amp"};
  for (const char *at = query, *end = query + size; at < end; at++) {
    const char *stop = memchr(at, '&', (size_t)(end - at));
    size_t whole = (size_t)((stop ? stop : end) - at), n = 0;
    while (n < whole && at[n] != '=') n++;
    if (memchr(at, '%', n)) return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
      if (n >= strlen(ours[i]) && memcmp(at, ours[i], strlen(ours[i])) == 0) return false;
    }
    at += whole;
  }
  return true;
}

bool request_question(const request *r, const http_parser *p, const site *s, question *q) {
  const char *target = r->head.data + r->target_at;
  const char *mark = memchr(target, '?', r->target_size);
  size_t size = mark ? (size_t)(mark - target) : r->target_size;
  char raw[sizeof q->path];
  if (site_closed(s) || r->doubtful || r->hosts != 1 || p->http_major != 1 || p->http_minor != 1)
    return false;
  if (p->method != HTTP_GET && (p->method != HTTP_HEAD || r->if_none_match[0])) return false;
  if (r->if_none_match[0] && r->has_cache_control) return false;
  if (r->head.size > LARGEST_HEAD || memchr(target, '#', r->target_size)) return false;
  if (mark && !is_harmless_query(mark + 1, r->target_size - size - 1)) return false;
  if (size >= sizeof raw || !decode_path(target, size, q->path, sizeof q->path)) return false;
  memcpy(raw, target, size);
  raw[size] = '\0';
  if (!is_plain(q->path) || !site_is_free(s, q->path)) return false;
  if (strcmp(raw, q->path) != 0 && !site_is_free(s, raw)) return false;
  q->method = p->method == HTTP_HEAD ? 'H' : 'G';
  memcpy(q->accept, r->accept, sizeof q->accept);
  return true;
}

bool request_names(const request *r, nxc_slice etag) {
  const char *text = etag.data;
  if (etag.size > 2 && text[0] == 'W' && text[1] == '/')
    etag = (nxc_slice){text + 2, etag.size - 2};
  return r->if_none_match[0] && etag.size == strlen(r->if_none_match) &&
         memcmp(etag.data, r->if_none_match, etag.size) == 0;
}
