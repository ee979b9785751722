/* answer.c - finding and learning answers.
 *
 * An answer is learned when
 *   - Next.js called it a hit that anybody may share, for longer than now,
 *   - it says nothing that depends on who asks: no cookie, no unknown Vary,
 *   - its body, unpacked, is a part of the page's entry: so it was made from this entry,
 *     and no rewrite or middleware put another in its place. One without a body
 *     (HEAD, 304) has the ETag of an answer that was proven in this way,
 *   - that entry is older than the request: so the headers are of this version, too.
 */
#include "answer.h"

#include <http_parser.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "buffer.h"

#define CLASS_PAGES 1
#define CLASS_ANSWERS 0  /* "other", in the words of the command line tool */
#define META_VERSION '2' /* of the addon: bindings/node/src/values.c */
#define DIGEST_BYTES 32
#define LARGEST_BODY (16u << 20)

static nxc_slice slice_of(const char *text) {
  return (nxc_slice){text, strlen(text)};
}

static bool same(nxc_slice a, nxc_slice b) {
  return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static void digest_of(const nxc_entry *entry, unsigned char out[EVP_MAX_MD_SIZE]) {
  nxc_slice bytes = nxc_entry_bytes(entry);
  EVP_Digest(bytes.data, bytes.size, out, NULL, EVP_sha256(), NULL);
}

/* Encodings are part of the key as they were asked for, and not as they were answered: how
 * Next.js chooses among them is its own business. */
static int key_of(const site *s, const question *q, char *key, size_t size) {
  return snprintf(key, size, "r:%s:%c:%s:%s", site_namespace(s), q->method, q->accept, q->path);
}

/* What is stale is left to Next.js: only a request that reaches it makes it render anew. The
 * look-up may read the disk, as nginx does: that takes less than a way to Next.js. */
static nxc_entry *fresh(nxc_cache *cache, nxc_slice key, unsigned class_id) {
  nxc_query query = {.key = key, .class_id = class_id};
  nxc_found found;
  if (nxc_get(cache, &query, &found) == NXC_OK) return found.entry;
  nxc_entry_unref(found.entry);
  return NULL;
}

/* ---- finding ------------------------------------------------------------------------- */

/* Checksums are compared once for each pair of entries. */
static bool belong_together(answer_pairs *pairs, const nxc_entry *answer, const nxc_entry *source) {
  uint64_t a = nxc_entry_id(answer), s = nxc_entry_id(source);
  size_t at = a % (sizeof pairs->known / sizeof *pairs->known);
  if (pairs->known[at].answer == a && pairs->known[at].source == s) return true;
  unsigned char digest[EVP_MAX_MD_SIZE];
  digest_of(source, digest);
  if (!same(nxc_entry_part(answer, ANSWER_DIGEST), (nxc_slice){digest, DIGEST_BYTES})) return false;
  pairs->known[at].answer = a;
  pairs->known[at].source = s;
  return true;
}

nxc_entry *answer_find(nxc_cache *cache, const site *s, answer_pairs *pairs, const question *q) {
  char key[1200];
  int size = key_of(s, q, key, sizeof key);
  nxc_entry *answer = fresh(cache, (nxc_slice){key, (size_t)size}, CLASS_ANSWERS);
  if (!answer) return NULL;
  nxc_entry *source = fresh(cache, nxc_entry_part(answer, ANSWER_SOURCE), CLASS_PAGES);
  bool current = source && belong_together(pairs, answer, source);
  nxc_entry_unref(source);
  if (current) return answer;
  nxc_entry_unref(answer);
  return NULL;
}

/* ---- reading what Next.js said ----------------------------------------------------------- */

/* An answer, taken apart. */
typedef struct reading {
  const question *question;
  buffer head, tail; /* lasting lines before Date, and behind it */
  buffer body;       /* unpacked */
  size_t head_bytes; /* of the raw answer */
  char etag[128];
  long shared_seconds; /* s-maxage; 0: not to be shared */
  bool hit, private, packed, whole;
} reading;

static bool is(const char *name, size_t size, const char *wanted) {
  return strlen(wanted) == size && strncasecmp(name, wanted, size) == 0;
}

/* Requests with these headers go to Next.js, but for the last, which is in the question. */
static bool is_known_vary(const char *value, size_t size) {
  static const char *const known[] = {
      "rsc",      "next-router-state-tree", "next-router-prefetch", "next-router-segment-prefetch",
      "next-url", "accept-encoding"};
  for (const char *at = value, *end = value + size; at < end;) {
    size_t n = 0, room = (size_t)(end - at), i = 0;
    while (n < room && at[n] != ',' && at[n] != ' ') n++;
    while (n && i < sizeof known / sizeof *known && !is(at, n, known[i])) i++;
    if (n && i == sizeof known / sizeof *known) return false;
    at += n + (n < room);
  }
  return true;
}

/* Only what Next.js lets shared caches keep; it writes this header in lower case. */
static void note_cache_control(reading *r, const char *value, size_t size) {
  char text[256];
  snprintf(text, sizeof text, "%.*s", (int)size, value);
  const char *shared = strstr(text, "s-maxage=");
  r->shared_seconds = shared ? strtol(shared + 9, NULL, 10) : 0;
  if (strstr(text, "private") || strstr(text, "no-store") || strstr(text, "no-cache"))
    r->private = true;
}

/* One line of the head, which Node.js has written; false: of this connection alone. */
static bool note_line(reading *r, const char *name, size_t size, const char *value, size_t length) {
  if (is(name, size, "date") || is(name, size, "connection") || is(name, size, "keep-alive"))
    return false;
  if (is(name, size, "x-nextjs-cache")) r->hit = is(value, length, "HIT");
  if (is(name, size, "set-cookie") || is(name, size, "age")) r->private = true;
  if (is(name, size, "vary") && !is_known_vary(value, length)) r->private = true;
  if (is(name, size, "cache-control")) note_cache_control(r, value, length);
  if (is(name, size, "etag") && length < sizeof r->etag)
    snprintf(r->etag, sizeof r->etag, "%.*s", (int)length, value);
  if (is(name, size, "content-encoding")) {
    r->packed = true;
    if (!is(value, length, "gzip") && !is(value, length, "deflate")) r->private = true;
  }
  return true;
}

/* Splits the lines at Date, where Node.js puts those of the connection: the answer is sent
 * with the same order of headers. */
static bool read_head(reading *r, nxc_slice raw) {
  const char *at = raw.data, *end = memmem(raw.data, raw.size, "\r\n\r\n", 4);
  if (!end) return false;
  r->head_bytes = (size_t)(end - at) + 4;
  buffer *lines = &r->head;
  for (bool first = true; at < end + 2; first = false) {
    const char *next = memmem(at, (size_t)(end + 2 - at), "\r\n", 2),
               *colon = memchr(at, ':', (size_t)(next - at));
    const char *value = colon ? colon + 1 : next;
    while (value < next && *value == ' ') value++;
    if (!first && !colon) return false;
    if (first || note_line(r, at, (size_t)(colon - at), value, (size_t)(next - value))) {
      buffer_add(lines, at, (size_t)(next + 2 - at));
    } else {
      lines = &r->tail;
    }
    at = next + 2;
  }
  buffer_add_text(&r->tail, "\r\n");
  return true;
}

static int take_body(http_parser *p, const char *data, size_t size) {
  buffer_add(&((reading *)p->data)->body, data, size);
  return 0;
}

static int end_head(http_parser *p) {
  return ((reading *)p->data)->question->method == 'H'; /* 1: no body follows */
}

static int end_message(http_parser *p) {
  ((reading *)p->data)->whole = true;
  return 0;
}

/* The body as it was before it was compressed; false where it is damaged or too large. */
static bool unpack(buffer *body) {
  z_stream z = {.next_in = (Bytef *)body->data, .avail_in = (uInt)body->size};
  buffer out = {0};
  char part[16384];
  int rc = inflateInit2(&z, 15 + 32); /* gzip or zlib, by its head */
  while (rc == Z_OK && out.size <= LARGEST_BODY) {
    z.next_out = (Bytef *)part;
    z.avail_out = sizeof part;
    rc = inflate(&z, Z_NO_FLUSH);
    buffer_add(&out, part, sizeof part - z.avail_out);
  }
  bool whole = rc == Z_STREAM_END && z.avail_in == 0;
  inflateEnd(&z);
  buffer_free(body);
  *body = out;
  return whole;
}

static bool read_answer(reading *r, nxc_slice raw) {
  http_parser_settings settings = {
      .on_body = take_body, .on_headers_complete = end_head, .on_message_complete = end_message};
  http_parser parser;
  if (!read_head(r, raw)) return false;
  http_parser_init(&parser, HTTP_RESPONSE);
  parser.data = r;
  if (http_parser_execute(&parser, &settings, raw.data, raw.size) != raw.size || !r->whole)
    return false;
  if (r->question->method == 'C' ? parser.status_code != 304 : parser.status_code == 304)
    return false;
  if (!r->hit || r->private || r->shared_seconds <= 0) return false;
  return !r->packed || !r->body.size || unpack(&r->body);
}

/* ---- whose it is ---------------------------------------------------------------------------- */

static size_t put_utf8(unsigned char *out, uint32_t c) {
  if (c < 0x80) return out[0] = (unsigned char)c, 1;
  if (c < 0x800)
    return out[0] = (unsigned char)(0xc0 | c >> 6), out[1] = (unsigned char)(0x80 | (c & 63)), 2;
  size_t n = c < 0x10000 ? 3 : 4;
  out[0] = (unsigned char)(n == 3 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
  if (n == 4) out[1] = (unsigned char)(0x80 | (c >> 12 & 63));
  out[n - 2] = (unsigned char)(0x80 | (c >> 6 & 63));
  out[n - 1] = (unsigned char)(0x80 | (c & 63));
  return n;
}

static uint32_t unit_at(const unsigned char *at, bool wide) {
  return wide ? (uint32_t)at[0] | (uint32_t)at[1] << 8 : *at;
}

/* Whether text in Latin-1 or UTF-16, with its padding, is this UTF-8. */
static bool is_text(nxc_slice part, bool wide, const buffer *utf8) {
  const unsigned char *text = part.data;
  size_t step = wide ? 2 : 1, size = part.size < step ? 0 : part.size - step, at = 0;
  if (size > 2 * utf8->size) return false;
  for (size_t i = 0; i + step <= size; i += step) {
    unsigned char code[4];
    uint32_t c = unit_at(text + i, wide),
             low = i + 4 <= size && wide ? unit_at(text + i + 2, true) : 0;
    if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      i += 2;
    }
    size_t n = put_utf8(code, c);
    if (utf8->size - at < n || memcmp(utf8->data + at, code, n) != 0) return false;
    at += n;
  }
  return at == utf8->size;
}

/* Whether a part of a page's entry, as the addon wrote it, is this body. */
static bool holds(const nxc_entry *source, const buffer *body) {
  nxc_record record;
  nxc_entry_read(source, &record);
  const char *meta = record.meta.data;
  if (record.meta.size != record.part_count + 1 || meta[0] != META_VERSION) return false;
  for (size_t i = 0; i < record.part_count; i++) {
    nxc_slice part = nxc_entry_part(source, i);
    bool is_it = meta[i + 1] == 'b' ? same(part, (nxc_slice){body->data, body->size})
                                    : is_text(part, meta[i + 1] == 'u', body);
    if (is_it) return true;
  }
  return false;
}

/* The entry of the page, fresh, and its key: proven by the body. */
static nxc_entry *source_by_body(nxc_cache *cache, const site *s, const reading *r, char *key,
                                 size_t size) {
  if (!r->body.size) return NULL;
  for (size_t i = 0; site_source_key(s, r->question->path, i, key, size); i++) {
    nxc_entry *source = fresh(cache, slice_of(key), CLASS_PAGES);
    if (source && holds(source, &r->body)) return source;
    nxc_entry_unref(source);
  }
  return NULL;
}

/* The same by the ETag of the answer to a GET. */
static nxc_entry *source_by_etag(nxc_cache *cache, const site *s, answer_pairs *pairs,
                                 const reading *r, char *key, size_t size) {
  question get = *r->question;
  get.method = 'G';
  nxc_entry *source = NULL, *answer = r->etag[0] ? answer_find(cache, s, pairs, &get) : NULL;
  if (answer && same(nxc_entry_part(answer, ANSWER_ETAG), slice_of(r->etag))) {
    nxc_slice named = nxc_entry_part(answer, ANSWER_SOURCE);
    snprintf(key, size, "%.*s", (int)named.size, (const char *)named.data);
    source = fresh(cache, named, CLASS_PAGES);
    if (source && !belong_together(pairs, answer, source)) {
      nxc_entry_unref(source);
      source = NULL;
    }
  }
  nxc_entry_unref(answer);
  return source;
}

/* ---- keeping ----------------------------------------------------------------------------------- */

static bool keep(nxc_cache *cache, const site *s, const reading *r, const nxc_entry *source,
                 const char *source_key) {
  char key[1200];
  unsigned char digest[EVP_MAX_MD_SIZE];
  nxc_record record;
  nxc_entry_read(source, &record);
  nxc_slice *tags = must_alloc(NULL, record.tag_count * sizeof *tags);
  for (size_t i = 0; i < record.tag_count; i++) tags[i] = nxc_entry_tag(source, i);
  digest_of(source, digest);
  const nxc_slice parts[ANSWER_PARTS] = {
      [ANSWER_HEAD] = {r->head.data, r->head.size},
      [ANSWER_REST] = {r->tail.data, r->tail.size},
      [ANSWER_ETAG] = slice_of(r->etag),
      [ANSWER_SOURCE] = slice_of(source_key),
      [ANSWER_DIGEST] = {digest, DIGEST_BYTES},
  };
  /* Pages that the build made have their lifetime in Next's manifest, not in the entry. */
  int64_t shared_ms = r->shared_seconds > INT64_MAX / 1000 ? NXC_NEVER : r->shared_seconds * 1000;
  record.key = (nxc_slice){key, (size_t)key_of(s, r->question, key, sizeof key)};
  record.class_id = CLASS_ANSWERS;
  if (shared_ms < record.revalidate_ms) record.revalidate_ms = shared_ms;
  record.tags = tags;
  record.meta = (nxc_slice){NULL, 0};
  record.parts = parts;
  record.part_count = ANSWER_PARTS;
  int result = nxc_put(cache, &record);
  free(tags);
  return result == NXC_OK || result == NXC_MEMORY_ONLY;
}

/* An entry of the same millisecond might be one that replaced what was answered. */
static bool is_older(const nxc_entry *entry, int64_t asked_ms) {
  nxc_record record;
  nxc_entry_read(entry, &record);
  return record.created_ms < asked_ms;
}

bool answer_learn(nxc_cache *cache, const site *s, answer_pairs *pairs, const question *q,
                  nxc_slice raw, int64_t asked_ms) {
  char key[2048];
  reading r = {.question = q};
  nxc_entry *source = NULL;
  bool kept = false;
  if (read_answer(&r, raw)) {
    source = q->method == 'G' ? source_by_body(cache, s, &r, key, sizeof key)
                              : source_by_etag(cache, s, pairs, &r, key, sizeof key);
  }
  if (source && is_older(source, asked_ms)) {
    buffer_add(&r.tail, (const char *)raw.data + r.head_bytes, raw.size - r.head_bytes);
    kept = keep(cache, s, &r, source, key);
  }
  nxc_entry_unref(source);
  buffer_free(&r.head);
  buffer_free(&r.tail);
  buffer_free(&r.body);
  return kept;
}
