/* hash.c - the one place where xxhash is called, beside its twins for vectors. */
#include "hash.h"

#include <errno.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NOT_IN_VECTORS 240      /* bytes: what XXH3 hashes without them */
#define WORTH_WIDE_VECTORS 4096 /* below it AVX2 takes no longer */

void nxc__secret_init(nxc__secret *secret, const unsigned char key[NXC__ID_SIZE]) {
  for (size_t i = 0; i < NXC__SECRET_SIZE; i += 8) {
    uint64_t word = XXH3_64bits_withSeed(key, NXC__ID_SIZE, i + 1);
    for (size_t b = 0; b < 8; b++) secret->bytes[i + b] = (unsigned char)(word >> (8 * b));
  }
}

static const void *not_null(nxc_slice s) {
  return s.size ? s.data : "";
}

nxc__hash nxc__hash_key(const nxc__secret *secret, nxc_slice key) {
  XXH128_hash_t h =
      XXH3_128bits_withSecret(not_null(key), key.size, secret->bytes, NXC__SECRET_SIZE);
  return (nxc__hash){h.low64, h.high64};
}

uint64_t nxc__hash_tag(const nxc__secret *secret, nxc_slice tag) {
  uint64_t h = XXH3_64bits_withSecret(not_null(tag), tag.size, secret->bytes, NXC__SECRET_SIZE);
  h >>= 1;
  return h ? h : 1;
}

uint64_t nxc__checksum(const void *data, size_t size, uint64_t seed) {
#ifdef NXC__HAS_AVX512
  /* VBMI2 came with the processors that no longer lower their clock for AVX-512. */
  if (size >= WORTH_WIDE_VECTORS && __builtin_cpu_supports("avx512vbmi2")) {
    return nxc__checksum_avx512(data, size, seed);
  }
#endif
#ifdef NXC__HAS_AVX2
  if (size > NOT_IN_VECTORS && __builtin_cpu_supports("avx2")) {
    return nxc__checksum_avx2(data, size, seed);
  }
#endif
  return XXH3_64bits_withSeed(data, size, seed);
}

int nxc__random(void *bytes, size_t size) {
  unsigned char *at = bytes;
  while (size) {
    ssize_t n = getrandom(at, size, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    at += n;
    size -= (size_t)n;
  }
  return 0;
}
