/* addon.c - loading, opening, closing, and the end of an environment.
 *
 * Life of a cache handle:
 *   open ── in use ── close() ── last call lands ── closed
 *              └───── environment ends ── last call lands ── closed ── freed
 * The structure itself is freed only when its environment ends, because the
 * methods of the JavaScript object point to it.
 *
 * The end of an environment (a worker_thread that stops, or the process) runs
 * environment_end(), which keeps the loop turning until every call in flight
 * has come back; by then JavaScript can no longer be called, and is not.
 *
 * libuv's and Node-API's symbols are those of the running node. The one uv
 * handle of a cache is unreferenced: only calls in flight keep a process alive.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* ---- calling JavaScript ------------------------------------------------------------ */

void nxn_instance_call(nxn_instance *instance, napi_ref function, size_t argc,
                       const napi_value *argv) {
  if (instance->ending || !function) return;
  napi_env env = instance->env;
  napi_value callee, receiver, resource, thrown, ignored;
  napi_callback_scope scope;
  if (napi_get_reference_value(env, function, &callee) != napi_ok || !callee ||
      napi_get_undefined(env, &receiver) != napi_ok ||
      napi_create_object(env, &resource) != napi_ok ||
      napi_open_callback_scope(env, resource, instance->context, &scope) != napi_ok)
    return;
  napi_status status = napi_call_function(env, receiver, callee, argc, argv, &ignored);
  /* Our callbacks only resolve promises; an exception is a bug, and loud. */
  if (status == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
    napi_fatal_exception(env, thrown);
  napi_close_callback_scope(env, scope);
}

/* ---- messages ---------------------------------------------------------------------- */

/* on_error of the core: any thread, never under one of the core's locks. */
static void message_add(void *arg, const char *text) {
  nxn_cache *cache = arg;
  size_t size = strlen(text) + 1;
  nxn_message *message = malloc(sizeof *message + size);
  if (!message) return;
  memcpy(message->text, text, size);
  message->next = NULL;
  uv_mutex_lock(&cache->mutex);
  nxn_message **end = &cache->messages;
  while (*end) end = &(*end)->next;
  *end = message;
  uv_mutex_unlock(&cache->mutex);
  uv_async_send(&cache->wake);
}

static nxn_message *messages_take(nxn_cache *cache) {
  uv_mutex_lock(&cache->mutex);
  nxn_message *taken = cache->messages;
  cache->messages = NULL;
  uv_mutex_unlock(&cache->mutex);
  return taken;
}

static void on_wake(uv_async_t *wake) {
  nxn_cache *cache = wake->data;
  napi_env env = cache->instance->env;
  nxn_message *message = messages_take(cache);
  while (message) {
    napi_handle_scope scope;
    napi_value text;
    if (!cache->instance->ending && napi_open_handle_scope(env, &scope) == napi_ok) {
      if (napi_create_string_utf8(env, message->text, NAPI_AUTO_LENGTH, &text) == napi_ok)
        nxn_instance_call(cache->instance, cache->on_message, 1, &text);
      napi_close_handle_scope(env, scope);
    }
    nxn_message *done = message;
    message = message->next;
    free(done);
  }
}

/* ---- closing ----------------------------------------------------------------------- */

static void instance_finish(nxn_instance *instance) {
  for (const nxn_cache *cache = instance->caches; cache; cache = cache->next)
    if (cache->cache) return;
  if (instance->open_handles > 0) return;
  while (instance->caches) {
    nxn_cache *cache = instance->caches;
    instance->caches = cache->next;
    uv_mutex_destroy(&cache->mutex);
    nxn_pins_unref(cache->pins);
    free(cache);
  }
  napi_async_cleanup_hook_handle hook = instance->hook;
  free(instance);
  napi_remove_async_cleanup_hook(hook);
}

static void on_wake_closed(uv_handle_t *handle) {
  nxn_cache *cache = handle->data;
  nxn_instance *instance = cache->instance;
  for (nxn_message *message = messages_take(cache); message;) {
    nxn_message *done = message;
    message = message->next;
    free(done);
  }
  instance->open_handles--;
  if (instance->ending) instance_finish(instance);
}

static void cache_close(nxn_cache *cache) {
  cache->closing = true;
  if (cache->in_flight > 0 || !cache->cache) return;
  nxn_kept_set(cache, NULL);
  nxc_close(cache->cache);
  cache->cache = NULL;
  uv_close((uv_handle_t *)&cache->wake, on_wake_closed);
}

void nxn_cache_landed(nxn_cache *cache) {
  cache->in_flight--;
  if (cache->closing) cache_close(cache);
}

static void environment_end(napi_async_cleanup_hook_handle hook, void *arg) {
  (void)hook;
  nxn_instance *instance = arg;
  instance->ending = true;
  napi_async_destroy(instance->env, instance->context);
  for (nxn_cache *cache = instance->caches; cache; cache = cache->next) cache_close(cache);
  instance_finish(instance);
}

/* close(): calls in flight still come back; new ones answer E_INVALID. */
static napi_value close_method(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok) cache_close(data);
  return NULL;
}

