/* fuzz_record.c - arbitrary bytes as a record: nothing but a well-formed record
 * may be accepted, and every accessor must stay inside of it.
 */
#include "fuzz.h"
#include "record.h"

static volatile unsigned char sink;

/* Reads each byte, so that AddressSanitizer sees a slice that reaches outside. */
static void touch(nxc_slice whole, nxc_slice s) {
  const unsigned char *from = whole.data, *at = s.data;
  CHECK(s.size == 0 || (at >= from && at + s.size <= from + whole.size),
        "a slice leaves the record");
  for (size_t i = 0; i < s.size; i++) sink ^= at[i];
}

static int same(nxc_slice a, nxc_slice b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* What was read must build a record that reads the same. */
static void rebuild(nxc_cache *cache, nxc_entry *e, const nxc_record *r) {
  static nxc_slice tags[UINT16_MAX], parts[UINT16_MAX];
  nxc_record copy = *r, again;
  nxc_entry *twin;

  for (size_t i = 0; i < r->tag_count; i++) tags[i] = nxc_entry_tag(e, i);
  for (size_t i = 0; i < r->part_count; i++) parts[i] = nxc_entry_part(e, i);
  copy.tags = tags;
  copy.parts = parts;
  if (!copy.birth || !copy.created_ms) return; /* 0 asks for "now" */
  CHECK(nxc_entry_create(cache, &copy, &twin) == NXC_OK, "a record that was read cannot be built");
  nxc_entry_read(twin, &again);
  CHECK(same(again.key, r->key) && same(again.meta, r->meta), "key or meta changed");
  CHECK(again.class_id == r->class_id && again.birth == r->birth &&
            again.created_ms == r->created_ms && again.revalidate_ms == r->revalidate_ms &&
            again.expire_ms == r->expire_ms && again.tag_count == r->tag_count &&
            again.part_count == r->part_count,
        "numbers changed");
  for (size_t i = 0; i < r->tag_count; i++) CHECK(same(tags[i], nxc_entry_tag(twin, i)), "tag");
  for (size_t i = 0; i < r->part_count; i++) CHECK(same(parts[i], nxc_entry_part(twin, i)), "part");
  CHECK(nxc__record_check(twin->record, twin->record->size), "a built record is not well-formed");
  nxc_entry_unref(twin);
}

/* And it must be a cache entry like any other. */
static void store_it(nxc_cache *cache, nxc_entry *e, const nxc_record *r) {
  nxc_query q = {.key = r->key, .class_id = r->class_id};
  nxc_found found;
  int put = nxc_put_entry(cache, e);
  int got = nxc_get(cache, &q, &found);
  CHECK(put >= 0 || put == NXC_E_TOO_LARGE || put == NXC_E_INVALID, "put: %s", nxc_strerror(put));
  CHECK(put != NXC_BORN_DEAD || got == NXC_MISS, "born dead and served");
  if (got == NXC_OK || got == NXC_STALE) {
    CHECK(same(nxc_entry_bytes(found.entry), nxc_entry_bytes(e)), "another record came back");
    nxc_entry_unref(found.entry);
  }
  CHECK(nxc_remove(cache, r->key) == NXC_OK, "remove");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static nxc_cache *cache;
  nxc_entry *e = NULL;
  nxc_record r;

  if (!cache) {
    nxc_options o = fuzz_options();
    CHECK(nxc_open(&cache, &o) == NXC_OK, "open");
  }
  int rc = nxc_entry_parse((nxc_slice){data, size}, &e);
  CHECK(rc == NXC_OK || rc == NXC_E_FORMAT, "parse: %d", rc);
  if (rc != NXC_OK) return 0;
  nxc_slice whole = nxc_entry_bytes(e);
  CHECK(whole.size == size && memcmp(whole.data, data, size) == 0, "the bytes changed");
  nxc_entry_read(e, &r);
  touch(whole, r.key);
  touch(whole, r.meta);
  for (size_t i = 0; i <= r.tag_count; i++) touch(whole, nxc_entry_tag(e, i));
  for (size_t i = 0; i <= r.part_count; i++) {
    nxc_slice part = nxc_entry_part(e, i);
    touch(whole, part);
    CHECK(nxc_entry_blank(e, i) == part.data, "blank");
  }
  CHECK(!nxc_entry_part(e, SIZE_MAX).data && !nxc_entry_tag(e, SIZE_MAX).data, "out of range");
  rebuild(cache, e, &r);
  store_it(cache, e, &r);
  nxc_entry_unref(e);
  return 0;
}

/* Most inputs would fail at the magic or the size: one in two gets them right. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 2 == 0 || size < sizeof(nxc__head)) return size;
  nxc__head head;
  memcpy(&head, data, sizeof head);
  head.magic = NXC__RECORD_MAGIC;
  head.size = (uint32_t)size;
  head.version = NXC__RECORD_VERSION;
  head.class_id &= 15;
  head.reserved = 0;
  head.created_ms &= INT64_MAX;
  head.revalidate_ms &= INT64_MAX;
  head.expire_ms &= INT64_MAX;
  if (seed % 4 == 1) {
    head.tag_count &= 3;
    head.part_count &= 3;
    head.key_size &= 31;
    head.meta_size &= 31;
    memcpy(data, &head, sizeof head);
    /* The last end is made to fit, so that the whole can be right. */
    size_t ends = (size_t)head.tag_count + head.part_count;
    size_t body = sizeof head + 4 * ends + head.key_size + head.meta_size;
    if (ends && body <= size) {
      uint32_t last = (uint32_t)(size - body);
      if (head.part_count) last = (uint32_t)(size - ((body + 7) & ~(size_t)7));
      memcpy(data + sizeof head + 4 * (ends - 1), &last, sizeof last);
    }
    return size;
  }
  memcpy(data, &head, sizeof head);
  return size;
}
