/* disk_hit_ratio.c - what the disk tier keeps, beside an LRU of the same bytes, and what
 * its second lives cost in writing.
 *
 * Zipf 1.0 over ten times as many keys as fit; a share of the requests overwrites, the
 * others get, and a miss is followed by a put, as in a site. There is no memory tier in
 * front: every request reaches the disk. The LRU is exact and simulated, with as many
 * entries as the ring has room for. Write amplification is all that was written to the
 * ring by what was put.
 *
 *   disk_hit_ratio DIRECTORY [REQUESTS]
 */
#include <errno.h>
#include <nextcache.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND (UINT64_C(256) << 20)
#define SIZE 8000
#define RECORD (SIZE + 192) /* with what a record and its place take; rounded up */
#define ROOM ((int)(BOUND / RECORD))
#define KEYS (10 * ROOM)
#define NONE (-1)

#include "zipf.h" /* of KEYS */

static unsigned char body[SIZE];

static void fail(const char *what) {
  fprintf(stderr, "disk_hit_ratio: %s: %s\n", what, strerror(errno));
  exit(2);
}

/* ---- the LRU: a list through arrays -------------------------------------------------- */

static int older[KEYS], newer[KEYS], newest, oldest, held;
static bool holds[KEYS];

static void lru_clear(void) {
  memset(holds, 0, sizeof holds);
  newest = oldest = NONE;
  held = 0;
}

static void lru_take(int key) {
  int o = older[key], n = newer[key];
  if (o != NONE) {
    newer[o] = n;
  } else {
    oldest = n;
  }
  if (n != NONE) {
    older[n] = o;
  } else {
    newest = o;
  }
  holds[key] = false;
  held--;
}

/* Whether it was there; it is the newest now. */
static bool lru_use(int key) {
  bool hit = holds[key];
  if (hit) {
    lru_take(key);
  } else if (held == ROOM) {
    lru_take(oldest);
  }
  older[key] = newest;
  newer[key] = NONE;
  if (newest != NONE) newer[newest] = key;
  newest = key;
  if (oldest == NONE) oldest = key;
  holds[key] = true;
  held++;
  return hit;
}

/* ---- the ring ----------------------------------------------------------------------- */

static void put(nxc_cache *cache, nxc_slice name) {
  nxc_slice part = {body, SIZE};
  nxc_record record = {.key = name,
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .parts = &part,
                       .part_count = 1};
  if (nxc_put(cache, &record) != NXC_OK) fail("nxc_put");
}

/* Whether it was there; it is now. */
static bool use(nxc_cache *cache, int key, bool overwrite) {
  char text[32];
  nxc_slice name = {text, (size_t)snprintf(text, sizeof text, "/products/%d", key)};
  if (!overwrite) {
    nxc_query query = {.key = name};
    nxc_found found;
    if (nxc_get(cache, &query, &found) == NXC_OK) {
      nxc_entry_unref(found.entry);
      return true;
    }
  }
  put(cache, name);
  return false;
}

static void compare(const char *root, int percent, int requests) {
  char dir[600];
  nxc_options options;
  nxc_cache *cache;
  int gets = 0, hits = 0, lru_hits = 0, puts = 0;
  nxc_stats at_begin = {0}, stats;
  snprintf(dir, sizeof dir, "%s/overwrites-%d", root, percent);
  nxc_options_init(&options);
  options.dir = dir;
  options.disk_bytes = BOUND;
  options.memory_bytes = 0;
  if (nxc_open(&cache, &options) != NXC_OK) fail("nxc_open");
  zipf_begin(1.0);
  lru_clear();
  for (int i = 0; i < requests; i++) {
    bool overwrite = uniform() * 100 < percent, counts = i >= requests / 3;
    int key = popular() * 7919 % KEYS; /* KEYS is no multiple of 7919 */
    bool hit = use(cache, key, overwrite), lru_hit = lru_use(key);
    if (i == requests / 3) nxc_stats_get(cache, &at_begin);
    if (!counts) continue;
    puts += !hit;
    gets += !overwrite;
    hits += hit;
    lru_hits += lru_hit && !overwrite;
  }
  nxc_stats_get(cache, &stats);
  double written = (double)(stats.bytes_written - at_begin.bytes_written);
  double each = (double)stats.bytes_written / (double)(stats.puts[0] + stats.disk_moved);
  printf("| %d %% | %.2f %% | %.2f %% | %+.2f | %.3f |\n", percent, 100.0 * lru_hits / gets,
         100.0 * hits / gets, 100.0 * (hits - lru_hits) / gets, written / (puts * each));
  fflush(stdout);
  nxc_close(cache);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: disk_hit_ratio DIRECTORY [REQUESTS]\n");
    return 2;
  }
  int requests = argc > 2 ? atoi(argv[2]) : 2400000;
  printf("| overwrites | LRU | disk tier | points | written by put |\n|--:|--:|--:|--:|--:|\n");
  compare(argv[1], 5, requests);
  compare(argv[1], 20, requests);
  return 0;
}
