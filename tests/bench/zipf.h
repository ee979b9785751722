/* zipf.h - keys by Zipf's law: the i-th of KEYS, which the includer defines, is drawn as often
 * as (i + 1) to the power of -skew says. The same draws on every machine.
 */
#ifndef NXC_BENCH_ZIPF_H
#define NXC_BENCH_ZIPF_H

#include <math.h>
#include <stdint.h>

static double zipf_cumulated[KEYS];
static uint64_t zipf_seed;

static void zipf_begin(double skew) {
  double sum = 0;
  zipf_seed = 88172645463325252u;
  for (int i = 0; i < KEYS; i++) zipf_cumulated[i] = sum += pow(i + 1, -skew);
}

static double uniform(void) { /* xorshift, in [0, 1) */
  zipf_seed ^= zipf_seed << 13;
  zipf_seed ^= zipf_seed >> 7;
  zipf_seed ^= zipf_seed << 17;
  return (double)(zipf_seed >> 11) / 9007199254740992.0;
}

static int popular(void) {
  double u = uniform() * zipf_cumulated[KEYS - 1];
  int low = 0, high = KEYS - 1;
  while (low < high) {
    int middle = (low + high) / 2;
    if (zipf_cumulated[middle] < u) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

#endif
