/* test_files.c - hostile files in the cache directory, put there while it is closed:
 * 0 wrong bytes, 0 crashes, nothing outside of the directory touched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "engine.h"
#include "world.h"

/* ---- a closed cache and its files -------------------------------------------------- */

typedef struct files {
  world w;
  char v1[280], index[320], data[360];
} files;

static void find_files(files *f) {
  nxc__index *x;
  char name[48];
  (void)snprintf(f->v1, sizeof f->v1, "%s/v1", f->w.dir);
  int dir = open(f->v1, O_RDONLY | O_DIRECTORY);
  assert_true(dir >= 0);
  assert_int_equal(nxc__index_open(dir, &x), NXC_OK);
  nxc__index_data_name(x->instance, name);
  (void)snprintf(f->index, sizeof f->index, "%s/index", f->v1);
  (void)snprintf(f->data, sizeof f->data, "%s/%s", f->v1, name);
  nxc__index_close(x);
  close(dir);
}

/* A world that was used and closed. */
static void files_begin(files *f) {
  world_begin(&f->w, false);
  nxc_close(f->w.cache);
  f->w.cache = NULL;
  find_files(f);
}

static void files_check(files *f, const char *what) {
  assert_int_equal(nxc_open(&f->w.cache, &f->w.options), NXC_OK);
  world_check(&f->w, what);
  nxc_close(f->w.cache);
  f->w.cache = NULL;
}

static void files_end(files *f) {
  assert_int_equal(nxc_open(&f->w.cache, &f->w.options), NXC_OK);
  world_end(&f->w);
}

static unsigned char *read_all(const char *path, size_t *size) {
  struct stat st;
  int fd = open(path, O_RDONLY);
  assert_true(fd >= 0 && fstat(fd, &st) == 0);
  unsigned char *bytes = malloc((size_t)st.st_size + 1);
  assert_non_null(bytes);
  *size = (size_t)st.st_size;
  assert_int_equal(pread(fd, bytes, *size, 0), *size);
  close(fd);
  return bytes;
}

static void write_all(const char *path, const void *bytes, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, bytes, size, 0), size);
  close(fd);
}

static void write_byte(const char *path, size_t at, unsigned char byte) {
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
  close(fd);
}

/* ---- flipped bytes --------------------------------------------------------------------- */

/* Puts the two files back as they were: a damaged index is replaced when opened. */
typedef struct image {
  unsigned char *index, *data;
  size_t index_size, data_size;
} image;

static image image_take(const files *f) {
  image i;
  i.index = read_all(f->index, &i.index_size);
  i.data = read_all(f->data, &i.data_size);
  if (i.data_size > 64 << 10) i.data_size = 64 << 10; /* what is used of it */
  return i;
}

static void image_restore(const image *i, const files *f) {
  write_all(f->index, i->index, i->index_size);
  write_all(f->data, i->data, i->data_size);
}

static void flip(files *f, const image *i, const char *path, const unsigned char *bytes,
                 size_t at) {
  static const unsigned char masks[] = {0x01, 0x80, 0xff};
  char what[64];
  for (size_t m = 0; m < COUNT_OF(masks); m++) {
    image_restore(i, f);
    write_byte(path, at, bytes[at] ^ masks[m]);
    (void)snprintf(what, sizeof what, "byte %zu of %s ^ %02x", at, strrchr(path, '/') + 1,
                   masks[m]);
    files_check(f, what);
    if (!getenv("NXC_TEST_LONG")) break;
  }
}

/* Every byte of the header's checked part, and of its words. */
static void flips_in_the_header(void **state) {
  files f;
  (void)state;
  files_begin(&f);
  image i = image_take(&f);
  for (size_t at = 0; at < sizeof(nxc__header); at++) flip(&f, &i, f.index, i.index, at);
  image_restore(&i, &f);
  files_end(&f);
  free(i.index);
  free(i.data);
}

/* Every byte that is not 0 behind the header, and some that are. */
static void flips_in_the_index(void **state) {
  files f;
  test_random r = test_random_seed(7);
  (void)state;
  files_begin(&f);
  image i = image_take(&f);
  size_t tried = 0;
  for (size_t at = sizeof(nxc__header); at < i.index_size; at++) {
    if (!i.index[at] && test_random_below(&r, i.index_size / 300)) continue;
    flip(&f, &i, f.index, i.index, at);
    tried++;
  }
  assert_true(tried > 100);
  image_restore(&i, &f);
  files_end(&f);
  free(i.index);
  free(i.data);
}

