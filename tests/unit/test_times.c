/* test_times.c - histograms of durations: what goes in comes out, to a fifth. */
#include "times.h"

#include "support.h"
#include "testbed.h"

static void count_as(nxc__index *x, nxc__timed what, uint64_t ns, unsigned n) {
  for (unsigned i = 0; i < n; i++) nxc__time_count(x, what, nxc__time_now() - ns);
}

static void nothing_has_no_quantiles(void **state) {
  testbed *t = *state;
  nxc__times times;
  nxc__times_sum(t->index, NXC__TIMED_READ, &times);
  assert_int_equal(times.total, 0);
  assert_true(nxc__times_quantile(&times, 0.5) == 0);
}

static void a_duration_is_found_again(void **state) {
  testbed *t = *state;
  for (uint64_t ns = 5000000; ns < 3000000000; ns = ns * 3 / 2) {
    nxc__times before, after;
    nxc__times_sum(t->index, NXC__TIMED_PUT, &before);
    uint64_t begin = nxc__time_now();
    count_as(t->index, NXC__TIMED_PUT, ns, 1);
    uint64_t most = ns + (nxc__time_now() - begin); /* where somebody else had the processor */
    nxc__times_sum(t->index, NXC__TIMED_PUT, &after);
    for (int i = 0; i < NXC__TIME_WORDS; i++) after.counts[i] -= before.counts[i];
    after.total -= before.total;
    assert_int_equal(after.total, 1);
    double found = nxc__times_quantile(&after, 0.5);
    if (found < 0.8 * (double)ns || found > 1.25 * (double)most) {
      fail_msg("%llu to %llu ns: %f", (unsigned long long)ns, (unsigned long long)most, found);
    }
  }
}

static void quantiles_are_in_order(void **state) {
  testbed *t = *state;
  nxc__times times;
  count_as(t->index, NXC__TIMED_MARK, 10000000, 90);
  count_as(t->index, NXC__TIMED_MARK, 1000000000, 10);
  nxc__times_sum(t->index, NXC__TIMED_MARK, &times);
  assert_int_equal(times.total, 100);
  assert_true(nxc__times_quantile(&times, 0.5) < 13000000);
  assert_true(nxc__times_quantile(&times, 0.8) < 13000000);
  assert_true(nxc__times_quantile(&times, 0.95) > 800000000);
  assert_true(nxc__times_quantile(&times, 1) >= nxc__times_quantile(&times, 0.95));
}

static void kinds_do_not_mix(void **state) {
  testbed *t = *state;
  nxc__times times;
  count_as(t->index, NXC__TIMED_READ, 1, 3);
  count_as(t->index, NXC__TIMED_MARK, UINT64_C(1) << 50, 2); /* longer than there are classes */
  nxc__times_sum(t->index, NXC__TIMED_READ, &times);
  assert_int_equal(times.total, 3);
  nxc__times_sum(t->index, NXC__TIMED_PUT, &times);
  assert_int_equal(times.total, 0);
  nxc__times_sum(t->index, NXC__TIMED_MARK, &times);
  assert_int_equal(times.total, 2);
}

static void one_in_eight_is_timed(void **state) {
  testbed *t = *state;
  nxc__times times;
  for (int i = 0; i < 800; i++) {
    nxc__time_count(t->index, NXC__TIMED_READ, nxc__time_sometimes());
  }
  nxc__times_sum(t->index, NXC__TIMED_READ, &times);
  assert_int_equal(times.total, 100);
}

#define ON_TESTBED(test) cmocka_unit_test_setup_teardown(test, on_testbed, off_testbed)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_TESTBED(nothing_has_no_quantiles), ON_TESTBED(a_duration_is_found_again),
      ON_TESTBED(quantiles_are_in_order),   ON_TESTBED(kinds_do_not_mix),
      ON_TESTBED(one_in_eight_is_timed),
  };
  return cmocka_run_group_tests_name("times", tests, NULL, NULL);
}
