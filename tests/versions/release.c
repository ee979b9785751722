/* release.c - a process of one release; compiled with RELEASE 1 and 2.
 *
 *   release_N commands DIR BOUND               does what standard input says, a line
 *                                              of answer for each line
 *   release_N load DIR BOUND ORACLE SLOT SEED  works at random and judges what it gets
 *
 * Only the public interface is used: it is the same in both.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "nextcache.h"
#include "oracle.h"

static nxc_cache *cache;
static int told;
static char last_told[512];

static int64_t wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void note_message(void *arg, const char *message) {
  (void)arg;
  told++;
  (void)snprintf(last_told, sizeof last_told, "%s", message);
}

static void open_cache(const char *dir, const char *bound) {
  nxc_options options;
  nxc_options_init(&options);
  options.dir = dir;
  options.memory_bytes = 1 << 20;
  options.disk_bytes = strtoull(bound, NULL, 10);
  options.tag_rows = 512;
  options.on_error = note_message;
  if (nxc_open(&cache, &options) != NXC_OK) exit(1);
}

static nxc_slice text(const char *s) {
  return (nxc_slice){s, strlen(s)};
}

static int put(const char *key, const char *tag, nxc_slice part, uint64_t birth) {
  nxc_slice tags[] = {text(tag)};
  nxc_record record = {.key = text(key),
                       .birth = birth,
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .tags = tags,
                       .tag_count = 1,
                       .parts = &part,
                       .part_count = 1};
  return nxc_put(cache, &record);
}

static int mark(const char *tag, int64_t dead_after_ms) {
  nxc_slice tags[] = {text(tag)};
  return nxc_mark(cache, tags, 1, dead_after_ms);
}

/* As a file of a build is judged: it has no birth. */
static int judge(const char *tag, int64_t created_ms) {
  nxc_slice tags[] = {text(tag)};
  nxc_found found;
  nxc_record record = {.created_ms = created_ms,
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .tags = tags,
                       .tag_count = 1};
  return nxc_judge(cache, &record, NULL, 0, &found);
}

/* ---- commands ---------------------------------------------------------------------- */

static const char *word_for(int rc) {
  switch (rc) {
  case NXC_OK: return "ok";
  case NXC_STALE: return "stale";
  case NXC_MISS: return "miss";
  case NXC_BORN_DEAD: return "born-dead";
  default: return nxc_strerror(rc);
  }
}

static void answer_get(const char *key) {
  nxc_query query = {.key = text(key)};
  nxc_found found;
  int rc = nxc_get(cache, &query, &found);
  nxc_slice part = found.entry ? nxc_entry_part(found.entry, 0) : (nxc_slice){"", 0};
  printf("%s%s%.*s\n", word_for(rc), part.size ? " " : "", (int)part.size, (const char *)part.data);
  nxc_entry_unref(found.entry);
}

static void answer(const char *verb, const char *a, const char *b, const char *c) {
  static uint64_t birth;
  nxc_stats stats;
  if (strcmp(verb, "put") == 0) {
    printf("%s\n", word_for(put(a, b, text(c), 0)));
  } else if (strcmp(verb, "begin") == 0) {
    birth = nxc_birth(cache);
    printf("ok\n");
  } else if (strcmp(verb, "finish") == 0) {
    printf("%s\n", word_for(put(a, b, text(c), birth)));
  } else if (strcmp(verb, "get") == 0) {
    answer_get(a);
  } else if (strcmp(verb, "mark") == 0) {
    printf("%s\n", word_for(mark(a, strtoll(b, NULL, 10))));
  } else if (strcmp(verb, "judge") == 0) {
    printf("%s\n", word_for(judge(a, strtoll(b, NULL, 10))));
  } else if (strcmp(verb, "clear") == 0) {
    printf("%s\n", word_for(nxc_clear(cache)));
  } else if (strcmp(verb, "limit") == 0) {
    (void)nxc_stats_get(cache, &stats);
    printf("%" PRIu64 "\n", stats.disk_limit_bytes);
  } else if (strcmp(verb, "told") == 0) {
    printf("%d %s\n", told, last_told);
  } else {
    printf("what?\n");
  }
}

static void obey(void) {
  char line[600], verb[16], a[32], b[32], c[512];
  printf("open\n");
  while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
    verb[0] = a[0] = b[0] = c[0] = '\0';
    (void)sscanf(line, "%15s %31s %31s %511s", verb, a, b, c);
    answer(verb, a, b, c);
  }
}

/* ---- load ---------------------------------------------------------------------------- */

static oracle *all;
#define MINE (all->n[RELEASE])
#define COUNT(name) atomic_fetch_add(&MINE.name, 1)

/* A value says all that is known of it; every byte of the rest follows from that. */
typedef struct value {
  uint64_t release, key, tag, born, number, size;
} value;

__attribute__((format(printf, 1, 2))) static void violation(const char *format, ...) {
  char line[300];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (COUNT(violations) < 20) dprintf(STDERR_FILENO, "# VIOLATION release %d: %s\n", RELEASE, line);
}

static uint64_t now_stamp(void) {
  return atomic_fetch_add(&all->stamp, 1);
}

static void name_tag(char name[static 16], uint64_t tag) {
  (void)snprintf(name, 16, "tag%u", (unsigned)(tag % 100));
}

