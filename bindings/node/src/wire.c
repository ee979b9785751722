/* wire.c - records out of a cache and into it, for a tier on another machine.
 *
 * Out: a cache keeps the entry aside that was put last, and its bytes are taken before
 * anything else is called.
 *
 *   keepRecords(true)   put(...)   takeRecord(room) -> Buffer
 *
 * In: an entry from elsewhere is in JavaScript's hands, read as often as it is asked for,
 * put into this cache later, and given up.
 *
 *   parseRecord(bytes, key) -> record   readRecord(record, softTags) -> parts and numbers
 *   putRecords([record, ...], done)     dropRecord(record)
 *
 * On the way, of the addon and not of a cache, now or as a promise:
 *
 *   pack(bytes, room, later) -> how many   unpack(bytes, room, later) -> the same
 *
 * Packed is a block of LZ4, without its size: the reader was told.
 */
#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

void nxn_kept_set(nxn_cache *cache, nxc_entry *entry) {
  nxc_entry_unref(cache->kept);
  cache->kept = entry;
}

static nxn_cache *open_cache(napi_env env, napi_callback_info info, size_t *argc,
                             napi_value *argv) {
  void *data;
  size_t wanted = *argc;
  if (napi_get_cb_info(env, info, argc, argv, NULL, &data) != napi_ok || *argc < wanted)
    return NULL;
  nxn_cache *cache = data;
  return cache->cache && !cache->closing ? cache : NULL;
}

static napi_value null_value(napi_env env) {
  napi_value null;
  return napi_get_null(env, &null) == napi_ok ? null : NULL;
}

/* keepRecords(on): whether a put keeps its entry aside. */
napi_value nxn_keep_records(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t argc = 1;
  nxn_cache *cache = open_cache(env, info, &argc, argv);
  if (cache) napi_get_value_bool(env, argv[0], &cache->keeps);
  return NULL;
}

/* takeRecord(room): the bytes of the entry that the last put built, behind so much room;
 * null for none. */
napi_value nxn_take_record(napi_env env, napi_callback_info info) {
  napi_value argv[1], value = NULL;
  size_t argc = 1;
  uint32_t room;
  void *data;
  nxn_cache *cache = open_cache(env, info, &argc, argv);
  if (!cache || !cache->kept || napi_get_value_uint32(env, argv[0], &room) != napi_ok)
    return null_value(env);
  nxc_slice bytes = nxc_entry_bytes(cache->kept);
  if (napi_create_buffer(env, room + bytes.size, &data, &value) == napi_ok)
    memcpy((char *)data + room, bytes.data, bytes.size);
  nxn_kept_set(cache, NULL);
  return value ? value : null_value(env);
}

/* ---- records in JavaScript's hands ------------------------------------------------- */

static void record_free(napi_env env, void *data, void *hint) {
  nxc_entry **held = data;
  (void)env;
  (void)hint;
  nxc_entry_unref(*held);
  free(held);
}

/* A value for an entry, whose reference it takes; NULL when there is no memory. */
static napi_value record_create(napi_env env, nxc_entry *entry) {
  napi_value value;
  nxc_entry **held = malloc(sizeof(void *));
  if (held) *held = entry;
  if (held && napi_create_external(env, held, record_free, NULL, &value) == napi_ok) return value;
  free(held);
  nxc_entry_unref(entry);
  return NULL;
}

/* Where the entry of such a value stands, which is NULL when it was given up. */
static nxc_entry **record_of(napi_env env, napi_value value) {
  void *held;
  return napi_get_value_external(env, value, &held) == napi_ok ? held : NULL;
}

nxc_entry *nxn_record_entry(napi_env env, napi_value value) {
  nxc_entry **held = record_of(env, value);
  return held ? *held : NULL;
}

static bool has_key(const nxc_record *record, nxc_slice key) {
  return record->key.size == key.size &&
         (key.size == 0 || memcmp(record->key.data, key.data, key.size) == 0);
}

/* parseRecord(bytes, key): a record; null when the bytes are not an intact one of just
 * that key. */
napi_value nxn_parse_record(napi_env env, napi_callback_info info) {
  napi_value argv[2], value = NULL;
  size_t argc = 2;
  nxn_cache *cache = open_cache(env, info, &argc, argv);
  nxc_slice bytes, key;
  nxc_entry *entry = NULL;
  nxc_record record;
  void *data;
  nxn_arena arena;
  if (!cache || napi_get_buffer_info(env, argv[0], &data, &bytes.size) != napi_ok)
    return null_value(env);
  nxn_arena_init(&arena);
  bytes.data = data;
  if (nxn_arena_text(&arena, env, argv[1], &key) && nxc_entry_parse(bytes, &entry) == NXC_OK) {
    nxc_entry_read(entry, &record);
    if (has_key(&record, key)) {
      value = record_create(env, entry);
    } else {
      nxc_entry_unref(entry);
    }
  }
  nxn_arena_free(&arena);
  return value ? value : null_value(env);
}

