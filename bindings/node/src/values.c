/* values.c - JavaScript strings and Buffers as parts of records, and back.
 *
 * A record's meta is one version byte and one letter per part:
 *   l  text, Latin-1: one byte per character, then one byte of padding
 *   u  text, UTF-16: two bytes per character, then two bytes of padding
 *   b  bytes
 * The padding is there because Node-API ends every string it writes with a
 * zero, and a part is written in place.
 *
 * Long Latin-1 text and large byte parts are not copied on a get: the string
 * or the Buffer points into the entry and holds a reference to it, which its
 * finalizer releases. Such bytes are counted as pinned. As long as the memory tier has
 * the entry they cost nothing; once it has dropped it they are outside of its budget,
 * and V8 is told of them. When they are as many as its budget, gets copy.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

#define EXTERNAL_TEXT_MIN 4096
#define EXTERNAL_BYTES_MIN 8192
#define TOLD_STEP ((int64_t)1024 * 1024)

/* ---- arena ------------------------------------------------------------------------ */

typedef struct nxn_chunk {
  struct nxn_chunk *next;
  _Alignas(max_align_t) char bytes[];
} nxn_chunk;

void nxn_arena_init(nxn_arena *arena) {
  arena->chunks = NULL;
  arena->used = 0;
}

void nxn_arena_free(nxn_arena *arena) {
  while (arena->chunks) {
    nxn_chunk *chunk = arena->chunks;
    arena->chunks = chunk->next;
    free(chunk);
  }
}

void *nxn_arena_alloc(nxn_arena *arena, size_t size) {
  size_t start = (arena->used + 15) & ~(size_t)15;
  if (size <= sizeof arena->bytes && start <= sizeof arena->bytes - size) {
    arena->used = start + size;
    return arena->bytes + start;
  }
  if (size > SIZE_MAX - sizeof(nxn_chunk)) return NULL;
  nxn_chunk *chunk = malloc(sizeof *chunk + size);
  if (!chunk) return NULL;
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  return chunk->bytes;
}

bool nxn_arena_text(nxn_arena *arena, napi_env env, napi_value value, nxc_slice *out) {
  /* Optimistic: into what is left of the arena, without asking for the length.
   * Node cuts at a whole character, so a result near the end may be cut. */
  size_t room = sizeof arena->bytes - arena->used;
  size_t size = 0;
  if (room >= 64) {
    char *text = arena->bytes + arena->used;
    if (napi_get_value_string_utf8(env, value, text, room, &size) != napi_ok) return false;
    if (size + 8 < room) {
      arena->used += size;
      *out = (nxc_slice){text, size};
      return true;
    }
  }
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) return false;
  char *text = nxn_arena_alloc(arena, size + 1);
  if (!text || napi_get_value_string_utf8(env, value, text, size + 1, &size) != napi_ok)
    return false;
  *out = (nxc_slice){text, size};
  return true;
}

bool nxn_arena_texts(nxn_arena *arena, napi_env env, napi_value value, nxc_slice **out,
                     size_t *count) {
  *out = NULL;
  *count = 0;
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return false;
  if (type == napi_undefined || type == napi_null) return true;
  uint32_t length;
  if (napi_get_array_length(env, value, &length) != napi_ok) return false;
  if (length == 0) return true;
  nxc_slice *slices = nxn_arena_alloc(arena, length * sizeof *slices);
  if (!slices) return false;
  for (uint32_t i = 0; i < length; i++) {
    napi_value item;
    if (napi_get_element(env, value, i, &item) != napi_ok ||
        !nxn_arena_text(arena, env, item, &slices[i]))
      return false;
  }
  *out = slices;
  *count = length;
  return true;
}

/* ---- pins ------------------------------------------------------------------------- */

typedef struct pin {
  nxc_entry *entry;
  nxn_pins *pins;
  size_t bytes;
  bool is_text;
} pin;

void nxn_pins_unref(nxn_pins *pins) {
  if (atomic_fetch_sub(&pins->refs, 1) == 1) free(pins);
}

/* How many of so many pinned bytes only JavaScript can still hold. Of entries of the
 * process, some of which other environments may hold: at most that many. */
static uint64_t orphaned(uint64_t bytes) {
  uint64_t all = nxc_pinned_bytes();
  return all < bytes ? all : bytes;
}

/* V8 collects garbage when it knows that much is held by it. Told in calls, because a
 * finalizer runs while it collects, and in coarse steps, because that takes long. */
