/* counters.c - the counters by name: the library's list as a table, for JSON.
 *
 * The order is that of the output. A counter that is missing here is in no output of the tool,
 * which is why the list comes from the library (NXC_METRICS) and is not written a second time.
 */
#include <string.h>

#include "cli.h"

#define AT(field) offsetof(nxc_stats, field)
#define COUNTER(field, metric, help) \
  { #field, AT(field), false, false }
#define CLASSES(field, metric, help) \
  { #field, AT(field), true, false }
#define GAUGE(field, metric, help) \
  { #field, AT(field), false, true }
#define ROW(field, kind, metric, help) kind(field, metric, help),

const cli_counter cli_counters[] = {NXC_METRICS(ROW){0}};

uint64_t cli_counter_of(const cli_counter *counter, const nxc_stats *stats, unsigned class_id) {
  uint64_t n;
  size_t at = counter->offset + (counter->by_class ? class_id * sizeof n : 0);
  memcpy(&n, (const char *)stats + at, sizeof n);
  return n;
}

uint64_t cli_sum(const uint64_t row[NXC_CLASSES]) {
  uint64_t n = 0;
  for (size_t i = 0; i < NXC_CLASSES; i++) n += row[i];
  return n;
}

static json_t *classes_json(const cli_counter *counter, const nxc_stats *stats) {
  json_t *object = json_object();
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    json_int_t n = (json_int_t)cli_counter_of(counter, stats, i);
    json_object_set_new(object, cli_class_names[i], json_integer(n));
  }
  return object;
}

json_t *cli_stats_json(const nxc_stats *stats) {
  json_t *object = json_object();
  for (const cli_counter *c = cli_counters; c->name; c++) {
    json_t *value = c->by_class ? classes_json(c, stats)
                                : json_integer((json_int_t)cli_counter_of(c, stats, 0));
    json_object_set_new(object, c->name, value);
  }
  return object;
}
