/* test_record.c - build, check, slices and reference counts of one record. */
#include "support.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

static nxc_entry *built(const nxc_record *record) {
  nxc_entry *entry = NULL;
  assert_int_equal(nxc__record_build(record, &entry), NXC_OK);
  assert_non_null(entry);
  return entry;
}

static void assert_slice(nxc_slice actual, const char *expected) {
  assert_int_equal(actual.size, strlen(expected));
  if (actual.size) assert_memory_equal(actual.data, expected, actual.size);
}

/* A record with something of everything. */
static const nxc_slice full_tags[] = {{"product:1", 9}, {"", 0}, {"all", 3}};
static const nxc_slice full_parts[] = {{"<html>", 6}, {NULL, 0}, {"{}", 2}};

static nxc_record full_record(void) {
  return (nxc_record){
      .key = slice("/products/1"),
      .class_id = 3,
      .birth = 42,
      .created_ms = TEST_EPOCH_MS,
      .revalidate_ms = 60000,
      .expire_ms = NXC_NEVER,
      .tags = full_tags,
      .tag_count = 3,
      .meta = slice("meta"),
      .parts = full_parts,
      .part_count = 3,
  };
}

static void assert_full(const nxc_entry *entry) {
  nxc_record read;
  nxc_entry_read(entry, &read);
  assert_slice(read.key, "/products/1");
  assert_slice(read.meta, "meta");
  assert_int_equal(read.class_id, 3);
  assert_int_equal(read.birth, 42);
  assert_int_equal(read.created_ms, TEST_EPOCH_MS);
  assert_int_equal(read.revalidate_ms, 60000);
  assert_true(read.expire_ms == NXC_NEVER);
  assert_int_equal(read.tag_count, 3);
  assert_int_equal(read.part_count, 3);
  assert_null(read.tags);
  assert_null(read.parts);
  assert_slice(nxc_entry_tag(entry, 0), "product:1");
  assert_slice(nxc_entry_tag(entry, 1), "");
  assert_slice(nxc_entry_tag(entry, 2), "all");
  assert_slice(nxc_entry_part(entry, 0), "<html>");
  assert_slice(nxc_entry_part(entry, 1), "");
  assert_slice(nxc_entry_part(entry, 2), "{}");
}

/* ---- building and reading --------------------------------------------------- */

static void an_empty_record_is_a_record(void **state) {
  (void)state;
  nxc_record record = test_record(slice(""), NULL);
  nxc_entry *entry = built(&record);
  nxc_slice bytes = nxc_entry_bytes(entry);
  assert_int_equal(bytes.size, sizeof(nxc__head));
  assert_true(nxc__record_check(bytes.data, bytes.size));
  nxc_record read;
  nxc_entry_read(entry, &read);
  assert_int_equal(read.key.size + read.meta.size + read.tag_count + read.part_count, 0);
  nxc_entry_unref(entry);
}

static void what_was_built_is_read(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  assert_full(entry);
  nxc_slice bytes = nxc_entry_bytes(entry);
  assert_true(nxc__record_check(bytes.data, bytes.size));
  nxc_entry_unref(entry);
}

static void the_record_is_a_copy(void **state) {
  (void)state;
  char key[] = "key", value[] = "value";
  nxc_slice part = slice(value);
  nxc_record record = test_record(slice(key), &part);
  nxc_entry *entry = built(&record);
  memset(key, 'x', 3);
  memset(value, 'x', 5);
  assert_slice(nxc_entry_part(entry, 0), "value");
  assert_true(nxc__record_has_key(entry, slice("key")));
  nxc_entry_unref(entry);
}

static void an_index_out_of_range_is_an_empty_slice(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  const size_t wrong[] = {3, 4, 65536, SIZE_MAX};
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    assert_null(nxc_entry_tag(entry, wrong[i]).data);
    assert_int_equal(nxc_entry_tag(entry, wrong[i]).size, 0);
    assert_null(nxc_entry_part(entry, wrong[i]).data);
    assert_int_equal(nxc_entry_part(entry, wrong[i]).size, 0);
  }
  nxc_entry_unref(entry);
}

