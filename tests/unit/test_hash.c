/* test_hash.c - keyed, stable, well spread. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static nxc__secret secret_of(unsigned char first) {
  unsigned char key[NXC__ID_SIZE] = {first};
  nxc__secret secret;
  nxc__secret_init(&secret, key);
  return secret;
}

static void the_same_key_and_secret_give_the_same_hash(void **state) {
  (void)state;
  nxc__secret one = secret_of(1), again = secret_of(1);
  assert_memory_equal(&one, &again, sizeof one);
  nxc__hash a = nxc__hash_key(&one, slice("/products/1"));
  nxc__hash b = nxc__hash_key(&again, slice("/products/1"));
  assert_true(a.lo == b.lo && a.hi == b.hi);
  assert_true(nxc__hash_tag(&one, slice("product:1")) == nxc__hash_tag(&again, slice("product:1")));
}

static void another_secret_gives_another_hash(void **state) {
  (void)state;
  nxc__secret one = secret_of(1), two = secret_of(2);
  nxc__hash a = nxc__hash_key(&one, slice("/products/1"));
  nxc__hash b = nxc__hash_key(&two, slice("/products/1"));
  assert_true(a.lo != b.lo && a.hi != b.hi);
  assert_true(nxc__hash_tag(&one, slice("t")) != nxc__hash_tag(&two, slice("t")));
}

/* Keys of every length that xxhash treats by a path of its own. */
static void every_byte_of_a_key_counts(void **state) {
  (void)state;
  nxc__secret secret = secret_of(1);
  unsigned char key[300] = {0};
  for (size_t size = 1; size <= sizeof key; size += 7) {
    nxc__hash before = nxc__hash_key(&secret, slice_of(key, size));
    for (size_t i = 0; i < size; i += 5) {
      key[i] ^= 1;
      nxc__hash after = nxc__hash_key(&secret, slice_of(key, size));
      assert_true(before.lo != after.lo && before.hi != after.hi);
      key[i] ^= 1;
    }
    assert_true(nxc__hash_key(&secret, slice_of(key, size - 1)).lo != before.lo);
  }
}

static void an_empty_key_needs_no_data(void **state) {
  (void)state;
  nxc__secret secret = secret_of(1);
  nxc__hash with = nxc__hash_key(&secret, slice_of("x", 0));
  nxc__hash without = nxc__hash_key(&secret, slice_of(NULL, 0));
  assert_true(with.lo == without.lo && with.hi == without.hi);
  assert_true(nxc__hash_tag(&secret, slice_of(NULL, 0)) != 0);
}

static void a_tag_hash_leaves_the_top_bit_and_zero_free(void **state) {
  (void)state;
  nxc__secret secret = secret_of(7);
  for (unsigned i = 0; i < 10000; i++) {
    uint64_t hash = nxc__hash_tag(&secret, slice_of(&i, sizeof i));
    assert_true(hash != 0);
    assert_true(hash >> 63 == 0);
  }
}

/* 64 places, 64 000 keys: each place is within 15 % of its share (more than
 * five standard deviations would fail a good hash once in ten thousand runs,
 * and this one is fixed by its secret). */
static void places_are_in_range_and_evenly_used(void **state) {
  (void)state;
  enum { PLACES = 64, KEYS = 64000 };
  unsigned used[PLACES] = {0};
  nxc__secret secret = secret_of(3);
  for (unsigned i = 0; i < KEYS; i++) {
    char key[32];
    int length = snprintf(key, sizeof key, "/products/%u", i);
    uint32_t place =
        nxc__hash_place(nxc__hash_key(&secret, slice_of(key, (size_t)length)).lo, PLACES);
    assert_in_range(place, 0, PLACES - 1);
    used[place]++;
  }
  for (unsigned i = 0; i < PLACES; i++) assert_in_range(used[i], 850, 1150);
}

static void the_ends_of_the_hash_space_are_the_ends_of_the_places(void **state) {
  (void)state;
  assert_int_equal(nxc__hash_place(0, 1000), 0);
  assert_int_equal(nxc__hash_place(UINT64_MAX, 1000), 999);
  assert_int_equal(nxc__hash_place(UINT64_MAX, 1), 0);
}

static void a_checksum_depends_on_bytes_size_and_seed(void **state) {
  (void)state;
  const char bytes[] = "some bytes to be summed";
  uint64_t sum = nxc__checksum(bytes, sizeof bytes, 1);
  assert_true(sum == nxc__checksum(bytes, sizeof bytes, 1));
  assert_true(sum != nxc__checksum(bytes, sizeof bytes, 2));
  assert_true(sum != nxc__checksum(bytes, sizeof bytes - 1, 1));
  assert_true(sum != nxc__checksum("some bytes to be summeD", sizeof bytes, 1));
}

/* Files are read by processors that have other vectors than those that wrote them. */
static void every_processor_finds_the_same_checksum(void **state) {
  (void)state;
  static unsigned char bytes[70000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 2654435761u >> 13);
  for (size_t size = 0; size < sizeof bytes; size += 1 + size / 16) {
    const unsigned char *at = bytes + size % 64;
    if (size + 64 > sizeof bytes) break;
    assert_true(nxc__checksum(at, size, size + 1) == XXH3_64bits_withSeed(at, size, size + 1));
  }
}

static void random_fills_what_was_asked_and_no_more(void **state) {
  (void)state;
  unsigned char one[64] = {0}, two[64] = {0}, zero[32] = {0};
  assert_int_equal(nxc__random(one, 32), 0);
  assert_int_equal(nxc__random(two, 32), 0);
  assert_memory_not_equal(one, two, 32);
  assert_memory_equal(one + 32, zero, 32);
  assert_int_equal(nxc__random(one, 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_key_and_secret_give_the_same_hash),
      cmocka_unit_test(another_secret_gives_another_hash),
      cmocka_unit_test(every_byte_of_a_key_counts),
      cmocka_unit_test(an_empty_key_needs_no_data),
      cmocka_unit_test(a_tag_hash_leaves_the_top_bit_and_zero_free),
      cmocka_unit_test(places_are_in_range_and_evenly_used),
      cmocka_unit_test(the_ends_of_the_hash_space_are_the_ends_of_the_places),
      cmocka_unit_test(a_checksum_depends_on_bytes_size_and_seed),
      cmocka_unit_test(every_processor_finds_the_same_checksum),
      cmocka_unit_test(random_fills_what_was_asked_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
