/* fuzz_tags.c - tag rows and floors with arbitrary words in them: every call must
 * end, and a mark that returned must condemn what was born before it, whatever
 * stood in the table.
 */
#include "fuzz.h"
#include "tags.h"

#define TAGS 6
#define BUCKETS 2

static const char *const names[TAGS] = {"", "a", "_N_T_/", "posts", "posts/1", "layout"};

static nxc__fate fate_of(const nxc__index *x, unsigned tag, const nxc__life *life) {
  nxc__fate fate;
  nxc__fate_init(&fate);
  nxc__tags_judge(x, text_slice(names[tag]), life, &fate, (int)tag);
  nxc__tags_judge_floor(x, life, true, &fate);
  return fate;
}

static int verdict(const nxc__life *life, const nxc__fate *fate, uint64_t epoch) {
  nxc_why why;
  int64_t dead_at;
  int tag;
  return nxc__verdict(life, fate, epoch, fuzz_now_ms, &why, &dead_at, &tag);
}

/* Interesting words are more likely to matter than arbitrary ones. */
static uint64_t word(input *in, const nxc__index *x) {
  uint64_t kind = input_number(in, 1), epoch = atomic_load(&x->header->epoch);
  uint64_t hash = nxc__hash_tag(&x->secret, text_slice(names[(kind >> 4) % TAGS]));
  switch (kind & 15) {
  case 0: return 0;
  case 1: return UINT64_MAX;
  case 2: return NXC__ROW_DYING;
  case 3: return hash;
  case 4: return hash | NXC__ROW_DYING;
  case 5: return epoch + (kind >> 4);
  case 6: return epoch - (kind >> 4);
  case 7: return (uint64_t)fuzz_now_ms + (kind >> 4);
  case 8: return (uint64_t)fuzz_now_ms - (kind >> 4);
  case 9: return kind >> 4;
  default: return input_number(in, 8);
  }
}

static void damage(input *in, nxc__index *x) {
  nxc__word *rows = (nxc__word *)x->tag_buckets;
  size_t words = BUCKETS * sizeof(nxc__tag_bucket) / 8;
  uint64_t at = input_number(in, 1);

  if (at < words) {
    atomic_store(&rows[at], word(in, x));
    return;
  }
  nxc__word *const header[] = {&x->header->floor, &x->header->floor_wall_ms, &x->header->origin,
                               &x->header->origin_wall_ms};
  atomic_store(header[at % 4], word(in, x));
}

static void mark(input *in, nxc__index *x) {
  unsigned tag = (unsigned)input_number(in, 1) % TAGS;
  uint64_t kind = input_number(in, 1);
  int64_t dead_after = kind % 3 == 0 ? 0 : kind % 3 == 1 ? NXC_NEVER : (int64_t)input_number(in, 8);
  nxc_slice name = text_slice(names[tag]);
  nxc__life life = {.birth = atomic_load(&x->header->epoch),
                    .created_ms = fuzz_now_ms,
                    .revalidate_ms = NXC_NEVER,
                    .expire_ms = NXC_NEVER};

  if (dead_after < 0) dead_after = 0; /* nxc_mark() refuses it */
  nxc__tags_mark(x, &name, 1, dead_after, fuzz_now_ms);
  uint64_t epoch = atomic_load(&x->header->epoch);
  CHECK(epoch > life.birth, "the epoch did not move");
  nxc__fate fate = fate_of(x, tag, &life);
  int rc = verdict(&life, &fate, epoch);
  if (dead_after == 0) CHECK(rc == NXC_MISS, "marked dead, but %d", rc);
  CHECK(rc != NXC_OK, "marked, but fresh");
  life.birth = 0; /* what has no birth is judged by the wall */
  fate = fate_of(x, tag, &life);
  CHECK(verdict(&life, &fate, epoch) != NXC_OK, "marked, but fresh by the wall");
}

static void raise(input *in, nxc__index *x) {
  bool all = input_number(in, 1) & 1;
  nxc__life life = {.birth = atomic_load(&x->header->epoch), .expire_ms = NXC_NEVER};
  nxc__tags_raise_floor(x, all, fuzz_now_ms);
  nxc__fate fate;
  nxc__fate_init(&fate);
  nxc__tags_judge_floor(x, &life, !all, &fate);
  CHECK(fate.dead, "older than the floor, but alive");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static nxc__index *x;
  static uint64_t epoch;
  input in = {data, data + size};

  if (!x) {
    fuzz_random_reset();
    CHECK(nxc__index_anonymous(BUCKETS * NXC__WAYS, fuzz_now_ms, &x) == NXC_OK, "index");
    epoch = atomic_load(&x->header->epoch);
  }
  nxc__header *h = x->header;
  memset((void *)x->tag_buckets, 0, BUCKETS * sizeof(nxc__tag_bucket));
  atomic_store(&h->epoch, epoch);
  atomic_store(&h->floor, epoch);
  atomic_store(&h->origin, epoch);
  atomic_store(&h->floor_wall_ms, 0);
  atomic_store(&h->origin_wall_ms, 0);
  fuzz_now_ms = INT64_C(1780000000000);
  while (input_left(&in)) {
    switch (input_number(&in, 1) % 8) {
    case 0:
    case 1:
    case 2:
    case 3: damage(&in, x); break;
    case 4:
    case 5: mark(&in, x); break;
    case 6: raise(&in, x); break;
    default: fuzz_now_ms += (int64_t)input_number(&in, 2) - 32768; break;
    }
  }
  return 0;
}