static void parts_are_aligned_to_eight(void **state) {
  (void)state;
  for (size_t key_size = 0; key_size < 9; key_size++) {
    nxc_slice parts[] = {slice("a"), slice("bc"), slice("12345678"), slice("d")};
    nxc_record record = test_record(slice_of("123456789", key_size), parts);
    record.part_count = 4;
    nxc_entry *entry = built(&record);
    for (size_t i = 0; i < 4; i++) {
      assert_int_equal((uintptr_t)nxc_entry_part(entry, i).data % 8, 0);
      assert_slice(nxc_entry_part(entry, i), parts[i].data);
    }
    nxc_entry_unref(entry);
  }
}

static void a_blank_part_is_filled_in_place(void **state) {
  (void)state;
  nxc_slice parts[] = {slice("before"), {NULL, 100}, slice("after")};
  nxc_record record = test_record(slice("key"), parts);
  record.part_count = 3;
  nxc_entry *entry = built(&record);
  char *blank = nxc_entry_blank(entry, 1);
  assert_non_null(blank);
  memset(blank, 'b', 100);
  assert_slice(nxc_entry_part(entry, 0), "before");
  assert_slice(nxc_entry_part(entry, 2), "after");
  assert_int_equal(nxc_entry_part(entry, 1).size, 100);
  for (size_t i = 0; i < 100; i++) assert_int_equal(blank[i], 'b');
  assert_null(nxc_entry_blank(entry, 3));
  nxc_entry_unref(entry);
}

static void the_same_record_has_the_same_bytes(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *one = built(&record);
  /* Dirties the allocator's free blocks: padding must not be left to chance. */
  void *dirt = malloc(nxc_entry_bytes(one).size + 64);
  memset(dirt, 0xaa, nxc_entry_bytes(one).size + 64);
  free(dirt);
  nxc_entry *two = built(&record);
  assert_int_equal(nxc_entry_bytes(one).size, nxc_entry_bytes(two).size);
  assert_memory_equal(nxc_entry_bytes(one).data, nxc_entry_bytes(two).data,
                      nxc_entry_bytes(one).size);
  nxc_entry_unref(one);
  nxc_entry_unref(two);
}

static void the_most_tags_and_parts_fit(void **state) {
  (void)state;
  nxc_slice *many = calloc(65536, sizeof *many);
  for (size_t i = 0; i < 65536; i++) many[i] = slice_of("tag", i % 4);
  nxc_record record = test_record(slice("key"), many);
  record.tags = many;
  record.tag_count = record.part_count = 65535;
  nxc_entry *entry = built(&record);
  assert_int_equal(nxc_entry_tag(entry, 65534).size, 65534 % 4);
  assert_int_equal(nxc_entry_part(entry, 65534).size, 65534 % 4);
  assert_true(nxc__record_check(nxc_entry_bytes(entry).data, nxc_entry_bytes(entry).size));
  nxc_entry_unref(entry);
  record.tag_count = 65536;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  record.tag_count = 0;
  record.part_count = 65536;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  free(many);
}

static void wrong_arguments_are_refused(void **state) {
  (void)state;
  nxc_entry *entry = NULL;
  nxc_record record = full_record();
  record.class_id = NXC_CLASSES;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  record = full_record();
  record.revalidate_ms = -1;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  record = full_record();
  record.expire_ms = INT64_MIN;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  record = full_record();
  record.tags = NULL;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  record = full_record();
  record.parts = NULL;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_INVALID);
  assert_null(entry);
}

/* Sizes whose sum overflows must be refused before anything is allocated. */
static void sizes_over_four_gigabytes_are_too_large(void **state) {
  (void)state;
  nxc_entry *entry = NULL;
  const nxc_slice huge[] = {{"", SIZE_MAX}, {"", SIZE_MAX - 64}, {"", (size_t)1 << 32}};
  for (size_t i = 0; i < COUNT_OF(huge); i++) {
    nxc_record record = test_record(huge[i], NULL);
    assert_int_equal(nxc__record_build(&record, &entry), NXC_E_TOO_LARGE);
    record = test_record(slice("key"), &huge[i]);
    assert_int_equal(nxc__record_build(&record, &entry), NXC_E_TOO_LARGE);
    record = test_record(slice("key"), NULL);
    record.meta = huge[i];
    assert_int_equal(nxc__record_build(&record, &entry), NXC_E_TOO_LARGE);
    record = test_record(slice("key"), NULL);
    record.tags = &huge[i];
    record.tag_count = 1;
    assert_int_equal(nxc__record_build(&record, &entry), NXC_E_TOO_LARGE);
  }
  const nxc_slice halves[] = {{"", (size_t)1 << 31}, {"", (size_t)1 << 31}};
  nxc_record record = test_record(slice("key"), halves);
  record.part_count = 2;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_E_TOO_LARGE);
}

