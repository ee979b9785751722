/* history.c - half an hour of samples in memory, so that a page that is opened now has
 * plots at once, and any number of pages cost one reader.
 *
 * Counters are kept as they stand; whoever draws takes differences. So a sample that came
 * late is no spike, and a lost one no gap.
 */
#include "history.h"

#include <pthread.h>
#include <string.h>

#define SAMPLES 1800

/* By their names in cli_counters; classes are added up. */
static const char *const fields[] = {"memory_hits",      "disk_hits",     "stale_hits",
                                     "misses",           "puts",          "marks",
                                     "bytes_written",    "bytes_read",    "disk_moved",
                                     "memory_evictions", "disk_recycled", "disk_overflow"};
#define FIELDS (sizeof fields / sizeof *fields)

typedef struct sample {
  int64_t time_ms;
  bool there;
  uint64_t values[FIELDS];
} sample;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sample samples[SAMPLES]; /* number n stands at n mod SAMPLES */
static uint64_t last;           /* the number of the newest; the first is 1 */

/* Each field is the name of a counter, or this would run off the table: the names are ours. */
static uint64_t value_of(const char *field, const nxc_stats *stats) {
  uint64_t sum = 0;
  const cli_counter *c = cli_counters;
  while (strcmp(c->name, field) != 0) c++;
  for (unsigned i = 0; i < (c->by_class ? NXC_CLASSES : 1u); i++) {
    sum += cli_counter_of(c, stats, i);
  }
  return sum;
}

void cli_history_add(const nxc_stats *stats) {
  sample s = {.time_ms = cli_now_ms(), .there = stats != NULL};
  for (size_t i = 0; stats && i < FIELDS; i++) s.values[i] = value_of(fields[i], stats);
  pthread_mutex_lock(&mutex);
  samples[++last % SAMPLES] = s;
  pthread_mutex_unlock(&mutex);
}

static json_t *row_json(uint64_t number, const sample *s) {
  json_t *row = json_array();
  json_array_append_new(row, json_integer((json_int_t)number));
  json_array_append_new(row, json_integer((json_int_t)s->time_ms));
  for (size_t i = 0; s->there && i < FIELDS; i++) {
    json_array_append_new(row, json_integer((json_int_t)s->values[i]));
  }
  return row;
}

json_t *cli_history_json(uint64_t since) {
  json_t *names = json_array(), *rows = json_array();
  for (size_t i = 0; i < FIELDS; i++) json_array_append_new(names, json_string(fields[i]));
  pthread_mutex_lock(&mutex);
  /* A page of an earlier run may know a number that is still to come. */
  uint64_t oldest = last >= SAMPLES ? last - SAMPLES + 1 : 1;
  uint64_t n = since >= oldest && since <= last ? since + 1 : oldest;
  for (; n <= last; n++) json_array_append_new(rows, row_json(n, &samples[n % SAMPLES]));
  pthread_mutex_unlock(&mutex);
  return json_pack("{s:o, s:o}", "fields", names, "samples", rows);
}