/* ---- opening ----------------------------------------------------------------------- */

static napi_value fail(napi_env env, const char *text) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, NULL, text);
  return NULL;
}

static double number_property(napi_env env, napi_value object, const char *name) {
  napi_value value;
  double number = 0;
  if (napi_get_named_property(env, object, name, &value) != napi_ok ||
      napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0))
    return 0;
  return number;
}

/* A number of bytes or items; beyond 2^53 is as good as no limit. */
static uint64_t size_property(napi_env env, napi_value object, const char *name) {
  double number = number_property(env, object, name);
  return number < 9007199254740992.0 ? (uint64_t)number : UINT64_C(1) << 53;
}

static bool directory_property(napi_env env, napi_value object, nxn_arena *arena,
                               const char **out) {
  napi_value value;
  napi_valuetype type;
  nxc_slice text;
  *out = NULL;
  if (napi_get_named_property(env, object, "dir", &value) != napi_ok ||
      napi_typeof(env, value, &type) != napi_ok)
    return false;
  if (type != napi_string) return true; /* none: memory only */
  if (!nxn_arena_text(arena, env, value, &text)) return false;
  char *path = nxn_arena_alloc(arena, text.size + 1);
  if (!path) return false;
  memcpy(path, text.data, text.size);
  path[text.size] = '\0';
  *out = path;
  return strlen(path) == text.size;
}

static nxn_pins *pins_create(uint64_t memory_bytes) {
  nxn_pins *pins = malloc(sizeof *pins);
  if (!pins) return NULL;
  atomic_init(&pins->bytes, 0);
  atomic_init(&pins->text_bytes, 0);
  atomic_init(&pins->limit_bytes, memory_bytes);
  atomic_init(&pins->refs, 1);
  pins->told = 0;
  return pins;
}

/* The parts of a handle that JavaScript sees: numbers, callback, methods. */
static napi_value cache_publish(napi_env env, nxn_cache *cache, napi_value on_message) {
  napi_value object, buffer, numbers, method;
  void *memory;
  if (napi_create_object(env, &object) != napi_ok ||
      napi_create_arraybuffer(env, NXN_NUMBERS * sizeof(double), &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, NXN_NUMBERS, buffer, 0, &numbers) !=
          napi_ok ||
      napi_create_reference(env, numbers, 1, &cache->numbers_ref) != napi_ok ||
      napi_create_reference(env, on_message, 1, &cache->on_message) != napi_ok ||
      napi_set_named_property(env, object, "numbers", numbers) != napi_ok ||
      napi_create_function(env, "close", NAPI_AUTO_LENGTH, close_method, cache, &method) !=
          napi_ok ||
      napi_set_named_property(env, object, "close", method) != napi_ok ||
      !nxn_calls_define(env, object, cache))
    return NULL;
  cache->numbers = memory;
  return object;
}

