/* token_time.c - does the comparison of tokens take as long for a difference in the first
 * byte as for one in the last? Prints "same", or both times. The token is so long that a
 * comparison which ends early is thousands of times faster.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/cli/http.h"

#define LENGTH 1000000
#define ROUNDS 15

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The best of some rounds: others use the machine, too. */
static double time_of(const char *given, const char *wanted) {
  double best = 1e9;
  for (int i = 0; i < ROUNDS; i++) {
    double begin = seconds();
    if (cli_same_token(given, wanted)) abort();
    double took = seconds() - begin;
    best = took < best ? took : best;
  }
  return best;
}

int main(void) {
  char *wanted = malloc(LENGTH + 1), *first = malloc(LENGTH + 1), *last = malloc(LENGTH + 1);
  if (!wanted || !first || !last) abort();
  memset(wanted, 'a', LENGTH);
  wanted[LENGTH] = '\0';
  strcpy(first, wanted);
  strcpy(last, wanted);
  first[0] = last[LENGTH - 1] = 'b';
  if (!cli_same_token(wanted, wanted)) abort();
  const double times[] = {time_of(first, wanted), time_of(last, wanted), time_of("", wanted)};
  double least = times[0], most = times[0];
  for (int i = 1; i < 3; i++) {
    least = times[i] < least ? times[i] : least;
    most = times[i] > most ? times[i] : most;
  }
  if (most < 3 * least) {
    puts("same");
  } else {
    printf("first %.0f us, last %.0f us, empty %.0f us\n", times[0] * 1e6, times[1] * 1e6,
           times[2] * 1e6);
  }
  free(wanted), free(first), free(last);
  return 0;
}
