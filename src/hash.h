/* hash.h - keyed hashes of keys and tags, checksums, random bytes.
 *
 * A secret belongs to one index, so that nobody outside can build keys that
 * collide; all processes of a directory share it through the index.
 */
#ifndef NXC_HASH_H
#define NXC_HASH_H

#include "nextcache.h"

#define NXC__SECRET_SIZE 192
#define NXC__ID_SIZE 16

typedef struct nxc__secret {
  unsigned char bytes[NXC__SECRET_SIZE];
} nxc__secret;

typedef struct nxc__hash {
  uint64_t lo, hi;
} nxc__hash;

/* Spreads 16 random bytes into a secret. */
void nxc__secret_init(nxc__secret *secret, const unsigned char key[NXC__ID_SIZE]);

/* 128 bits for a key: `lo` picks the place, `hi` holds the fingerprint. */
nxc__hash nxc__hash_key(const nxc__secret *secret, nxc_slice key);

/* 63 bits for a tag, never 0: the top bit is the row's own. */
uint64_t nxc__hash_tag(const nxc__secret *secret, nxc_slice tag);

uint64_t nxc__checksum(const void *data, size_t size, uint64_t seed);
/* For hash.c alone. */
uint64_t nxc__checksum_avx2(const void *data, size_t size, uint64_t seed);
uint64_t nxc__checksum_avx512(const void *data, size_t size, uint64_t seed);

/* hash * n / 2^64: a place among n, without a division. */
static inline uint32_t nxc__hash_place(uint64_t hash, uint32_t n) {
  return (uint32_t)(((unsigned __int128)hash * n) >> 64);
}

/* Fills with random bytes; 0, or -1 when the kernel has none. */
int nxc__random(void *bytes, size_t size);

#endif
