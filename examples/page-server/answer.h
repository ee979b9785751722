/* answer.h - answers of Next.js, kept beside the cache entries that they came from.
 *
 * An answer is an entry of the site's own cache, with the birth, the age and the tags
 * of the entry of the page: an invalidation reaches both. It holds the bytes as Next.js
 * sent them, and the key and checksum of the page's entry, and counts only while that
 * entry is the current one, and fresh.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <nextcache.h>
#include <stdbool.h>

#include "site.h"

/* A request that an answer may be kept for. Each combination has an answer of its own. */
typedef struct question {
  char method;     /* G: GET; H: HEAD; C: GET with the ETag of the current page */
  char accept[64]; /* Accept-Encoding, as it was sent, without spaces            */
  char path[1024]; /* decoded, without the query                               */
} question;

/* The answer is HEAD, then Date, Connection and Keep-Alive, which are ours, then REST. */
enum { ANSWER_HEAD, ANSWER_REST, ANSWER_ETAG, ANSWER_SOURCE, ANSWER_DIGEST, ANSWER_PARTS };

/* Pairs of entries of this process that belong together; one per thread. */
typedef struct answer_pairs {
  struct {
    uint64_t answer, source;
  } known[4096];
} answer_pairs;

/* The answer to a question, to be released with nxc_entry_unref(); NULL: ask Next.js.
 * Reads the disk where the memory tier has not got it. */
nxc_entry *answer_find(nxc_cache *cache, const site *s, answer_pairs *pairs, const question *q);

/* Keeps an answer as it came from Next.js to a request of `asked_ms`, if it is proven that
 * it belongs to the entry of a page and may be given to anybody. */
bool answer_learn(nxc_cache *cache, const site *s, answer_pairs *pairs, const question *q,
                  nxc_slice raw, int64_t asked_ms);

#endif
