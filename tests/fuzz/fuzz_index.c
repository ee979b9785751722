/* fuzz_index.c - a cache directory with arbitrary damage in its index and its
 * data, opened and used through the public API: no crash, no endless loop, and a
 * hit only with bytes that were once put under that key.
 *
 *   input: options 1 | [header bytes] | patches {where 1, which 2, how 1, value 8}
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "index.h"

#define KEYS 6
#define VERSIONS 2
#define DATA_BYTES (64u << 10) /* of the data file, as much as the template uses */
#define LARGEST_INDEX (8u << 20)

enum {                 /* bits of the options byte */
       RAW = 1,        /* the input is the index */
       HEADER = 2,     /* the first bytes are a header's */
       BREAK_SUM = 4,  /* its checksum is not repaired */
       SHORT_DATA = 8, /* the data file is cut */
       NO_DATA = 16,
       OTHER_BOUND = 32 /* opened with another bound */
};

static unsigned char *index_bytes, data_bytes[DATA_BYTES];
static size_t index_size;
static nxc__index *model; /* the template, mapped, for the places of its parts */
static uint64_t slot_places[NXC__WAYS * KEYS];
static size_t slot_count;
static bool epoch_holds; /* the damage left the epoch alone */
static char value[VERSIONS][KEYS][600];
static int directory; /* v1 */

static nxc_slice key_of(unsigned i) {
  static const char *const keys[KEYS] = {"", "/", "/posts", "/posts/1", "/posts/2", "/long"};
  return text_slice(keys[i % KEYS]);
}

static size_t value_size(unsigned key) {
  return key == KEYS - 1 ? sizeof value[0][0] : 20;
}

static int put(nxc_cache *c, unsigned key, unsigned version) {
  nxc_slice part = {value[version][key % KEYS], value_size(key % KEYS)};
  nxc_slice tags[] = {text_slice("all"), key_of(key)};
  nxc_record r = {.key = key_of(key),
                  .revalidate_ms = NXC_NEVER,
                  .expire_ms = NXC_NEVER,
                  .tags = tags,
                  .tag_count = 2,
                  .parts = &part,
                  .part_count = 1};
  return nxc_put(c, &r);
}

/* ---- the template --------------------------------------------------------------- */

static void read_file(const char *name, void *to, size_t size) {
  int fd = openat(directory, name, O_RDONLY);
  CHECK(fd >= 0, "%s: %s", name, strerror(errno));
  CHECK(pread(fd, to, size, 0) >= 0, "%s", name);
  close(fd);
}

static void make_template(void) {
  nxc_options o = fuzz_options();
  nxc_cache *c;
  struct stat st;
  char name[48];

  for (unsigned v = 0; v < VERSIONS; v++) {
    for (unsigned k = 0; k < KEYS; k++) {
      for (size_t i = 0; i < sizeof value[v][k]; i++) value[v][k][i] = (char)(i * 7 + v * 3 + k);
    }
  }
  fuzz_random_reset();
  o.dir = fuzz_dir();
  CHECK(nxc_open(&c, &o) == NXC_OK, "open");
  for (unsigned k = 0; k < KEYS; k++) CHECK(put(c, k, 0) == NXC_OK, "put");
  CHECK(put(c, 2, 1) == NXC_OK && put(c, KEYS - 1, 1) == NXC_OK, "put");
  nxc_slice tag = text_slice("/posts/1");
  CHECK(nxc_mark(c, &tag, 1, 1000) == NXC_OK && nxc_remove(c, key_of(4)) == NXC_OK, "mark");
  nxc_close(c);

  char path[128];
  snprintf(path, sizeof path, "%s/v1", fuzz_dir());
  directory = open(path, O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0 && fstatat(directory, "index", &st, 0) == 0, "%s", path);
  index_size = (size_t)st.st_size;
  index_bytes = malloc(index_size);
  CHECK(index_bytes, "memory");
  read_file("index", index_bytes, index_size);
  CHECK(nxc__index_open(directory, &model) == NXC_OK, "index");
  nxc__index_data_name(model->instance, name);
  read_file(name, data_bytes, sizeof data_bytes);
  for (size_t i = 0; i < (size_t)model->geometry.buckets * NXC__WAYS; i++) {
    if (model->slots[i] && slot_count < NXC__WAYS * KEYS) slot_places[slot_count++] = i;
  }
  CHECK(slot_count >= KEYS, "%zu slots", slot_count);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  make_template();
  return 0;
}