void nxn_pins_tell(nxn_pins *pins, napi_env env) {
  int64_t bytes = (int64_t)orphaned(atomic_load(&pins->text_bytes)), all;
  if (llabs(bytes - pins->told) < TOLD_STEP) return;
  if (napi_adjust_external_memory(env, bytes - pins->told, &all) == napi_ok) pins->told = bytes;
}

/* NULL when the limit is reached, or memory runs out. */
static pin *pin_create(napi_env env, nxn_pins *pins, nxc_entry *entry, size_t bytes, bool is_text) {
  nxn_pins_tell(pins, env);
  if (orphaned(atomic_load(&pins->bytes)) + bytes > atomic_load(&pins->limit_bytes)) return NULL;
  pin *made = malloc(sizeof *made);
  if (!made) return NULL;
  *made = (pin){nxc_entry_ref(entry), pins, bytes, is_text};
  atomic_fetch_add(&pins->bytes, bytes);
  if (is_text) atomic_fetch_add(&pins->text_bytes, bytes);
  atomic_fetch_add(&pins->refs, 1);
  return made;
}

static void pin_destroy(pin *held) {
  atomic_fetch_sub(&held->pins->bytes, held->bytes);
  if (held->is_text) atomic_fetch_sub(&held->pins->text_bytes, held->bytes);
  nxc_entry_unref(held->entry);
  nxn_pins_unref(held->pins);
  free(held);
}

static void pin_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  pin_destroy(hint);
}

/* ---- reading ---------------------------------------------------------------------- */

/* Node-API takes external memory as mutable; JavaScript may write to a Buffer.
 * Nobody who gets values from a cache handler does. */
static char *writable(nxc_slice slice) {
  union {
    const void *from;
    char *to;
  } cast = {slice.data};
  return cast.to;
}

static napi_value latin1_read(napi_env env, nxn_cache *cache, nxc_entry *entry, nxc_slice part) {
  if (part.size < 1) return NULL;
  size_t length = part.size - 1;
  napi_value value = NULL;
  nxn_external_text_fn external = cache->instance->external_text;
  pin *held = NULL;
  if (external && length >= EXTERNAL_TEXT_MIN)
    held = pin_create(env, cache->pins, entry, length, true);
  if (held) {
    bool copied;
    if (external(env, writable(part), length, pin_finalize, held, &value, &copied) == napi_ok)
      return value; /* where it copied, it has called the finalizer itself */
    pin_destroy(held);
  }
  return napi_create_string_latin1(env, part.data, length, &value) == napi_ok ? value : NULL;
}

static napi_value utf16_read(napi_env env, nxc_slice part) {
  if (part.size < 2 || part.size % 2) return NULL;
  size_t length = part.size / 2 - 1;
  napi_value value = NULL;
  if ((uintptr_t)part.data % _Alignof(char16_t) == 0)
    return napi_create_string_utf16(env, part.data, length, &value) == napi_ok ? value : NULL;
  char16_t *aligned = malloc(part.size);
  if (!aligned) return NULL;
  memcpy(aligned, part.data, part.size);
  napi_status status = napi_create_string_utf16(env, aligned, length, &value);
  free(aligned);
  return status == napi_ok ? value : NULL;
}

static napi_value bytes_read(napi_env env, nxn_cache *cache, nxc_entry *entry, nxc_slice part) {
  napi_value value = NULL;
  if (part.size >= EXTERNAL_BYTES_MIN) {
    pin *held = pin_create(env, cache->pins, entry, part.size, false);
    if (held) {
      napi_status status =
          napi_create_external_buffer(env, part.size, writable(part), pin_finalize, held, &value);
      if (status == napi_ok) return value;
      pin_destroy(held); /* a Node whose heap is closed to foreign memory */
    }
  }
  return napi_create_buffer_copy(env, part.size, part.data, NULL, &value) == napi_ok ? value : NULL;
}

/* Byte parts that follow each other, and the stretch of the record that they take. */
typedef struct run {
  size_t first, count;
  nxc_slice stretch;
} run;

static bool run_has(const run *shared, size_t i) {
  return i >= shared->first && i - shared->first < shared->count;
}

