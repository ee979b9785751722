/* test_error.c - every result has a text of its own; the version is one. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static const int results[] = {
#define NXC__X(name, value, text) NXC_##name,
    NXC_RESULTS(NXC__X)
#undef NXC__X
};

static void a_result_has_a_text_of_its_own(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(results); i++) {
    const char *text = nxc_strerror(results[i]);
    assert_non_null(text);
    assert_string_not_equal(text, nxc_strerror(12345));
    for (size_t j = 0; j < i; j++) assert_string_not_equal(text, nxc_strerror(results[j]));
  }
}

static void the_texts_are_those_of_the_header(void **state) {
  (void)state;
  assert_string_equal(nxc_strerror(NXC_OK), "ok");
  assert_string_equal(nxc_strerror(NXC_E_NOMEM), "out of memory");
}

static void an_unknown_result_has_a_text_too(void **state) {
  (void)state;
  assert_non_null(nxc_strerror(-1000));
  assert_non_null(nxc_strerror(1000));
}

static void errors_are_negative_and_remarks_positive(void **state) {
  (void)state;
  assert_int_equal(NXC_OK, 0);
  assert_true(NXC_STALE > 0 && NXC_MISS > 0 && NXC_MEMORY_ONLY > 0 && NXC_SUPERSEDED > 0);
  assert_true(NXC_BORN_DEAD > 0 && NXC_PENDING > 0);
  assert_true(NXC_E_INVALID < 0 && NXC_E_NOMEM < 0 && NXC_E_TOO_LARGE < 0);
  assert_true(NXC_E_IO < 0 && NXC_E_FORKED < 0 && NXC_E_FORMAT < 0 && NXC_E_NEWER < 0);
}

static void the_version_is_that_of_the_header(void **state) {
  (void)state;
  char expected[32];
  (void)snprintf(expected, sizeof expected, "%d.%d.%d", NXC_VERSION_MAJOR, NXC_VERSION_MINOR,
                 NXC_VERSION_PATCH);
  assert_string_equal(nxc_version(), expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_result_has_a_text_of_its_own),
      cmocka_unit_test(the_texts_are_those_of_the_header),
      cmocka_unit_test(an_unknown_result_has_a_text_too),
      cmocka_unit_test(errors_are_negative_and_remarks_positive),
      cmocka_unit_test(the_version_is_that_of_the_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
