/* fuzz_model.c - random operations on a cache and on a model of what nextcache.h
 * promises, side by side. A run ends before the ring takes anything back, so
 * answers must agree exactly: verdict, bytes, and when the entry will be dead.
 *
 * Order is counted in the model as the header has it: a birth is the number of
 * marks so far, and what was marked after it is invalidated.
 */
#include "fuzz.h"

#define KEYS 5
#define TAGS 4
#define BIRTHS 3
#define SLACK_MS 2000 /* how far in the future an entry is still believed */

typedef struct marks {
  uint64_t dead, stale;
  int64_t deadline_ms; /* 0: none */
} marks;

typedef struct entry {
  bool there;
  bool perhaps; /* kept in memory alone: it may be gone at any time */
  uint32_t version;
  size_t size;
  uint64_t birth;
  int64_t created_ms, revalidate_ms, expire_ms;
  unsigned tags; /* a bit for each */
} entry;

static struct {
  entry entries[KEYS];
  marks tags[TAGS];
  uint64_t order; /* marks so far */
  uint64_t origin;
  uint32_t versions;
  struct {
    uint64_t real, order;
  } births[BIRTHS];
} m;

static nxc_cache *cache;
static nxc_options options;
static unsigned char blob[2 << 20];

static const char *const tag_names[TAGS] = {"a", "b", "_N_T_/layout", ""};
static const char *const key_names[KEYS] = {"", "k", "/a/b", "../x", "long key long key long key"};

/* ---- the model --------------------------------------------------------------------- */

typedef struct expected {
  int result;
  int64_t dead_at_ms;
} expected;

static int64_t plus(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? NXC_NEVER : sum;
}

static expected judge(const entry *e, unsigned soft) {
  bool dead = e->birth < m.origin, stale = false;
  int64_t deadline = NXC_NEVER, expires = plus(e->created_ms, e->expire_ms);

  for (unsigned i = 0; i < TAGS; i++) {
    if (!((e->tags | soft) & 1u << i)) continue;
    dead |= m.tags[i].dead > e->birth;
    if (m.tags[i].stale <= e->birth) continue;
    stale = true;
    if (m.tags[i].deadline_ms && m.tags[i].deadline_ms < deadline) deadline = m.tags[i].deadline_ms;
  }
  expected x = {NXC_OK, expires < deadline ? expires : deadline};
  if (dead || deadline <= fuzz_now_ms || expires <= fuzz_now_ms ||
      e->created_ms > plus(fuzz_now_ms, SLACK_MS)) {
    x.result = NXC_MISS;
  } else if (stale || plus(e->created_ms, e->revalidate_ms) < fuzz_now_ms) {
    x.result = NXC_STALE;
  }
  return x;
}

static void mark_model(unsigned tag, int64_t dead_after_ms, uint64_t order) {
  marks *t = &m.tags[tag];
  if (t->deadline_ms && t->deadline_ms <= fuzz_now_ms) {
    if (t->stale > t->dead) t->dead = t->stale;
    t->deadline_ms = 0;
  }
  if (dead_after_ms == 0) {
    t->dead = order;
    return;
  }
  int64_t deadline = plus(fuzz_now_ms, dead_after_ms);
  if (deadline != NXC_NEVER && (!t->deadline_ms || deadline < t->deadline_ms))
    t->deadline_ms = deadline;
  t->stale = order;
}

/* ---- operations --------------------------------------------------------------------- */

static const unsigned char *body(uint32_t version) {
  return blob + version % 251; /* tells versions apart: see LLVMFuzzerTestOneInput() */
}

static size_t tag_slices(unsigned bits, nxc_slice to[TAGS]) {
  size_t n = 0;
  for (unsigned i = 0; i < TAGS; i++) {
    if (bits & 1u << i) to[n++] = text_slice(tag_names[i]);
  }
  return n;
}

static int64_t duration(input *in) {
  switch (input_number(in, 1) % 4) {
  case 0: return NXC_NEVER;
  case 1: return (int64_t)input_number(in, 1);
  case 2: return (int64_t)input_number(in, 2) * 100;
  default: return (int64_t)(input_number(in, 8) & INT64_MAX);
  }
}