/* Every byte of the small records and their prefixes, samples of the large one. */
static void flips_in_the_data(void **state) {
  files f;
  test_random r = test_random_seed(8);
  (void)state;
  files_begin(&f);
  image i = image_take(&f);
  for (size_t at = 0; at < i.data_size; at++) {
    if (at > 600 && test_random_below(&r, 80)) continue;
    flip(&f, &i, f.data, i.data, at);
  }
  image_restore(&i, &f);
  files_end(&f);
  free(i.index);
  free(i.data);
}

/* ---- other sizes, other files --------------------------------------------------------------- */

static void cut_and_extended(void **state) {
  (void)state;
  for (unsigned which = 0; which < 2; which++) {
    for (unsigned step = 0; step < 40; step++) {
      files f;
      files_begin(&f);
      const char *path = which ? f.data : f.index;
      size_t size;
      free(read_all(path, &size));
      static const size_t some[] = {0, 1, 8, 23, 24, 64, 100, 4095, 4096, 4097, 8192};
      size_t to = step < COUNT_OF(some) ? some[step] : size * (step - COUNT_OF(some)) / 16;
      assert_int_equal(truncate(path, (off_t)to), 0);
      files_check(&f, "another size");
      files_end(&f);
    }
  }
}

static void of_another_cache(void **state) {
  (void)state;
  for (unsigned which = 0; which < 3; which++) {
    files a, b;
    files_begin(&a);
    files_begin(&b);
    /* The other cache has other bytes under the same keys, and other marks. */
    assert_int_equal(nxc_open(&b.w.cache, &b.w.options), NXC_OK);
    for (unsigned k = 0; k < WORLD_KEYS; k++) {
      assert_int_equal(world_put(&b.w, k, 1), NXC_OK);
      b.w.old_allowed[k] = false;
      b.w.new_allowed[k] = true;
    }
    nxc_close(b.w.cache);
    size_t size;
    if (which != 1) { /* its index, under our name; without its data there is nothing */
      unsigned char *bytes = read_all(b.index, &size);
      write_all(a.index, bytes, size);
      free(bytes);
    }
    if (which != 0) { /* its data under the name of ours */
      unsigned char *bytes = read_all(b.data, &size);
      write_all(a.data, bytes, size);
      free(bytes);
    }
    files_check(&a, "of another cache");
    files_end(&a);
    files_end(&b);
  }
}

static void of_another_version(void **state) {
  files f;
  size_t size;
  (void)state;
  files_begin(&f);
  unsigned char *bytes = read_all(f.index, &size);
  nxc__header *h = (nxc__header *)(void *)bytes;
  h->version = 2;
  h->check = nxc__checksum(h, offsetof(nxc__header, check), 1);
  write_all(f.index, bytes, size);
  free(bytes);
  files_check(&f, "another version");
  files_end(&f);
}

/* ---- other kinds of file ----------------------------------------------------------------------- */

enum kind {
  KIND_FIFO,
  KIND_DIRECTORY,
  KIND_FULL_DIRECTORY,
  KIND_LINK,
  KIND_LINK_TO_DIRECTORY,
  KIND_DANGLING_LINK,
  KIND_DEVICE,
  KIND_EMPTY,
  KINDS
};

static void make_kind(const char *path, enum kind kind, const char *victim,
                      const char *victim_dir) {
  char inside[400];
  test_remove_tree(path);
  switch (kind) {
  case KIND_FIFO: assert_int_equal(mkfifo(path, 0600), 0); break;
  case KIND_FULL_DIRECTORY:
  case KIND_DIRECTORY:
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(inside, sizeof inside, "%s/kept", path);
    if (kind == KIND_FULL_DIRECTORY) write_all(inside, "kept", 4);
    break;
  case KIND_LINK: assert_int_equal(symlink(victim, path), 0); break;
  case KIND_LINK_TO_DIRECTORY: assert_int_equal(symlink(victim_dir, path), 0); break;
  case KIND_DANGLING_LINK: assert_int_equal(symlink("/nonexistent/x", path), 0); break;
  case KIND_DEVICE: assert_int_equal(symlink("/dev/zero", path), 0); break;
  case KIND_EMPTY:
  case KINDS: write_all(path, "", 0); break;
  }
}

/* In the place of index, data and v1: nothing behind a link is opened, changed or
 * removed, nobody waits at a FIFO, and the cache goes on, if only in memory. */