/* ---- damage ---------------------------------------------------------------------- */

static uint64_t changed(uint64_t old, uint64_t how, uint64_t n) {
  switch (how % 6) {
  case 0: return n;
  case 1: return old ^ UINT64_C(1) << (n % 64);
  case 2: return old + n;
  case 3: return old - n;
  case 4: return UINT64_MAX;
  default: return 0;
  }
}

static void patch(unsigned char *bytes, size_t size, size_t at, uint64_t how, uint64_t n) {
  uint64_t word;
  if (at + sizeof word > size) return;
  memcpy(&word, bytes + at, sizeof word);
  word = changed(word, how, n);
  memcpy(bytes + at, &word, sizeof word);
}

static size_t offset_of(const void *part) {
  return (size_t)((const char *)part - (const char *)model->map);
}

static void patch_one(input *in, unsigned char *index, size_t size, unsigned char *data) {
  unsigned where = (unsigned)input_number(in, 1);
  size_t which = input_number(in, 2);
  unsigned how = (unsigned)input_number(in, 1);
  uint64_t n = input_number(in, how % 6 >= 4 ? 0 : how & 128 ? 8 : 2);
  size_t bucket = slot_places[which % slot_count] / NXC__WAYS * NXC__WAYS;

  switch (where % 8) {
  case 0: /* the words of the header that change */
    if (offsetof(nxc__header, boot) + which % 48 * 8 == offsetof(nxc__header, epoch))
      epoch_holds = false;
    patch(index, size, offsetof(nxc__header, boot) + which % 48 * 8, how, n);
    break;
  case 1: patch(index, size, offset_of(model->tag_buckets) + which % 96 * 8, how, n); break;
  case 2: patch(index, size, offset_of(model->segments) + which % 16 * 8, how, n); break;
  case 3: /* a bucket that is in use */
    patch(index, size, offset_of(model->slots) + (bucket + how / 6 % NXC__WAYS) * 8, how, n);
    break;
  case 4: /* one slot's word into another slot */
    memcpy(index + offset_of(model->slots) + slot_places[which % slot_count] * 8,
           index_bytes + offset_of(model->slots) + slot_places[n % slot_count] * 8, 8);
    break;
  case 5: /* counters, or the hints beside a bucket that is in use */
    if (where & 8) {
      patch(index, size, offset_of(model->access) + bucket, how, n);
    } else {
      patch(index, size, offset_of(model->counters) + which * 8 % 4096, how, n);
    }
    break;
  case 6: patch(data, DATA_BYTES, which % 4096, how, n); break;
  default: patch(data, DATA_BYTES, which, how, n); break;
  }
}

static void write_file(const char *name, const void *bytes, size_t size, size_t length) {
  int fd = openat(directory, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0, "%s: %s", name, strerror(errno));
  CHECK(pwrite(fd, bytes, size, 0) == (ssize_t)size && ftruncate(fd, (off_t)length) == 0, "%s",
        name);
  close(fd);
}

/* The size that a header speaks of, so that not all are refused for it. */
static size_t length_for(const nxc__header *h) {
  const nxc__geometry *g = &h->geometry;
  if (g->segments > 1 << 20 || g->buckets > 1 << 20 || g->tag_buckets > 1 << 16) return index_size;
  uint64_t bytes = nxc__index_file_bytes(g);
  return bytes <= LARGEST_INDEX ? (size_t)bytes : index_size;
}

static void write_damaged(input *in, unsigned options) {
  unsigned char *index = malloc(index_size), *data = malloc(DATA_BYTES);
  size_t size = index_size, length = index_size;
  char name[48];
  CHECK(index && data, "memory");
  memcpy(index, index_bytes, index_size);
  memcpy(data, data_bytes, DATA_BYTES);

  nxc__header *h = (nxc__header *)(void *)index;
  if (options & RAW) {
    size = length = input_left(in) < index_size ? input_left(in) : index_size;
    memcpy(index, in->at, size);
    in->at += size;
  } else if (options & HEADER) {
    for (size_t i = 0; i < sizeof *h && input_left(in); i++)
      index[i] ^= (unsigned char)input_number(in, 1);
    length = length_for(h);
    if (!(options & BREAK_SUM)) h->file_bytes = length;
    if (length < size) size = length;
  }
  while (input_left(in) > 3) patch_one(in, index, index_size, data);
  if (!(options & BREAK_SUM) && size >= sizeof *h) {
    h->check = nxc__checksum(h, offsetof(nxc__header, check), h->version);
  }
  write_file("index", index, size, length);
  nxc__index_data_name(h->instance, name);
  if (!(options & NO_DATA))
    write_file(name, data, DATA_BYTES, options & SHORT_DATA ? 700 : DATA_BYTES);
  free(index);
  free(data);
}

