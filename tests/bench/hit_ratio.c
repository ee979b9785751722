/* hit_ratio.c - what the memory tier keeps: 2Q beside plain LRU on the same requests.
 *
 * Through the public interface, without a disk: a miss is followed by a put, as in a
 * site. Unlike times, ratios are the same on every machine, to a tenth of a point (the
 * key of the hashes is random), so the goals are checked: 2Q is never below LRU, and at
 * 1 % of the keys at least five points above it where popularity follows Zipf's law, with
 * a crawler or without.
 *
 * The crawler goes through all keys in order, for a fifth of the requests. The drift
 * moves popularity through a tenth of the keys, or through half of them, during the run.
 */
#include <nextcache.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 20000
#define REQUESTS 400000
#define WARM_UP (REQUESTS / 4)

#include "zipf.h" /* of KEYS */

typedef struct trace {
  const char *name;
  double skew;
  bool crawler;
  int drift;          /* keys */
  double goal_points; /* above LRU at 1 % */
} trace;

static const trace traces[] = {
    {"Zipf 0.8", 0.8, false, 0, 0},
    {"Zipf 1.0", 1.0, false, 0, 5},
    {"Zipf 0.8, crawler 20 %", 0.8, true, 0, 0},
    {"Zipf 1.0, crawler 20 %", 1.0, true, 0, 5},
    {"Zipf 1.0, drift 10 %", 1.0, false, KEYS / 10, 0},
    {"Zipf 1.0, drift 50 %", 1.0, false, KEYS / 2, 0},
};

static int requests[REQUESTS];

static void make_requests(const trace *t) {
  int crawled = 0;
  zipf_begin(t->skew);
  for (int i = 0; i < REQUESTS; i++) {
    int shift = (int)((double)t->drift * i / REQUESTS);
    bool crawls = t->crawler && uniform() < 0.2;
    int key = crawls ? crawled++ % KEYS : (popular() + shift) % KEYS;
    requests[i] = (int)((unsigned)key * 7919u % KEYS); /* neighbours in rank are none in name */
  }
}

static bool ask(nxc_cache *cache, int key) {
  char name[32];
  int n = snprintf(name, sizeof name, "/products/%d", key);
  nxc_query query = {.key = {name, (size_t)n}};
  nxc_found found;
  if (nxc_get(cache, &query, &found) == NXC_OK) {
    nxc_entry_unref(found.entry);
    return true;
  }
  nxc_record record = {.key = query.key, .revalidate_ms = NXC_NEVER, .expire_ms = NXC_NEVER};
  if (nxc_put(cache, &record) < 0) exit(2);
  return false;
}

static double hit_ratio(int lru, int items) {
  nxc_options options;
  nxc_cache *cache;
  int hits = 0;
  nxc_options_init(&options);
  options.memory_bytes = UINT64_C(1) << 30; /* the items are what bounds it */
  options.memory_items = (uint64_t)items;
  options.memory_lru = lru;
  if (nxc_open(&cache, &options) != NXC_OK) exit(2);
  for (int i = 0; i < REQUESTS; i++) {
    bool hit = ask(cache, requests[i]);
    if (i >= WARM_UP) hits += hit;
  }
  nxc_close(cache);
  return 100.0 * hits / (REQUESTS - WARM_UP);
}

int main(void) {
  int missed = 0;
  printf("| trace | holds | LRU | 2Q | points |\n|---|--:|--:|--:|--:|\n");
  for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
    const trace *t = &traces[i];
    make_requests(t);
    for (int percent = 1; percent <= 10; percent += 9) {
      double lru = hit_ratio(1, KEYS * percent / 100), twoq = hit_ratio(0, KEYS * percent / 100);
      double goal = percent == 1 ? t->goal_points : 0;
      printf("| %s | %d %% | %.1f %% | %.1f %% | %+.1f |%s\n", t->name, percent, lru, twoq,
             twoq - lru, twoq - lru < goal ? " below its goal" : "");
      missed += twoq - lru < goal;
    }
  }
  return missed ? 1 : 0;
}