/* How this cache judges the entry; found->entry is set where it may be served. */
static int record_judge(napi_env env, const nxn_cache *cache, nxc_entry *entry, napi_value tags,
                        nxc_found *found) {
  nxn_arena arena;
  nxc_record record;
  nxc_slice *soft_tags;
  size_t soft_tag_count;
  int result = NXC_E_INVALID;
  nxc_entry_read(entry, &record);
  nxn_arena_init(&arena);
  nxc_slice *own = nxn_arena_alloc(&arena, (record.tag_count + 1) * sizeof *own);
  if (own && nxn_arena_texts(&arena, env, tags, &soft_tags, &soft_tag_count)) {
    for (size_t i = 0; i < record.tag_count; i++) own[i] = nxc_entry_tag(entry, i);
    record.tags = own;
    result = nxc_judge(cache->cache, &record, soft_tags, soft_tag_count, found);
  }
  nxn_arena_free(&arena);
  if (result == NXC_OK || result == NXC_STALE) found->entry = nxc_entry_ref(entry);
  return result;
}

/* readRecord(record, softTags): as get(), of this record. */
napi_value nxn_read_record(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  size_t argc = 2;
  nxn_cache *cache = open_cache(env, info, &argc, argv);
  nxc_entry *entry = cache ? nxn_record_entry(env, argv[0]) : NULL;
  nxc_found found = {.why = NXC_WHY_ABSENT};
  if (!cache) return null_value(env);
  int result = entry ? record_judge(env, cache, entry, argv[1], &found) : NXC_MISS;
  return nxn_found_value(cache, result, &found);
}

/* dropRecord(record): frees what it holds, before it is collected. */
napi_value nxn_drop_record(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t argc = 1;
  nxn_cache *cache = open_cache(env, info, &argc, argv);
  nxc_entry **held = cache ? record_of(env, argv[0]) : NULL;
  if (!held) return NULL;
  nxc_entry_unref(*held);
  *held = NULL;
  return NULL;
}

/* ---- in fewer bytes ---------------------------------------------------------------- */

typedef struct packing {
  const char *from;
  size_t size;
  char *room;
  size_t room_bytes;
  bool unpacks;
  size_t made; /* so many bytes of the room; 0: it cannot be done */
  napi_async_work work;
  napi_deferred promise;
  napi_ref buffers[2]; /* that must not go meanwhile */
} packing;

/* Either stays inside of the two, whatever they hold, and counts in int. */
static void packing_run(packing *p) {
  int (*codec)(const char *, char *, int, int) =
      p->unpacks ? LZ4_decompress_safe : LZ4_compress_default;
  if (p->size > INT_MAX || p->room_bytes > INT_MAX) return;
  int made = codec(p->from, p->room, (int)p->size, (int)p->room_bytes);
  if (made > 0 && (!p->unpacks || (size_t)made == p->room_bytes)) p->made = (size_t)made;
}

static napi_value packing_result(napi_env env, const packing *p) {
  napi_value made;
  return napi_create_double(env, (double)p->made, &made) == napi_ok ? made : NULL;
}

static void packing_work(napi_env env, void *data) {
  (void)env;
  packing_run(data);
}

static void packing_free(napi_env env, packing *p) {
  for (size_t i = 0; i < 2; i++) {
    if (p->buffers[i]) napi_delete_reference(env, p->buffers[i]);
  }
  if (p->work) napi_delete_async_work(env, p->work);
  free(p);
}

static void packing_done(napi_env env, napi_status status, void *data) {
  packing *p = data;
  if (status != napi_ok) p->made = 0;
  napi_resolve_deferred(env, p->promise, packing_result(env, p));
  packing_free(env, p);
}

/* A promise of the result; NULL: it cannot be done later. */
static napi_value packing_start(napi_env env, const packing *asked, const napi_value *buffers) {
  napi_value name, promise;
  packing *p = malloc(sizeof *p);
  if (!p) return NULL;
  *p = *asked;
  if (napi_create_string_utf8(env, "nextcache", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_create_reference(env, buffers[0], 1, &p->buffers[0]) == napi_ok &&
      napi_create_reference(env, buffers[1], 1, &p->buffers[1]) == napi_ok &&
      napi_create_async_work(env, NULL, name, packing_work, packing_done, p, &p->work) == napi_ok &&
      napi_create_promise(env, &p->promise, &promise) == napi_ok &&
      napi_queue_async_work(env, p->work) == napi_ok)
    return promise;
  packing_free(env, p);
  return NULL;
}

static napi_value packing_begin(napi_env env, napi_callback_info info, bool unpacks) {
  napi_value argv[3], promise;
  size_t argc = 3;
  void *from, *room;
  bool later = false;
  packing asked = {.unpacks = unpacks};
  if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc < 3 ||
      napi_get_buffer_info(env, argv[0], &from, &asked.size) != napi_ok ||
      napi_get_buffer_info(env, argv[1], &room, &asked.room_bytes) != napi_ok ||
      napi_get_value_bool(env, argv[2], &later) != napi_ok)
    return packing_result(env, &asked);
  asked.from = from;
  asked.room = room;
  if (later && (promise = packing_start(env, &asked, argv))) return promise;
  packing_run(&asked);
  return packing_result(env, &asked);
}

/* pack(bytes, room, later): how many bytes of the room it takes; 0 where that is not
 * enough. */
napi_value nxn_pack_bytes(napi_env env, napi_callback_info info) {
  return packing_begin(env, info, false);
}

/* unpack(bytes, room, later): the bytes of the room; 0 where they are not what was
 * packed. */
napi_value nxn_unpack_bytes(napi_env env, napi_callback_info info) {
  return packing_begin(env, info, true);
}
