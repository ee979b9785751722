/* hash_avx2.c - the checksum once more, compiled for AVX2, which takes half the time.
 *
 * The same function of the same bytes as in hash.c, and called by that file alone,
 * on processors that have AVX2. CMake gives this file its flag; without the flag, or
 * on other machines, it is empty.
 */
#include "hash.h"

#ifdef NXC__HAS_AVX2
#ifndef __AVX2__
#error "this file is to be compiled with -mavx2"
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

/* GCC leaves the upper halves of the registers in use. The processor then pays for each
 * change between AVX and SSE code until somebody clears them: JavaScript that calls into
 * Node took twice as long, for ever. */
uint64_t nxc__checksum_avx2(const void *data, size_t size, uint64_t seed) {
  uint64_t sum = XXH3_64bits_withSeed(data, size, seed);
  _mm256_zeroupper();
  return sum;
}
#endif