static void a_key_is_compared_whole(void **state) {
  (void)state;
  nxc_record record = test_record(slice_of("a\0b", 3), NULL);
  nxc_entry *entry = built(&record);
  assert_true(nxc__record_has_key(entry, slice_of("a\0b", 3)));
  assert_false(nxc__record_has_key(entry, slice_of("a\0c", 3)));
  assert_false(nxc__record_has_key(entry, slice("a")));
  assert_false(nxc__record_has_key(entry, slice_of("a\0bc", 4)));
  assert_false(nxc__record_has_key(entry, slice_of(NULL, 0)));
  nxc_entry_unref(entry);
}

/* ---- bytes from elsewhere -------------------------------------------------------- */

static void its_bytes_parse_back_to_it(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  nxc_slice bytes = nxc_entry_bytes(entry);
  /* From an odd address: a wire does not align. */
  unsigned char *wire = malloc(bytes.size + 1);
  memcpy(wire + 1, bytes.data, bytes.size);
  nxc_entry_unref(entry);
  assert_int_equal(nxc_entry_parse(slice_of(wire + 1, bytes.size), &entry), NXC_OK);
  free(wire);
  assert_full(entry);
  nxc_entry_unref(entry);
}

static void too_few_or_too_many_bytes_are_refused(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *entry = built(&record), *parsed = NULL;
  nxc_slice bytes = nxc_entry_bytes(entry);
  for (size_t size = 0; size < bytes.size; size++) {
    /* A copy of just this size, so that a sanitizer sees a read past it. */
    void *cut = malloc(size ? size : 1);
    memcpy(cut, bytes.data, size);
    assert_int_equal(nxc_entry_parse(slice_of(cut, size), &parsed), NXC_E_FORMAT);
    assert_null(parsed);
    free(cut);
  }
  void *longer = calloc(1, bytes.size + 8);
  memcpy(longer, bytes.data, bytes.size);
  for (size_t extra = 1; extra <= 8; extra++) {
    assert_int_equal(nxc_entry_parse(slice_of(longer, bytes.size + extra), &parsed), NXC_E_FORMAT);
  }
  free(longer);
  assert_int_equal(nxc_entry_parse(slice_of(NULL, 0), &parsed), NXC_E_FORMAT);
  assert_int_equal(nxc_entry_parse(bytes, NULL), NXC_E_INVALID);
  nxc_entry_unref(entry);
}

/* Reads all there is, so that a sanitizer sees a slice that points outside. */
static unsigned touch(const nxc_entry *entry) {
  nxc_slice whole = nxc_entry_bytes(entry);
  const unsigned char *begin = whole.data, *end = begin + whole.size;
  unsigned sum = 0;
  nxc_record read;
  nxc_entry_read(entry, &read);
  nxc_slice slices[64] = {read.key, read.meta};
  size_t count = 2;
  for (size_t i = 0; i < read.tag_count && count < 32; i++)
    slices[count++] = nxc_entry_tag(entry, i);
  for (size_t i = 0; i < read.part_count && count < 64; i++) {
    slices[count++] = nxc_entry_part(entry, i);
  }
  for (size_t i = 0; i < count; i++) {
    const unsigned char *at = slices[i].data;
    assert_true(slices[i].size == 0 || (at >= begin && slices[i].size <= (size_t)(end - at)));
    for (size_t j = 0; j < slices[i].size; j++) sum += at[j];
  }
  return sum;
}

static void flipped_bits_never_point_outside(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  nxc_slice bytes = nxc_entry_bytes(entry);
  unsigned char *copy = malloc(bytes.size);
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size * 8; bit++) {
    memcpy(copy, bytes.data, bytes.size);
    copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
    nxc_entry *parsed = NULL;
    int result = nxc_entry_parse(slice_of(copy, bytes.size), &parsed);
    assert_true(result == NXC_OK || result == NXC_E_FORMAT);
    if (result == NXC_OK) {
      (void)touch(parsed);
      nxc_entry_unref(parsed);
    } else {
      refused++;
    }
  }
  /* At least magic, size, version, reserved and most of the lengths. */
  assert_true(refused > (4 + 4 + 1 + 2) * 8);
  free(copy);
  nxc_entry_unref(entry);
}

