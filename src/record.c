/* record.c - builds and reads records, and counts their references.
 *
 *   head | ends: u32 x (tags + parts) | key | meta | tags | pad | part | pad | part ...
 *
 * `ends` holds where each tag ends, counted from the first tag's first byte,
 * and where each part ends, counted from the first part's. A part starts at the
 * next multiple of 8 after the one before it, so that two-byte text is aligned.
 * A record that passed nxc__record_check() is never checked again.
 */
#include "record.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(nxc__head) == 56, "the head is a format, not a struct");
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records are little-endian"
#endif

static _Atomic uint64_t live_bytes;
static _Atomic uint64_t last_id;

static uint64_t align8(uint64_t n) {
  return (n + 7) & ~UINT64_C(7);
}

static const unsigned char *bytes_of(const nxc__head *h) {
  return (const unsigned char *)h;
}

static const uint32_t *ends_of(const nxc__head *h) {
  return (const uint32_t *)(const void *)(bytes_of(h) + sizeof *h);
}

static uint64_t key_offset(const nxc__head *h) {
  return sizeof *h + 4 * ((uint64_t)h->tag_count + h->part_count);
}

static uint64_t tags_offset(const nxc__head *h) {
  return key_offset(h) + h->key_size + h->meta_size;
}

static uint64_t parts_offset(const nxc__head *h) {
  uint32_t tags_size = h->tag_count ? ends_of(h)[h->tag_count - 1] : 0;
  return align8(tags_offset(h) + tags_size);
}

/* Where part `i` starts, counted from the first part's first byte. */
static uint64_t part_start(const nxc__head *h, size_t i) {
  return i ? align8(ends_of(h)[h->tag_count + i - 1]) : 0;
}

/* ---- building ------------------------------------------------------------ */

static bool times_are_sane(const nxc_record *in) {
  return in->created_ms >= 0 && in->revalidate_ms >= 0 && in->expire_ms >= 0;
}

static bool slices_are_sane(const nxc_slice *s, size_t n) {
  if (n > UINT16_MAX || (n && !s)) return false;
  return true;
}

/* The record's size, or 0 when the input is not sane, or over 4 GB. */
static uint64_t size_of(const nxc_record *in) {
  const uint64_t limit = UINT32_MAX;
  uint64_t size = sizeof(nxc__head) + 4 * ((uint64_t)in->tag_count + in->part_count);

  if (in->key.size > limit || in->meta.size > limit) return 0;
  size += in->key.size + in->meta.size;
  for (size_t i = 0; i < in->tag_count; i++) {
    if (in->tags[i].size > limit || (size += in->tags[i].size) > limit) return 0;
  }
  for (size_t i = 0; i < in->part_count; i++) {
    size = align8(size);
    if (in->parts[i].size > limit || (size += in->parts[i].size) > limit) return 0;
  }
  return size > limit ? 0 : size;
}

static unsigned char *append(unsigned char *at, nxc_slice s) {
  if (s.size && s.data) memcpy(at, s.data, s.size);
  return at + s.size;
}

static void fill(nxc__head *h, const nxc_record *in, uint64_t size) {
  unsigned char *base = (unsigned char *)h;
  uint32_t *ends = (uint32_t *)(void *)(base + sizeof *h);
  unsigned char *at;

  *h = (nxc__head){
      .magic = NXC__RECORD_MAGIC,
      .size = (uint32_t)size,
      .version = NXC__RECORD_VERSION,
      .class_id = (uint8_t)in->class_id,
      .key_size = (uint32_t)in->key.size,
      .meta_size = (uint32_t)in->meta.size,
      .tag_count = (uint16_t)in->tag_count,
      .part_count = (uint16_t)in->part_count,
      .birth = in->birth,
      .created_ms = in->created_ms,
      .revalidate_ms = in->revalidate_ms,
      .expire_ms = in->expire_ms,
  };
  at = append(base + key_offset(h), in->key);
  at = append(at, in->meta);
  const unsigned char *first_tag = at;
  for (size_t i = 0; i < in->tag_count; i++) {
    at = append(at, in->tags[i]);
    *ends++ = (uint32_t)(at - first_tag);
  }
  unsigned char *first_part = base + align8((uint64_t)(at - base));
  for (size_t i = 0; i < in->part_count; i++) {
    unsigned char *next = base + align8((uint64_t)(at - base));
    memset(at, 0, (size_t)(next - at)); /* padding is written, and so hashed, as zeros */
    at = append(next, in->parts[i]);
    *ends++ = (uint32_t)(at - first_part);
  }
}

nxc_entry *nxc__record_blank(size_t size) {
  nxc_entry *e = malloc(sizeof *e + size);
  if (!e) return NULL;
  atomic_init(&e->refs, 1);
  atomic_init(&e->room_is_taken, false);
  e->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
  atomic_fetch_add(&live_bytes, nxc__record_held_bytes(e));
  return e;
}

bool nxc__record_fit(nxc_entry **entry, size_t size) {
  size_t room = malloc_usable_size(*entry), wanted = sizeof **entry + size;
  if (wanted <= room && room - wanted <= room / 16) return true; /* not worth a move */
  size_t held = nxc__record_held_bytes(*entry);
  nxc_entry *e = realloc(*entry, wanted);
  if (!e) return false;
  atomic_fetch_add(&live_bytes, nxc__record_held_bytes(e) - held);
  *entry = e;
  return true;
}

