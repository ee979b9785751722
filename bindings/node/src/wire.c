/* wire.c - records out of a cache and into it, for a tier on another machine.
 *
 * A cache keeps at most one entry aside: the one that was put or parsed last. Its
 * bytes are taken, or it is put, before anything else is called:
 *
 *   keepRecords(true)   put(...)                  takeRecord() -> Buffer
 *   parseRecord(bytes, key) -> tags and numbers   putRecord(done)
 */
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

/* takeRecord(): a copy of the bytes of the entry that the last put built; null for none. */
napi_value nxn_take_record(napi_env env, napi_callback_info info) {
  size_t argc = 0;
  nxn_cache *cache = open_cache(env, info, &argc, NULL);
  napi_value value = NULL;
  if (!cache || !cache->kept) return null_value(env);
  nxc_slice bytes = nxc_entry_bytes(cache->kept);
  if (napi_create_buffer_copy(env, bytes.size, bytes.data, NULL, &value) != napi_ok)
    value = null_value(env);
  nxn_kept_set(cache, NULL);
  return value;
}

static napi_value tags_read(napi_env env, const nxc_entry *entry, size_t count) {
  napi_value array;
  if (napi_create_array_with_length(env, count, &array) != napi_ok) return NULL;
  for (size_t i = 0; i < count; i++) {
    nxc_slice tag = nxc_entry_tag(entry, i);
    napi_value text;
    if (napi_create_string_utf8(env, tag.size ? tag.data : "", tag.size, &text) != napi_ok ||
        napi_set_element(env, array, (uint32_t)i, text) != napi_ok)
      return NULL;
  }
  return array;
}

static bool has_key(const nxc_record *record, nxc_slice key) {
  return record->key.size == key.size &&
         (key.size == 0 || memcmp(record->key.data, key.data, key.size) == 0);
}

/* parseRecord(bytes, key): the tags of the record, which is kept aside, with its times
 * in the numbers; null when the bytes are not an intact record of just that key. */
napi_value nxn_parse_record(napi_env env, napi_callback_info info) {
  napi_value argv[2], tags = NULL;
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
    if (has_key(&record, key)) tags = tags_read(env, entry, record.tag_count);
    if (tags) nxn_record_numbers_write(cache, &record);
  }
  nxn_arena_free(&arena);
  nxn_kept_set(cache, tags ? entry : NULL);
  if (!tags) nxc_entry_unref(entry);
  return tags ? tags : null_value(env);
}
