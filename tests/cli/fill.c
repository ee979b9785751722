/* fill.c - a program like any other that uses a cache, told what to do on stdin:
 *
 *   put CLASS KEY BYTES TAGS AGE REVALIDATE EXPIRE   TAGS: a,b or -; seconds, or -
 *   text CLASS KEY TEXT                              one part with that text
 *   many N BYTES TAG       N pages /many/0 ...
 *   get CLASS KEY
 *   mark TAG SECONDS       0: dead now; -: stale without an end
 *   remove KEY
 *   clear
 *   share READY OPEN UNSENT LAG   tells of a tier that machines share; milliseconds
 *   ready
 *
 * Each is answered by a line: hit, stale or miss for a get, else done. In KEY and TAG
 * \xNN stands for a byte. It ends with its input; a pipe that stays open keeps it
 * alive as a server would be.
 */
#include <nextcache_admin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

static nxc_cache *cache;

static void die(const char *what) {
  fprintf(stderr, "fill: %s\n", what);
  exit(2);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next word, with its escapes resolved in place. */
static nxc_slice word(void) {
  char *text = strtok(NULL, " \n");
  if (!text) die("a word is missing");
  char *to = text;
  for (char *from = text; *from;) {
    unsigned byte;
    if (sscanf(from, "\\x%2x", &byte) == 1) {
      *to++ = (char)byte;
      from += 4;
    } else {
      *to++ = *from++;
    }
  }
  return (nxc_slice){text, (size_t)(to - text)};
}

static long number(void) {
  return atol(strtok(NULL, " \n"));
}

static int64_t seconds(void) {
  const char *text = strtok(NULL, " \n");
  if (!text) die("seconds are missing");
  return strcmp(text, "-") == 0 ? NXC_NEVER : (int64_t)(atof(text) * 1000);
}

static size_t split(nxc_slice list, nxc_slice *tags) {
  size_t n = 0;
  const char *at = list.data, *end = at + list.size;
  if (list.size == 1 && *at == '-') return 0;
  while (at < end) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    if (!comma) comma = end;
    tags[n++] = (nxc_slice){at, (size_t)(comma - at)};
    at = comma + 1;
  }
  return n;
}

static void put(const nxc_record *record) {
  int rc = nxc_put(cache, record);
  if (rc != NXC_OK) fprintf(stderr, "fill: put: %s\n", nxc_strerror(rc));
}

static void do_put(void) {
  static char body[4 << 20];
  nxc_slice tags[64], part = {.data = body};
  nxc_record r = {.class_id = (unsigned)number(), .parts = &part, .part_count = 1, .tags = tags};
  r.key = word();
  part.size = (size_t)number();
  r.tag_count = split(word(), tags);
  r.created_ms = now_ms() - seconds();
  r.revalidate_ms = seconds();
  r.expire_ms = seconds();
  memset(body, 'x', part.size);
  put(&r);
}

static void do_text(void) {
  nxc_slice part;
  nxc_record r = {.class_id = (unsigned)number(), .parts = &part, .part_count = 1};
  r.revalidate_ms = r.expire_ms = NXC_NEVER;
  r.key = word();
  part = word();
  put(&r);
}

static void do_many(void) {
  static char body[1 << 20];
  char key[64];
  long n = number();
  nxc_slice part = {body, (size_t)number()}, tag = word();
  for (long i = 0; i < n; i++) {
    nxc_record r = {.class_id = 1, .parts = &part, .part_count = 1, .tags = &tag, .tag_count = 1};
    r.key = (nxc_slice){key, (size_t)snprintf(key, sizeof key, "p:build:/many/%ld", i)};
    r.revalidate_ms = r.expire_ms = DAY_MS;
    put(&r);
  }
}

static const char *do_get(void) {
  nxc_query q = {.class_id = (unsigned)number()};
  nxc_found found;
  q.key = word();
  int rc = nxc_get(cache, &q, &found);
  nxc_entry_unref(found.entry);
  return rc == NXC_OK ? "hit" : rc == NXC_STALE ? "stale" : "miss";
}

static void do_share(void) {
  nxc_remote r = {.processes = 1,
                  .gets = 100,
                  .hits = 75,
                  .bytes_in = 2048,
                  .bytes_out = 1024,
                  .p50_us = 400,
                  .p99_us = 9000};
  r.ready = (uint64_t)number();
  r.breaker_open = (uint64_t)number();
  r.unsent = (uint64_t)number();
  r.unsure_ms = (uint64_t)number();
  if (nxc_remote_tell(cache, &r) != NXC_OK) die("cannot tell");
}

/* What a command answers; the other end waits for it. */
static const char *obey(const char *command) {
  if (strcmp(command, "get") == 0) return do_get();
  if (strcmp(command, "put") == 0) {
    do_put();
  } else if (strcmp(command, "text") == 0) {
    do_text();
  } else if (strcmp(command, "many") == 0) {
    do_many();
  } else if (strcmp(command, "mark") == 0) {
    nxc_slice tag = word();
    nxc_mark(cache, &tag, 1, seconds());
  } else if (strcmp(command, "remove") == 0) {
    nxc_remove(cache, word());
  } else if (strcmp(command, "clear") == 0) {
    nxc_clear(cache);
  } else if (strcmp(command, "share") == 0) {
    do_share();
  } else if (strcmp(command, "ready") != 0) {
    die(command);
  }
  return "done";
}

static void complain(void *unused, const char *message) {
  (void)unused;
  fprintf(stderr, "fill: %s\n", message);
}

int main(int argc, char **argv) {
  char line[65536];
  nxc_options options;
  if (argc < 2) die("usage: fill DIR [MB]");
  setvbuf(stdout, NULL, _IOLBF, 0);
  nxc_options_init(&options);
  options.dir = argv[1];
  options.disk_bytes = (uint64_t)(argc > 2 ? atol(argv[2]) : 16) << 20;
  options.on_error = complain;
  if (nxc_open(&cache, &options) != NXC_OK) die("cannot open");
  while (fgets(line, sizeof line, stdin)) {
    const char *command = strtok(line, " \n");
    if (command) puts(obey(command));
  }
  nxc_close(cache);
  return 0;
}