static void random_heads_never_point_outside(void **state) {
  (void)state;
  test_random random = test_random_seed(20);
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  nxc_slice bytes = nxc_entry_bytes(entry);
  unsigned char *copy = malloc(bytes.size);
  for (size_t round = 0; round < 20000; round++) {
    memcpy(copy, bytes.data, bytes.size);
    /* Magic, size and version stay, or nothing behind them would be reached. */
    for (size_t i = 0; i < 4; i++) {
      size_t at = 9 + test_random_below(&random, bytes.size - 9);
      copy[at] = (unsigned char)(test_random_below(&random, 3) ? test_random_below(&random, 64)
                                                               : test_random_next(&random));
    }
    nxc_entry *parsed = NULL;
    if (nxc_entry_parse(slice_of(copy, bytes.size), &parsed) == NXC_OK) (void)touch(parsed);
    nxc_entry_unref(parsed);
  }
  free(copy);
  nxc_entry_unref(entry);
}

/* ---- counting ----------------------------------------------------------------------- */

static void every_entry_has_an_id_of_its_own(void **state) {
  (void)state;
  nxc_record record = full_record();
  nxc_entry *first = built(&record);
  uint64_t id = nxc_entry_id(first);
  assert_int_equal(nxc_entry_id(nxc_entry_ref(first)), id);
  nxc_entry_unref(first);
  nxc_entry_unref(first);
  nxc_entry *second = built(&record); /* perhaps in the very same place */
  assert_true(id && nxc_entry_id(second) && nxc_entry_id(second) != id);
  nxc_entry_unref(second);
}

/* A size hint may be off by a byte either way: what fits must lie inside the block. */
static void a_blank_fits_what_it_says(void **state) {
  (void)state;
  for (size_t hint = 100; hint < 600; hint++) {
    for (size_t size = hint - 40; size < hint + 40; size++) {
      nxc_entry *entry = nxc__record_blank(hint);
      assert_true(nxc__record_fit(&entry, size));
      assert_true(malloc_usable_size(entry) >= sizeof *entry + size);
      nxc_entry_unref(entry);
    }
  }
}

static void the_last_reference_frees(void **state) {
  (void)state;
  uint64_t before = nxc__record_live_bytes();
  nxc_record record = full_record();
  nxc_entry *entry = built(&record);
  assert_int_equal(nxc__record_live_bytes() - before, nxc__record_held_bytes(entry));
  assert_true(nxc__record_held_bytes(entry) >= nxc_entry_bytes(entry).size + sizeof(nxc_entry));
  assert_ptr_equal(nxc_entry_ref(entry), entry);
  nxc_entry_unref(entry);
  assert_true(nxc__record_live_bytes() > before);
  assert_full(entry);
  nxc_entry_unref(entry);
  assert_int_equal(nxc__record_live_bytes(), before);
  nxc_entry_unref(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_record_is_a_record),
      cmocka_unit_test(what_was_built_is_read),
      cmocka_unit_test(the_record_is_a_copy),
      cmocka_unit_test(an_index_out_of_range_is_an_empty_slice),
      cmocka_unit_test(parts_are_aligned_to_eight),
      cmocka_unit_test(a_blank_part_is_filled_in_place),
      cmocka_unit_test(the_same_record_has_the_same_bytes),
      cmocka_unit_test(the_most_tags_and_parts_fit),
      cmocka_unit_test(wrong_arguments_are_refused),
      cmocka_unit_test(sizes_over_four_gigabytes_are_too_large),
      cmocka_unit_test(a_key_is_compared_whole),
      cmocka_unit_test(its_bytes_parse_back_to_it),
      cmocka_unit_test(too_few_or_too_many_bytes_are_refused),
      cmocka_unit_test(flipped_bits_never_point_outside),
      cmocka_unit_test(random_heads_never_point_outside),
      cmocka_unit_test(every_entry_has_an_id_of_its_own),
      cmocka_unit_test(a_blank_fits_what_it_says),
      cmocka_unit_test(the_last_reference_frees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