static nxn_cache *cache_create(nxn_instance *instance, uint64_t memory_bytes) {
  nxn_cache *cache = calloc(1, sizeof *cache);
  if (!cache) return NULL;
  cache->instance = instance;
  cache->pins = pins_create(memory_bytes);
  if (!cache->pins) goto no_pins;
  if (uv_mutex_init(&cache->mutex) != 0) goto no_mutex;
  if (uv_async_init(instance->loop, &cache->wake, on_wake) != 0) goto no_async;
  uv_unref((uv_handle_t *)&cache->wake);
  cache->wake.data = cache;
  instance->open_handles++;
  cache->next = instance->caches;
  instance->caches = cache;
  return cache;

no_async:
  uv_mutex_destroy(&cache->mutex);
no_mutex:
  nxn_pins_unref(cache->pins);
no_pins:
  free(cache);
  return NULL;
}

/* open(options, onMessage): options.dir, .memoryBytes, .memoryItems,
 * .diskBytes, .tagRows. Returns the object with the methods. */
static napi_value open_function(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  size_t argc = 2;
  nxn_instance *instance;
  if (napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&instance) != napi_ok || argc < 2)
    return fail(env, "open(options, onMessage)");
  nxn_arena arena;
  nxn_arena_init(&arena);
  nxc_options options;
  nxc_options_init(&options);
  napi_value object = NULL;
  nxn_cache *cache = NULL;
  const char *problem = "open: dir is not a path";
  if (!directory_property(env, argv[0], &arena, &options.dir)) goto out;
  options.memory_bytes = size_property(env, argv[0], "memoryBytes");
  options.memory_items = size_property(env, argv[0], "memoryItems");
  options.disk_bytes = size_property(env, argv[0], "diskBytes");
  options.tag_rows = (uint32_t)number_property(env, argv[0], "tagRows");
  problem = "open: out of memory";
  cache = cache_create(instance, options.memory_bytes);
  if (!cache) goto out;
  options.on_error = message_add;
  options.on_error_arg = cache;
  int result = nxc_open(&cache->cache, &options);
  if (result < 0) {
    problem = nxc_strerror(result);
    uv_close((uv_handle_t *)&cache->wake, on_wake_closed);
    goto out;
  }
  object = cache_publish(env, cache, argv[1]);
  if (!object) cache_close(cache);
out:
  nxn_arena_free(&arena);
  return object ? object : fail(env, problem);
}

/* ---- loading ----------------------------------------------------------------------- */

static nxn_instance *instance_create(napi_env env) {
  nxn_instance *instance = calloc(1, sizeof *instance);
  napi_value name;
  if (!instance) return NULL;
  instance->env = env;
  /* In Node since 18.18 and 20.4, but not part of Node-API 8. */
  void *symbol = dlsym(RTLD_DEFAULT, "node_api_create_external_string_latin1");
  memcpy(&instance->external_text, &symbol, sizeof symbol);
  if (napi_get_uv_event_loop(env, &instance->loop) == napi_ok &&
      napi_create_string_utf8(env, "nextcache", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_async_init(env, NULL, name, &instance->context) == napi_ok &&
      napi_add_async_cleanup_hook(env, environment_end, instance, &instance->hook) == napi_ok)
    return instance;
  free(instance);
  return NULL;
}

static bool export_function(napi_env env, napi_value exports, const char *name,
                            napi_callback function, void *data) {
  napi_value value;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, data, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}

NAPI_MODULE_INIT() {
  nxn_instance *instance = instance_create(env);
  napi_value version;
  if (!instance) return fail(env, "nextcache: out of memory");
  if (!export_function(env, exports, "open", open_function, instance) ||
      !export_function(env, exports, "pack", nxn_pack_bytes, NULL) ||
      !export_function(env, exports, "unpack", nxn_unpack_bytes, NULL) ||
      napi_create_string_utf8(env, nxc_version(), NAPI_AUTO_LENGTH, &version) != napi_ok ||
      napi_set_named_property(env, exports, "version", version) != napi_ok)
    return fail(env, "nextcache: cannot fill the exports");
  return exports;
}
