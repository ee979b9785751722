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
 */
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
  nxc_entry **held = malloc(sizeof *held);
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