static void another_kind_of_file(void **state) {
  (void)state;
  for (int kind = 0; kind < KINDS; kind++) {
    for (unsigned which = 0; which < 3; which++) {
      files f;
      char victim[320], victim_dir[320], inside[360];
      size_t size;
      files_begin(&f);
      (void)snprintf(victim, sizeof victim, "%s/victim", f.w.parent);
      (void)snprintf(victim_dir, sizeof victim_dir, "%s/victims", f.w.parent);
      (void)snprintf(inside, sizeof inside, "%s/file", victim_dir);
      write_all(victim, "untouched", 9);
      assert_int_equal(mkdir(victim_dir, 0755), 0);
      write_all(inside, "untouched", 9);
      make_kind(which == 0   ? f.index
                : which == 1 ? f.data
                             : f.v1,
                (enum kind)kind, victim, victim_dir);
      test_error_count = 0;

      assert_int_equal(nxc_open(&f.w.cache, &f.w.options), NXC_OK);
      world_check(&f.w, "another kind of file");
      for (unsigned k = 0; k < WORLD_KEYS; k++) {
        int rc = world_put(&f.w, k, 1);
        nxc_stats stats = test_stats(f.w.cache);
        assert_true(rc == NXC_OK || (rc == NXC_MEMORY_ONLY && !stats.disk));
        f.w.old_allowed[k] = false;
        f.w.new_allowed[k] = f.w.new_expected[k] = true;
        if (!stats.disk) assert_int_equal(test_error_count, 1); /* said once */
      }
      world_check(&f.w, "put beside another kind of file");
      nxc_close(f.w.cache);
      f.w.cache = NULL;

      unsigned char *bytes = read_all(victim, &size);
      assert_true(size == 9 && memcmp(bytes, "untouched", 9) == 0);
      free(bytes);
      bytes = read_all(inside, &size);
      assert_true(size == 9 && memcmp(bytes, "untouched", 9) == 0);
      free(bytes);
      int entries = 0; /* nothing was made behind the link either */
      DIR *d = opendir(victim_dir);
      while (readdir(d)) entries++;
      closedir(d);
      assert_int_equal(entries, 3);
      struct stat st;
      assert_true(stat(victim_dir, &st) == 0 && (st.st_mode & 07777) == 0755);
      free(f.w.dir);
      test_dir_remove(f.w.parent);
    }
  }
}

/* Names that are not ours stay; what an earlier cache left goes. */
static void other_names(void **state) {
  files f;
  char mine[400], theirs[400];
  (void)state;
  files_begin(&f);
  (void)snprintf(theirs, sizeof theirs, "%s/notes.txt", f.v1);
  (void)snprintf(mine, sizeof mine, "%s/data-00000000000000000000000000000000", f.v1);
  write_all(theirs, "mine", 4);
  write_all(mine, "left", 4);
  write_byte(f.index, 0, 'x'); /* so that it is made anew */
  files_check(&f, "other names");
  assert_int_equal(access(theirs, F_OK), 0);
  assert_int_equal(access(mine, F_OK), -1);
  for (unsigned k = 0; k < WORLD_KEYS; k++) f.w.old_allowed[k] = false;
  files_end(&f);
}

/* The byte beside a slot says how much to read at first. It is a hint that another
 * process may be changing: whatever it says, just the record is read. */
static void every_hint_of_a_size(void **state) {
  char *dir = test_dir_make();
  nxc_options o = test_options(dir);
  static char body[400];
  (void)state;
  o.memory_bytes = 0;
  nxc_cache *c = test_open_with(&o);
  nxc__index *x = c->engine->store->index;
  for (size_t size = 280; size < sizeof body; size++) { /* two classes, each of their sizes */
    nxc_slice part = slice_of(body, size);
    nxc_record r = test_record(slice("k"), &part);
    memset(body, (int)size, size);
    assert_int_equal(nxc_put(c, &r), NXC_OK);
    size_t at = 0;
    while (!atomic_load(&x->slots[at])) at++;
    for (unsigned hint = 0; hint < 256; hint++) {
      nxc_query q = {.key = slice("k")};
      nxc_found found;
      atomic_store(&x->access[at], (unsigned char)hint);
      assert_int_equal(nxc_get(c, &q, &found), NXC_OK);
      nxc_slice got = nxc_entry_part(found.entry, 0);
      assert_int_equal(got.size, size);
      assert_memory_equal(got.data, body, size);
      nxc_entry_unref(found.entry);
    }
  }
  nxc_close(c);
  test_dir_remove(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flips_in_the_header),  cmocka_unit_test(flips_in_the_index),
      cmocka_unit_test(flips_in_the_data),    cmocka_unit_test(cut_and_extended),
      cmocka_unit_test(of_another_cache),     cmocka_unit_test(of_another_version),
      cmocka_unit_test(another_kind_of_file), cmocka_unit_test(other_names),
      cmocka_unit_test(every_hint_of_a_size),
  };
  world_in_memory();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
