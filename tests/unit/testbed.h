/* testbed.h - an index with its data file in a directory of its own, for the
 * tests of the layers below the cache.
 */
#ifndef NXC_TEST_TESTBED_H
#define NXC_TEST_TESTBED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "index.h"
#include "ring.h"
#include "support.h"

typedef struct testbed {
  char *path;
  int dir;
  nxc__index *index;
  nxc__ring ring;
} testbed;

static inline void testbed_build(testbed *t, const nxc__geometry *geometry) {
  nxc__plan plan = {.geometry = *geometry, .now_ms = TEST_EPOCH_MS};
  assert_int_equal(nxc__index_create(t->dir, &plan), NXC_OK);
}

static inline void testbed_map(testbed *t) {
  assert_int_equal(nxc__index_open(t->dir, &t->index), NXC_OK);
  assert_int_equal(nxc__ring_open(t->dir, t->index, &t->ring), NXC_OK);
}

static inline void testbed_unmap(testbed *t) {
  nxc__ring_close(&t->ring);
  nxc__index_close(t->index);
}

static inline void testbed_open(testbed *t, uint64_t bound_bytes, uint32_t tag_rows) {
  nxc__geometry geometry = nxc__index_geometry(bound_bytes, tag_rows);
  t->path = test_dir_make();
  t->dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(t->dir >= 0);
  testbed_build(t, &geometry);
  testbed_map(t);
}

static inline void testbed_close(testbed *t) {
  testbed_unmap(t);
  close(t->dir);
  test_dir_remove(t->path);
}

/* Set-up and tear-down of a cmocka test: 8 MB, 64 tag rows. */
static inline int on_testbed(void **state) {
  testbed *s = calloc(1, sizeof *s);
  testbed_open(s, 8 * MB, 64);
  *state = s;
  return 0;
}

static inline int off_testbed(void **state) {
  testbed_close(*state);
  free(*state);
  return 0;
}

#endif /* NXC_TEST_TESTBED_H */