/* ---- use ------------------------------------------------------------------------- */

static int get(nxc_cache *c, unsigned key) {
  nxc_slice soft = text_slice("soft");
  nxc_query q = {.key = key_of(key), .soft_tags = &soft, .soft_tag_count = key & 1};
  nxc_found found;
  int rc = nxc_get(c, &q, &found);

  CHECK(rc == NXC_OK || rc == NXC_STALE || rc == NXC_MISS, "get: %d", rc);
  CHECK((rc == NXC_MISS) == !found.entry, "an entry with a miss, or none with a hit");
  if (rc == NXC_MISS) return rc;
  nxc_slice part = nxc_entry_part(found.entry, 0);
  bool known = false;
  for (unsigned v = 0; v < VERSIONS; v++) {
    known |= part.size == value_size(key) && memcmp(part.data, value[v][key], part.size) == 0;
  }
  CHECK(known, "wrong bytes under key %u", key);
  nxc_entry_unref(found.entry);
  return rc;
}

/* A mark is only as good as the count of marks: where the damage moved the epoch
 * back, what was born before the damage may outlive it. Bytes are right even so. */
static void use(nxc_cache *c) {
  nxc_slice all = text_slice("all");
  nxc_stats stats;

  for (unsigned k = 0; k < KEYS; k++) (void)get(c, k);
  for (unsigned k = 0; k < KEYS; k++) {
    int rc = put(c, k, 1);
    CHECK(rc == NXC_OK || rc == NXC_MEMORY_ONLY || rc == NXC_SUPERSEDED || rc == NXC_BORN_DEAD ||
              rc == NXC_E_IO || rc == NXC_E_TOO_LARGE,
          "put: %d", rc);
    if (rc == NXC_BORN_DEAD) CHECK(get(c, k) == NXC_MISS, "born dead and served");
  }
  for (unsigned k = 0; k < KEYS; k++) (void)get(c, k);
  if (nxc_remove(c, key_of(0)) == NXC_OK) CHECK(get(c, 0) == NXC_MISS, "removed and served");
  if (nxc_mark(c, &all, 1, 0) == NXC_OK && epoch_holds) {
    for (unsigned k = 0; k < KEYS; k++) CHECK(get(c, k) == NXC_MISS, "marked and served");
  }
  CHECK(nxc_stats_get(c, &stats) == NXC_OK, "stats");
  nxc_record life = {
      .created_ms = 1, .revalidate_ms = 1, .expire_ms = 1, .tags = &all, .tag_count = 1};
  nxc_found found;
  int rc = nxc_judge(c, &life, NULL, 0, &found);
  CHECK(rc == NXC_OK || rc == NXC_STALE || rc == NXC_MISS, "judge: %d", rc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, data + size};
  unsigned options = (unsigned)input_number(&in, 1);
  nxc_options o = fuzz_options();
  nxc_cache *c;
  char path[128];

  fuzz_random_reset();
  epoch_holds = !(options & (RAW | HEADER));
  write_damaged(&in, options);
  o.dir = fuzz_dir();
  if (options & OTHER_BOUND) o.disk_bytes = 9 << 20;
  CHECK(nxc_open(&c, &o) == NXC_OK, "open");
  use(c);
  nxc_close(c);
  CHECK(nxc_open(&c, &o) == NXC_OK, "open again");
  use(c);
  /* After a clearing nothing of the damage may be left. */
  CHECK(nxc_clear(c) == NXC_OK, "clear");
  for (unsigned k = 0; k < KEYS; k++) {
    CHECK(get(c, k) == NXC_MISS, "cleared and served");
    CHECK(put(c, k, 1) == NXC_OK, "put after clearing");
    CHECK(get(c, k) == NXC_OK, "no hit after clearing");
  }
  nxc_close(c);
  snprintf(path, sizeof path, "%s/v1/index", fuzz_dir());
  unlink(path);
  /* The data files go with the next index; its creator sweeps. */
  return 0;
}