int nxc__record_build(const nxc_record *in, nxc_entry **out) {
  if (in->class_id >= NXC_CLASSES || !times_are_sane(in) ||
      !slices_are_sane(in->tags, in->tag_count) || !slices_are_sane(in->parts, in->part_count)) {
    return NXC_E_INVALID;
  }
  uint64_t size = size_of(in);
  if (!size) return NXC_E_TOO_LARGE;
  nxc_entry *e = nxc__record_blank(size);
  if (!e) return NXC_E_NOMEM;
  fill(e->record, in, size);
  *out = e;
  return NXC_OK;
}

/* ---- checking ------------------------------------------------------------ */

static bool ends_fit(const nxc__head *h) {
  const uint32_t *ends = ends_of(h);
  uint64_t before = 0;

  for (size_t i = 0; i < h->tag_count; i++) {
    if (ends[i] < before) return false;
    before = ends[i];
  }
  if (tags_offset(h) + before > h->size) return false;
  before = 0;
  for (size_t i = 0; i < h->part_count; i++) {
    if (ends[h->tag_count + i] < before) return false;
    before = align8(ends[h->tag_count + i]);
  }
  return true;
}

bool nxc__record_check(const void *bytes, size_t size) {
  const nxc__head *h = bytes;

  if (size < sizeof *h || h->magic != NXC__RECORD_MAGIC) return false;
  if (h->version != NXC__RECORD_VERSION || h->size != size) return false;
  if (h->class_id >= NXC_CLASSES || h->reserved != 0) return false;
  if (h->created_ms < 0 || h->revalidate_ms < 0 || h->expire_ms < 0) return false;
  if (tags_offset(h) > size || !ends_fit(h)) return false;
  if (!h->part_count) {
    uint32_t tags_size = h->tag_count ? ends_of(h)[h->tag_count - 1] : 0;
    return tags_offset(h) + tags_size == size;
  }
  return parts_offset(h) + ends_of(h)[h->tag_count + h->part_count - 1] == size;
}

/* ---- reading ------------------------------------------------------------- */

static nxc_slice slice_at(const nxc__head *h, uint64_t offset, uint64_t size) {
  return (nxc_slice){bytes_of(h) + offset, (size_t)size};
}

void nxc_entry_read(const nxc_entry *entry, nxc_record *out) {
  const nxc__head *h = entry->record;
  *out = (nxc_record){
      .key = slice_at(h, key_offset(h), h->key_size),
      .class_id = h->class_id,
      .birth = h->birth,
      .created_ms = h->created_ms,
      .revalidate_ms = h->revalidate_ms,
      .expire_ms = h->expire_ms,
      .tag_count = h->tag_count,
      .meta = slice_at(h, key_offset(h) + h->key_size, h->meta_size),
      .part_count = h->part_count,
  };
}

uint64_t nxc_entry_id(const nxc_entry *entry) {
  return entry->id;
}

nxc_slice nxc_entry_tag(const nxc_entry *entry, size_t index) {
  const nxc__head *h = entry->record;
  if (index >= h->tag_count) return (nxc_slice){NULL, 0};
  uint32_t start = index ? ends_of(h)[index - 1] : 0;
  return slice_at(h, tags_offset(h) + start, ends_of(h)[index] - start);
}

nxc_slice nxc_entry_part(const nxc_entry *entry, size_t index) {
  const nxc__head *h = entry->record;
  if (index >= h->part_count) return (nxc_slice){NULL, 0};
  uint64_t start = part_start(h, index);
  return slice_at(h, parts_offset(h) + start, ends_of(h)[h->tag_count + index] - start);
}

void *nxc_entry_blank(nxc_entry *entry, size_t part) {
  return (void *)(uintptr_t)nxc_entry_part(entry, part).data;
}

nxc_slice nxc_entry_bytes(const nxc_entry *entry) {
  return (nxc_slice){entry->record, entry->record->size};
}

int nxc_entry_parse(nxc_slice bytes, nxc_entry **out) {
  if (!out) return NXC_E_INVALID;
  *out = NULL;
  if (!bytes.data || bytes.size > UINT32_MAX) return NXC_E_FORMAT;
  /* Copied before it is checked: the caller's bytes may be unaligned. */
  nxc_entry *e = nxc__record_blank(bytes.size < sizeof(nxc__head) ? sizeof(nxc__head) : bytes.size);
  if (!e) return NXC_E_NOMEM;
  memcpy(e->record, bytes.data, bytes.size);
  if (!nxc__record_check(e->record, bytes.size)) {
    nxc_entry_unref(e);
    return NXC_E_FORMAT;
  }
  *out = e;
  return NXC_OK;
}

void *nxc__record_take_room(const nxc_entry *entry) {
  nxc_entry *e = (nxc_entry *)(uintptr_t)entry; /* the room is no part of what is constant */
  return atomic_exchange_explicit(&e->room_is_taken, true, memory_order_relaxed) ? NULL : e->room;
}

bool nxc__record_has_key(const nxc_entry *entry, nxc_slice key) {
  const nxc__head *h = entry->record;
  if (h->key_size != key.size) return false;
  return key.size == 0 || memcmp(bytes_of(h) + key_offset(h), key.data, key.size) == 0;
}

/* ---- counting ------------------------------------------------------------ */

nxc_entry *nxc_entry_ref(nxc_entry *entry) {
  atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
  return entry;
}

void nxc_entry_unref(nxc_entry *entry) {
  if (!entry) return;
  if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) != 1) return;
  atomic_fetch_sub(&live_bytes, nxc__record_held_bytes(entry));
  free(entry);
}

size_t nxc__record_held_bytes(const nxc_entry *entry) {
  return malloc_usable_size((void *)(uintptr_t)entry) + sizeof(size_t); /* the block's own header */
}

uint64_t nxc__record_live_bytes(void) {
  return atomic_load(&live_bytes);
}