static size_t body_size(input *in) {
  uint64_t kind = input_number(in, 1);
  if (kind < 200) return kind;
  if (kind < 250) return input_number(in, 2);
  return (kind & 1 ? (1u << 20) - 300 : 1 << 20) + input_number(in, 2) % 600; /* about a segment */
}

static void op_put(input *in) {
  unsigned key = (unsigned)input_number(in, 1) % KEYS, what = (unsigned)input_number(in, 1);
  unsigned born = what >> 4 & 3;
  entry e = {.there = true,
             .version = ++m.versions,
             .size = body_size(in),
             .tags = what & 15,
             .revalidate_ms = duration(in),
             .expire_ms = duration(in)};
  uint64_t birth = 0;
  e.birth = m.order;
  if (born < BIRTHS && m.births[born].real) {
    e.birth = m.births[born].order;
    birth = m.births[born].real;
  }
  e.created_ms = fuzz_now_ms;
  if (what & 64) e.created_ms += (int64_t)input_number(in, 2) - 32768;
  nxc_slice tags[TAGS], parts[2] = {{&e.version, sizeof e.version}, {body(e.version), e.size}};
  nxc_record r = {.key = text_slice(key_names[key]),
                  .class_id = key,
                  .birth = birth,
                  .created_ms = e.created_ms,
                  .revalidate_ms = e.revalidate_ms,
                  .expire_ms = e.expire_ms,
                  .tags = tags,
                  .tag_count = tag_slices(e.tags, tags),
                  .parts = parts,
                  .part_count = 2};
  int rc = nxc_put(cache, &r);

  bool fits = e.size < (1u << 20) - 300; /* both tiers */
  if (judge(&e, 0).result == NXC_MISS) {
    CHECK(rc == NXC_BORN_DEAD, "put of what is dead: %d", rc);
    e.there = false;
  } else if (rc == NXC_MEMORY_ONLY || rc == NXC_E_TOO_LARGE) {
    CHECK(!fits, "put of %zu bytes: %d", e.size, rc);
    e.there = rc == NXC_MEMORY_ONLY;
    e.perhaps = true;
  } else {
    CHECK(rc == NXC_OK, "put: %d", rc);
  }
  m.entries[key] = e;
}

static void op_get(input *in) {
  unsigned key = (unsigned)input_number(in, 1) % KEYS, soft = (unsigned)input_number(in, 1) & 15;
  nxc_slice tags[TAGS];
  nxc_query q = {.key = text_slice(key_names[key]),
                 .class_id = 15,
                 .soft_tags = tags,
                 .soft_tag_count = tag_slices(soft, tags)};
  nxc_found found;
  entry *e = &m.entries[key];
  expected x = {NXC_MISS, NXC_NEVER};
  if (e->there) x = judge(e, soft);
  int rc = nxc_get(cache, &q, &found);

  if (rc == NXC_MISS && e->perhaps) {
    e->there = false;
    return;
  }
  CHECK(rc == x.result, "get of key %u: %d (why %d, tag %s), expected %d", key, rc, found.why,
        found.why_tag, x.result);
  if (rc == NXC_MISS) return;
  nxc_slice version = nxc_entry_part(found.entry, 0), part = nxc_entry_part(found.entry, 1);
  CHECK(version.size == sizeof e->version && memcmp(version.data, &e->version, version.size) == 0,
        "another version of key %u", key);
  CHECK(part.size == e->size && memcmp(part.data, body(e->version), part.size) == 0, "wrong bytes");
  CHECK(found.dead_at_ms == x.dead_at_ms, "dead at %lld, expected %lld",
        (long long)found.dead_at_ms, (long long)x.dead_at_ms);
  nxc_entry_unref(found.entry);
}

static void op_mark(input *in) {
  unsigned bits = (unsigned)input_number(in, 1) & 15;
  int64_t dead_after = input_number(in, 1) & 1 ? duration(in) : 0;
  nxc_slice tags[TAGS];
  size_t n = tag_slices(bits, tags);

  CHECK(nxc_mark(cache, tags, n, dead_after) == NXC_OK, "mark");
  m.order++;
  for (unsigned i = 0; i < TAGS; i++) {
    if (bits & 1u << i) mark_model(i, dead_after, m.order);
  }
}