/* The longest run, of which one Buffer is made, if it is one of several parts. */
static run find_run(const nxc_entry *entry, const char *types, size_t count) {
  run longest = {0}, none = {0}, now = {0};
  for (size_t i = 0; i < count; i++) {
    if (types[i] != 'b') continue;
    if (now.first + now.count != i) now = (run){.first = i};
    now.count++;
    if (now.count > longest.count) longest = now;
  }
  if (longest.count < 2) return none;
  nxc_slice begin = nxc_entry_part(entry, longest.first);
  nxc_slice end = nxc_entry_part(entry, longest.first + longest.count - 1);
  size_t before_end = (size_t)((const char *)end.data - (const char *)begin.data);
  longest.stretch = (nxc_slice){begin.data, before_end + end.size};
  return longest.stretch.size < NXN_STRETCH_MAX ? longest : none;
}

/* {start, size} of a part within the stretch, as a number: a double has room for both. */
static napi_value place_value(napi_env env, nxc_slice stretch, nxc_slice part) {
  napi_value value;
  double start = (double)((const char *)part.data - (const char *)stretch.data);
  double place = start * NXN_STRETCH_MAX + (double)part.size;
  return napi_create_double(env, place, &value) == napi_ok ? value : NULL;
}

static napi_value part_read(napi_env env, nxn_cache *cache, nxc_entry *entry, size_t i, char type) {
  nxc_slice part = nxc_entry_part(entry, i);
  if (type == 'l') return latin1_read(env, cache, entry, part);
  if (type == 'u') return utf16_read(env, part);
  return type == 'b' ? bytes_read(env, cache, entry, part) : NULL;
}

static bool set_element(napi_env env, napi_value array, size_t i, napi_value value) {
  return value && napi_set_element(env, array, (uint32_t)i, value) == napi_ok;
}

napi_value nxn_parts_read(napi_env env, nxn_cache *cache, nxc_entry *entry) {
  nxc_record record;
  nxc_entry_read(entry, &record);
  const char *meta = record.meta.data;
  size_t count = record.part_count;
  if (record.meta.size != count + 1 || meta[0] != NXN_META_VERSION) return NULL;
  run shared = find_run(entry, meta + 1, count);
  napi_value array;
  if (napi_create_array_with_length(env, count + (shared.count > 0), &array) != napi_ok)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    napi_value value = run_has(&shared, i)
                           ? place_value(env, shared.stretch, nxc_entry_part(entry, i))
                           : part_read(env, cache, entry, i, meta[i + 1]);
    if (!set_element(env, array, i, value)) return NULL;
  }
  if (shared.count &&
      !set_element(env, array, count, bytes_read(env, cache, entry, shared.stretch)))
    return NULL;
  return array;
}

/* ---- writing ---------------------------------------------------------------------- */

bool nxn_parts_measure(napi_env env, napi_value array, nxc_slice types, napi_value *values,
                       nxc_slice *parts) {
  const char *letters = types.data;
  for (size_t i = 0; i < types.size; i++) {
    size_t length;
    if (napi_get_element(env, array, (uint32_t)i, &values[i]) != napi_ok) return false;
    if (letters[i] == 'b') {
      void *data;
      if (napi_get_buffer_info(env, values[i], &data, &parts[i].size) != napi_ok) return false;
      parts[i].data = data;
      continue;
    }
    parts[i].data = NULL;
    if (napi_get_value_string_utf16(env, values[i], NULL, 0, &length) != napi_ok) return false;
    parts[i].size = letters[i] == 'u' ? (length + 1) * 2 : length + 1;
  }
  return true;
}

static bool utf16_write(napi_env env, napi_value value, char *blank, size_t size) {
  size_t length;
  if ((uintptr_t)blank % _Alignof(char16_t) == 0)
    return napi_get_value_string_utf16(env, value, (char16_t *)(void *)blank, size / 2, &length) ==
           napi_ok;
  char16_t *aligned = malloc(size);
  if (!aligned) return false;
  napi_status status = napi_get_value_string_utf16(env, value, aligned, size / 2, &length);
  memcpy(blank, aligned, size);
  free(aligned);
  return status == napi_ok;
}

bool nxn_texts_write(napi_env env, const napi_value *values, nxc_slice types, nxc_entry *entry) {
  const char *letters = types.data;
  for (size_t i = 0; i < types.size; i++) {
    char *blank = nxc_entry_blank(entry, i);
    size_t size = nxc_entry_part(entry, i).size;
    if (letters[i] == 'b') continue;
    if (!blank) return false;
    size_t length;
    if (letters[i] == 'u') {
      if (!utf16_write(env, values[i], blank, size)) return false;
    } else if (napi_get_value_string_latin1(env, values[i], blank, size, &length) != napi_ok) {
      return false;
    }
  }
  return true;
}
