/* addon.h - what the files of the addon share.
 *
 * An `nxn_instance` belongs to one environment (the main thread or one
 * worker_thread) and owns the caches that were opened in it. Both live until
 * the environment ends; the end waits for the calls in flight.
 *
 * Only the environment's own thread touches these structures, except the
 * messages of a cache (any thread, under its mutex) and pins (atomic).
 */
#ifndef NXN_ADDON_H
#define NXN_ADDON_H

#include <node_api.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "nextcache.h"
#include "nextcache_uv.h"

#define NXN_STAMP_WORDS 4

/* Slots of the array of doubles that is shared with JavaScript. A get fills
 * them all; a put and a judgement take birth and times as arguments, and a get the
 * id of the entry that JavaScript has a value of already. */
enum nxn_number {
  NXN_RESULT,
  NXN_WHY,
  NXN_IN_MEMORY,
  NXN_DEAD_AT,
  NXN_BIRTH,
  NXN_CREATED,
  NXN_REVALIDATE,
  NXN_EXPIRE,
  NXN_ID,
  NXN_STAMP,                                   /* of a hit, and for unchanged(): in halves */
  NXN_CLASS = NXN_STAMP + 2 * NXN_STAMP_WORDS, /* the rest is for unchanged() alone */
  NXN_FROM,
  NXN_UNTIL,
  NXN_NUMBERS
};

typedef napi_status (*nxn_external_text_fn)(napi_env env, char *text, size_t length,
                                            napi_finalize finalize, void *hint, napi_value *result,
                                            bool *copied);

/* Bytes of entries that JavaScript holds through external strings and Buffers.
 * Outlives its environment: the last finalizer may run after it. */
typedef struct nxn_pins {
  atomic_uint_fast64_t bytes;
  atomic_uint_fast64_t text_bytes; /* of them; V8 counts those of Buffers itself */
  atomic_uint_fast64_t limit_bytes;
  atomic_uint refs;
  int64_t told; /* to V8 */
} nxn_pins;

typedef struct nxn_message {
  struct nxn_message *next;
  char text[];
} nxn_message;

typedef struct nxn_cache {
  struct nxn_cache *next;
  struct nxn_instance *instance;
  nxc_cache *cache; /* NULL once closed */
  double *numbers;
  napi_ref numbers_ref;
  napi_ref on_message;
  nxn_pins *pins;
  char why_tag[64];
  bool keeps;      /* whether a put keeps its entry aside */
  nxc_entry *kept; /* wire.c; NULL for none */
  size_t in_flight;
  bool closing;
  uv_async_t wake; /* says that there are messages */
  uv_mutex_t mutex;
  nxn_message *messages; /* oldest first */
} nxn_cache;

typedef struct nxn_instance {
  napi_env env;
  uv_loop_t *loop;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  nxn_external_text_fn external_text; /* NULL where Node has none */
  nxn_cache *caches;
  size_t open_handles; /* uv handles that are not closed yet */
  bool ending;
} nxn_instance;

/* Calls a JavaScript function from a libuv callback: microtasks run before it
 * returns. Does nothing while the environment ends. */
void nxn_instance_call(nxn_instance *instance, napi_ref function, size_t argc,
                       const napi_value *argv);
/* To be called when a call in flight has come back; may finish a close. */
void nxn_cache_landed(nxn_cache *cache);

/* ---- calls.c: the methods of an open cache ------------------------------------ */

/* Adds the methods to `object`; false with a pending exception on failure. */
bool nxn_calls_define(napi_env env, napi_value object, nxn_cache *cache);
/* What get() answers for what was found, with the numbers; takes the reference to
 * found->entry. */
napi_value nxn_found_value(nxn_cache *cache, int result, nxc_found *found);

/* ---- wire.c: records as bytes ---------------------------------------------------- */

/* Keeps an entry aside instead of the one before; takes the reference. */
void nxn_kept_set(nxn_cache *cache, nxc_entry *entry);
napi_value nxn_keep_records(napi_env env, napi_callback_info info);
napi_value nxn_take_record(napi_env env, napi_callback_info info);
napi_value nxn_parse_record(napi_env env, napi_callback_info info);
napi_value nxn_read_record(napi_env env, napi_callback_info info);
napi_value nxn_drop_record(napi_env env, napi_callback_info info);
/* The entry of a value of parseRecord(), borrowed; NULL for anything else. */
nxc_entry *nxn_record_entry(napi_env env, napi_value value);
napi_value nxn_pack_bytes(napi_env env, napi_callback_info info);
napi_value nxn_unpack_bytes(napi_env env, napi_callback_info info);

/* ---- values.c: JavaScript values <-> slices and parts --------------------------- */

/* Memory for the arguments of one call; most fit into its own bytes. */
typedef struct nxn_arena {
  struct nxn_chunk *chunks;
  size_t used;
  char bytes[4096];
} nxn_arena;

void nxn_arena_init(nxn_arena *arena);
void nxn_arena_free(nxn_arena *arena);
void *nxn_arena_alloc(nxn_arena *arena, size_t size);
/* UTF-8 text of a string; false when it is none or memory runs out. */
bool nxn_arena_text(nxn_arena *arena, napi_env env, napi_value value, nxc_slice *out);
/* An array of strings; undefined and null are empty. */
bool nxn_arena_texts(nxn_arena *arena, napi_env env, napi_value value, nxc_slice **out,
                     size_t *count);

/* The parts of an entry as a JavaScript array, typed by its meta; NULL when the
 * meta is not of this codec or memory runs out. Byte parts that follow each
 * other share one Buffer, which stands behind all parts: a Buffer costs a microsecond,
 * a view of one a tenth. Each of them is start * NXN_STRETCH_MAX + size in it. */
#define NXN_STRETCH_MAX (1 << 26)
napi_value nxn_parts_read(napi_env env, nxn_cache *cache, nxc_entry *entry);
/* The values of an array, and the parts that they and `types` ask for, of which texts are
 * blank; false on wrong ones. */
bool nxn_parts_measure(napi_env env, napi_value array, nxc_slice types, napi_value *values,
                       nxc_slice *parts);
/* Writes the texts among them into an entry of these parts. */
bool nxn_texts_write(napi_env env, const napi_value *values, nxc_slice types, nxc_entry *entry);

/* Tells V8 how many bytes it could give back by collecting garbage. */
void nxn_pins_tell(nxn_pins *pins, napi_env env);
void nxn_pins_unref(nxn_pins *pins);

#define NXN_META_VERSION '2'

#endif /* NXN_ADDON_H */