static void op_judge(input *in) {
  unsigned born = (unsigned)input_number(in, 1) % BIRTHS, bits = (unsigned)input_number(in, 1);
  nxc_slice tags[TAGS], soft[TAGS];
  nxc_found found;
  entry e = {.birth = m.births[born].order,
             .created_ms = fuzz_now_ms - (int64_t)input_number(in, 2),
             .revalidate_ms = duration(in),
             .expire_ms = duration(in),
             .tags = bits & 15};
  nxc_record r = {.birth = m.births[born].real,
                  .created_ms = e.created_ms,
                  .revalidate_ms = e.revalidate_ms,
                  .expire_ms = e.expire_ms,
                  .tags = tags,
                  .tag_count = tag_slices(e.tags, tags)};
  if (!r.birth) return;
  expected x = judge(&e, bits >> 4);
  int rc = nxc_judge(cache, &r, soft, tag_slices(bits >> 4, soft), &found);
  CHECK(rc == x.result && !found.entry, "judge: %d, expected %d", rc, x.result);
  if (rc != NXC_MISS) CHECK(found.dead_at_ms == x.dead_at_ms, "judge: dead at");
}

static void op_reopen(void) {
  nxc_close(cache);
  CHECK(nxc_open(&cache, &options) == NXC_OK, "open");
}

static void op_clear(void) {
  CHECK(nxc_clear(cache) == NXC_OK, "clear");
  memset(m.entries, 0, sizeof m.entries);
  memset(m.tags, 0, sizeof m.tags);
  m.origin = ++m.order;
}

static void op_other(input *in) {
  unsigned what = (unsigned)input_number(in, 1);
  nxc_stats stats;
  nxc_slice key = text_slice(key_names[what % KEYS]);
  switch (what >> 5) {
  case 0: op_reopen(); break;
  case 1: op_clear(); break;
  case 2:
    CHECK(nxc_set_memory(cache, input_number(in, 2) * 64, input_number(in, 1)) == NXC_OK, "memory");
    break;
  case 3:
    CHECK(nxc_remove(cache, key) == NXC_OK, "remove");
    m.entries[what % KEYS].there = false;
    break;
  case 4: {
    CHECK(nxc_stats_get(cache, &stats) == NXC_OK && stats.disk == 1, "stats");
    CHECK(stats.memory_bytes <= stats.memory_limit_bytes || stats.memory_items == 0, "over budget");
    CHECK(stats.corrupt == 0 && stats.disk_errors == 0, "corrupt");
    char *json = nxc_stats_json(cache);
    CHECK(json, "stats as JSON");
    free(json);
    break;
  }
  case 5: fuzz_now_ms += (int64_t)input_number(in, 4) - (INT64_C(1) << 31); break;
  default: fuzz_now_ms += (int64_t)input_number(in, 1); break;
  }
}

/* From then on the ring may take what the model still has. */
static bool went_round(void) {
  nxc_stats stats;
  CHECK(nxc_stats_get(cache, &stats) == NXC_OK, "stats");
  return stats.disk_recycled > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, data + size};

  if (!blob[1]) {
    for (size_t i = 0; i < sizeof blob; i++) blob[i] = (unsigned char)(i * i % 251 + i / 251);
  }
  memset(&m, 0, sizeof m);
  m.order = 1;
  fuzz_now_ms = INT64_C(1780000000000);
  fuzz_random_reset();
  options = fuzz_options();
  options.dir = fuzz_dir();
  CHECK(nxc_open(&cache, &options) == NXC_OK, "open");
  for (unsigned steps = 0; input_left(&in) && steps < 200 && !went_round(); steps++) {
    switch (input_number(&in, 1) % 8) {
    case 0:
    case 1: op_put(&in); break;
    case 2:
    case 3: op_get(&in); break;
    case 4: op_mark(&in); break;
    case 5: {
      unsigned i = (unsigned)input_number(&in, 1) % BIRTHS;
      m.births[i].real = nxc_birth(cache);
      m.births[i].order = m.order;
      break;
    }
    case 6: op_judge(&in); break;
    default: op_other(&in); break;
    }
  }
  nxc_close(cache);
  char path[128];
  snprintf(path, sizeof path, "%s/v1", fuzz_dir());
  fuzz_remove_tree(path);
  return 0;
}