static unsigned char byte_of(const value *v, uint64_t at) {
  return (unsigned char)((v->number * 31 + v->key * 7 + at) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static void load_put(uint64_t *random) {
  static unsigned char bytes[40000];
  uint64_t r = next_random(random);
  char key[16], tag[16];
  value v = {
      RELEASE, r % KEYS, r % KEYS % TAGS, 0, next_random(random), sizeof v + (r >> 20) % 30000};
  (void)snprintf(key, sizeof key, "key%u", (unsigned)v.key);
  name_tag(tag, v.tag);
  uint64_t birth = nxc_birth(cache);
  v.born = now_stamp();
  memcpy(bytes, &v, sizeof v);
  for (uint64_t i = sizeof v; i < v.size; i += 64) bytes[i] = byte_of(&v, i);
  if (r >> 60 == 0) usleep(2000); /* a slow render */
  int rc = put(key, tag, (nxc_slice){bytes, v.size}, birth);
  if (rc < 0) COUNT(failed);
  COUNT(puts);
}

static void check(const value *v, uint64_t key, const uint64_t bounds[3], int rc) {
  if (v->release != RELEASE) violation("content of release %d", (int)v->release);
  if (v->key != key) violation("key %d for %d", (int)v->key, (int)key);
  if (v->born < bounds[0]) violation("a get serves what is older than a mark");
  if (v->born < bounds[1] && rc == NXC_OK) violation("fresh, though marked stale");
  if (v->born < bounds[2]) violation("a get serves what is older than a clear");
}

static void load_get(uint64_t *random) {
  uint64_t key = next_random(random) % KEYS, tag = key % TAGS;
  char name[16];
  value v;
  nxc_found found;
  (void)snprintf(name, sizeof name, "key%u", (unsigned)key);
  const uint64_t bounds[3] = {atomic_load(&all->tags[tag].dead), atomic_load(&all->tags[tag].stale),
                              atomic_load(&all->cleared)};
  nxc_query query = {.key = text(name)};
  int rc = nxc_get(cache, &query, &found);
  COUNT(gets);
  if (!found.entry) return;
  nxc_slice part = nxc_entry_part(found.entry, 0);
  const unsigned char *bytes = part.data;
  memcpy(&v, part.data, sizeof v);
  if (part.size != v.size) violation("wrong size");
  for (uint64_t i = sizeof v; i < part.size; i += 64) {
    if (bytes[i] == byte_of(&v, i)) continue;
    violation("wrong bytes");
    break;
  }
  check(&v, key, bounds, rc);
  nxc_entry_unref(found.entry);
  COUNT(hits);
  if (rc == NXC_STALE) COUNT(stale);
}

static void load_mark(uint64_t *random) {
  uint64_t r = next_random(random), tag = r % TAGS, wall = (uint64_t)wall_ms(), stamp = now_stamp();
  bool stale = r >> 62 == 0;
  char name[16];
  name_tag(name, tag);
  if (mark(name, stale ? 3600000 : 0) != NXC_OK) {
    COUNT(failed);
    return;
  }
  if (!stale) raise_to(&all->tags[tag].dead_wall_ms, wall);
  raise_to(stale ? &all->tags[tag].stale : &all->tags[tag].dead, stamp);
  COUNT(marks);
}

static void load_judge(uint64_t *random) {
  uint64_t r = next_random(random), tag = r % TAGS;
  uint64_t marked = atomic_load(&all->tags[tag].dead_wall_ms);
  int64_t created = wall_ms() - (int64_t)((r >> 16) % 1500);
  char name[16];
  name_tag(name, tag);
  int rc = judge(name, created);
  COUNT(judged);
  if (rc == NXC_MISS) return;
  COUNT(judged_fresh);
  if (created < (int64_t)marked) violation("a file of a build older than a mark is believed");
}

static void load_clear(void) {
  uint64_t stamp = now_stamp();
  if (nxc_clear(cache) != NXC_OK) {
    COUNT(failed);
    return;
  }
  raise_to(&all->cleared, stamp);
  COUNT(clears);
}

static void check_messages(uint64_t wanted) {
  static bool got_other;
  nxc_stats stats;
  (void)nxc_stats_get(cache, &stats);
  if (!stats.disk) violation("the disk is not used: %s", last_told);
  if (stats.disk_limit_bytes != wanted) got_other = true;
  if (told > 1) violation("told %d times: %s", told, last_told);
  if (got_other && !told) violation("has another bound and was not told");
  if (told && !strstr(last_told, "asked for")) violation("told: %s", last_told);
}

static void load(char **arguments) {
  uint64_t wanted = strtoull(arguments[3], NULL, 10), seed = strtoull(arguments[6], NULL, 10);
  int slot = atoi(arguments[5]);
  bool clears = arguments[7] != NULL;
  void *map = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(arguments[4]), 0);
  if (map == MAP_FAILED) exit(1);
  all = map;
  open_cache(arguments[2], arguments[3]);
  for (unsigned turn = 0; !atomic_load(&all->processes[slot].stop); turn++) {
    uint64_t what = next_random(&seed) % 1000;
    if (what < 450) {
      load_put(&seed);
    } else if (what < 950) {
      load_get(&seed);
    } else if (what < 965) {
      load_mark(&seed);
    } else if (what < 999 || !clears || next_random(&seed) % 8) {
      load_judge(&seed);
    } else {
      load_clear();
    }
    if (turn % 64 == 0) check_messages(wanted);
  }
  check_messages(wanted);
  if (told) COUNT(told);
  COUNT(ended);
}

int main(int count, char **arguments) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count == 4 && strcmp(arguments[1], "commands") == 0) {
    open_cache(arguments[2], arguments[3]);
    obey();
  } else if (count >= 7 && strcmp(arguments[1], "load") == 0) {
    load(arguments);
  } else {
    return 2;
  }
  nxc_close(cache);
  return 0;
}
