/* fuzz.h - what the fuzz targets share: a reader of their input, a directory in
 * memory, a clock and a source of "random" bytes that only the target moves, so
 * that an input does the same each time it is run.
 */
#ifndef NXC_FUZZ_H
#define NXC_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nextcache.h"

/* A broken promise: told in one line, and the input is kept by libFuzzer. */
#define CHECK(condition, ...)                                                 \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                           \
      fputc('\n', stderr);                                                    \
      abort();                                                                \
    }                                                                         \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* ---- the input; beyond its end everything is 0 ---------------------------------- */

typedef struct input {
  const uint8_t *at, *end;
} input;

static inline size_t input_left(const input *in) {
  return (size_t)(in->end - in->at);
}

static inline uint64_t input_number(input *in, size_t bytes) {
  uint64_t n = 0;
  for (size_t i = 0; i < bytes && in->at < in->end; i++) n |= (uint64_t)*in->at++ << (8 * i);
  return n;
}

/* ---- surroundings (fuzz.c) ---------------------------------------------------------- */

extern int64_t fuzz_now_ms;

/* The directory of this process, below /dev/shm where there is one; removed when
 * the process ends. */
const char *fuzz_dir(void);
/* Removes whatever stands below the path, and the path. */
void fuzz_remove_tree(const char *path);
/* Begins the same sequence of "random" bytes again. */
void fuzz_random_reset(void);
/* Options with the fuzzer's clock; no directory yet. */
nxc_options fuzz_options(void);

static inline nxc_slice text_slice(const char *text) {
  return (nxc_slice){text, strlen(text)};
}

#endif
