/* calls.c - the methods of an open cache.
 *
 * Every method that may have to wait takes a callback as its last argument.
 * What is known at once is returned and the callback is dropped; otherwise the
 * method returns undefined and the callback gets the same value later. Numbers
 * travel in an array of doubles that both sides see (enum nxn_number): it is
 * valid when a method returns and when a callback starts, and must be read
 * before anything else is called.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addon.h"
#include "nextcache_admin.h"

#define ARGC_MAX 7
#define COARSE_MS 10 /* a tick of the slowest kernel */

/* A method's arguments and the memory for them. */
typedef struct arguments {
  napi_env env;
  nxn_cache *cache;
  napi_value argv[ARGC_MAX];
  napi_value done; /* the last one */
  nxn_arena arena;
} arguments;

/* A call in flight. */
typedef struct call {
  nxn_cache *cache;
  napi_ref done;
  int failed; /* not 0: the result to report, whatever comes back */
} call;

static napi_value number_value(napi_env env, double number) {
  napi_value value;
  return napi_create_double(env, number, &value) == napi_ok ? value : NULL;
}

static bool arguments_read(arguments *args, napi_env env, napi_callback_info info, size_t want) {
  size_t argc = ARGC_MAX;
  args->env = env;
  nxn_arena_init(&args->arena);
  if (napi_get_cb_info(env, info, &argc, args->argv, NULL, (void **)&args->cache) != napi_ok)
    return false;
  args->done = args->argv[want - 1];
  return argc >= want && args->cache->cache && !args->cache->closing;
}

/* Frees what arguments_read() and its users took; returns the result. */
static napi_value arguments_end(arguments *args, int result) {
  nxn_arena_free(&args->arena);
  return number_value(args->env, result);
}

static unsigned class_argument(napi_env env, napi_value value) {
  uint32_t number = 0;
  napi_get_value_uint32(env, value, &number);
  return number < NXC_CLASSES ? number : 0;
}

/* ---- times ------------------------------------------------------------------------- */

static int64_t duration_from(double number) {
  if (!(number < 9.2e18)) return NXC_NEVER; /* Infinity and NaN too */
  return number > 0 ? (int64_t)number : 0;
}

static double duration_to(int64_t duration) {
  return duration == NXC_NEVER ? (double)INFINITY : (double)duration;
}

static void record_numbers_read(const nxn_cache *cache, nxc_record *record) {
  const double *numbers = cache->numbers;
  record->birth = numbers[NXN_BIRTH] > 0 ? (uint64_t)numbers[NXN_BIRTH] : 0;
  record->created_ms = numbers[NXN_CREATED] > 0 ? (int64_t)numbers[NXN_CREATED] : 0;
  record->revalidate_ms = duration_from(numbers[NXN_REVALIDATE]);
  record->expire_ms = duration_from(numbers[NXN_EXPIRE]);
}

static void record_numbers_write(nxn_cache *cache, const nxc_record *record) {
  double *numbers = cache->numbers;
  numbers[NXN_BIRTH] = (double)record->birth;
  numbers[NXN_CREATED] = (double)record->created_ms;
  numbers[NXN_REVALIDATE] = duration_to(record->revalidate_ms);
  numbers[NXN_EXPIRE] = duration_to(record->expire_ms);
}

/* A double holds every half of a word exactly. */
static void stamp_numbers_write(double *numbers, const uint64_t *stamp) {
  for (size_t i = 0; i < NXN_STAMP_WORDS; i++) {
    numbers[2 * i] = (double)(stamp[i] >> 32);
    numbers[2 * i + 1] = (double)(uint32_t)stamp[i];
  }
}

static void stamp_numbers_read(const double *numbers, uint64_t *stamp) {
  for (size_t i = 0; i < NXN_STAMP_WORDS; i++)
    stamp[i] = (uint64_t)numbers[2 * i] << 32 | (uint64_t)numbers[2 * i + 1];
}

static void found_numbers_write(nxn_cache *cache, int result, const nxc_found *found) {
  double *numbers = cache->numbers;
  numbers[NXN_RESULT] = result;
  numbers[NXN_WHY] = found->why;
  numbers[NXN_IN_MEMORY] = found->in_memory;
  numbers[NXN_DEAD_AT] = duration_to(found->dead_at_ms);
  memcpy(cache->why_tag, found->why_tag, sizeof cache->why_tag);
  cache->why_tag[sizeof cache->why_tag - 1] = '\0';
  stamp_numbers_write(numbers + NXN_STAMP, found->stamp);
  if (!found->entry) return;
  nxc_record record;
  nxc_entry_read(found->entry, &record);
  record_numbers_write(cache, &record);
  numbers[NXN_ID] = (double)nxc_entry_id(found->entry);
}

/* ---- calls in flight --------------------------------------------------------------- */

static call *call_create(nxn_cache *cache) {
  call *made = malloc(sizeof *made);
  if (made) *made = (call){cache, NULL, NXC_OK};
  return made;
}

/* Under way: only then is what it will call worth a reference. */
static void call_depart(call *made, napi_value done) {
  napi_env env = made->cache->instance->env;
  napi_valuetype type;
  made->cache->in_flight++;
  if (napi_typeof(env, done, &type) == napi_ok && type == napi_function)
    napi_create_reference(env, done, 1, &made->done);
}

static void call_destroy(call *landed) {
  if (landed->done) napi_delete_reference(landed->cache->instance->env, landed->done);
  free(landed);
}

/* What a uv call returned: a result to hand back, or a call that is under way. */
static napi_value call_returned(arguments *args, call *made, int result) {
  if (result == NXC_PENDING) {
    call_depart(made, args->done);
    nxn_arena_free(&args->arena);
    return NULL;
  }
  call_destroy(made);
  return arguments_end(args, result);
}

static void call_land(call *landed, napi_value value) {
  nxn_cache *cache = landed->cache;
  if (value) nxn_instance_call(cache->instance, landed->done, 1, &value);
  call_destroy(landed);
  nxn_cache_landed(cache);
}

static void on_result(void *arg, int result) {
  call *landed = arg;
  napi_env env = landed->cache->instance->env;
  napi_handle_scope scope;
  if (landed->failed) result = landed->failed;
  if (napi_open_handle_scope(env, &scope) != napi_ok) {
    call_land(landed, NULL);
    return;
  }
  call_land(landed, landed->cache->instance->ending ? NULL : number_value(env, result));
  napi_close_handle_scope(env, scope);
}

/* ---- get --------------------------------------------------------------------------- */

/* The parts of a hit, or true when the entry is that of the `known` id, or null. Takes
 * the reference to found->entry. */
static napi_value found_value(nxn_cache *cache, int result, nxc_found *found, double known) {
  napi_env env = cache->instance->env;
  napi_value value = NULL;
  found_numbers_write(cache, result, found);
  if (found->entry) {
    if (cache->numbers[NXN_ID] == known) {
      napi_get_boolean(env, true, &value);
    } else {
      value = nxn_parts_read(env, cache, found->entry);
    }
    nxc_entry_unref(found->entry);
    found->entry = NULL;
    if (!value) {
      /* An entry of another codec, or no memory to read it: a miss. */
      napi_value ignored;
      napi_get_and_clear_last_exception(env, &ignored);
      cache->numbers[NXN_RESULT] = NXC_MISS;
      cache->numbers[NXN_WHY] = NXC_WHY_CORRUPT;
    }
  }
  if (!value) napi_get_null(env, &value);
  return value;
}

napi_value nxn_found_value(nxn_cache *cache, int result, nxc_found *found) {
  return found_value(cache, result, found, 0);
}

static void on_found(void *arg, int result, nxc_found *found) {
  call *landed = arg;
  nxn_cache *cache = landed->cache;
  napi_env env = cache->instance->env;
  napi_handle_scope scope;
  if (cache->instance->ending || napi_open_handle_scope(env, &scope) != napi_ok) {
    nxc_entry_unref(found->entry);
    call_land(landed, NULL);
    return;
  }
  call_land(landed, nxn_found_value(cache, result, found));
  napi_close_handle_scope(env, scope);
}

/* get(key, class, softTags, done): the parts, or true for the entry whose id stands in
 * the numbers, or null with the reason in the numbers; undefined when the answer comes
 * through done, which has the parts in any case. */
static napi_value get_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_query query = {0};
  nxc_slice *soft_tags;
  nxc_found found = {0};
  napi_value null = NULL;
  napi_get_null(env, &null);
  if (!arguments_read(&args, env, info, 4) ||
      !nxn_arena_text(&args.arena, env, args.argv[0], &query.key) ||
      !nxn_arena_texts(&args.arena, env, args.argv[2], &soft_tags, &query.soft_tag_count)) {
    found.why = NXC_WHY_ERROR;
    if (args.cache) found_numbers_write(args.cache, NXC_E_INVALID, &found);
    nxn_arena_free(&args.arena);
    return null;
  }
  query.class_id = class_argument(env, args.argv[1]);
  query.soft_tags = soft_tags;
  nxn_cache *cache = args.cache;
  double known = cache->numbers[NXN_ID];
  call *made = call_create(cache);
  int result = NXC_E_NOMEM;
  if (made)
    result = nxc_uv_get(cache->instance->loop, cache->cache, &query, &found, on_found, made);
  nxn_arena_free(&args.arena);
  if (result == NXC_PENDING) {
    call_depart(made, args.done);
    return NULL;
  }
  if (made) call_destroy(made);
  if (result < 0) found.why = NXC_WHY_ERROR;
  return found_value(cache, result, &found, known);
}

/* The coarse clock costs a tenth of the other, and is late by a tick. */
static bool is_between(double from_ms, double until_ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME_COARSE, &t);
  double now_ms = (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
  return now_ms >= from_ms - COARSE_MS && now_ms < until_ms - COARSE_MS;
}

/* unchanged(), with a stamp, a class and two wall times in the numbers: whether it is
 * between them, and the hit that had this stamp would be the same again; then it is
 * counted as one. */
static napi_value unchanged_method(napi_env env, napi_callback_info info) {
  void *data;
  napi_value value = NULL;
  uint64_t stamp[NXN_STAMP_WORDS];
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
  const nxn_cache *cache = data;
  const double *numbers = cache->numbers;
  stamp_numbers_read(numbers + NXN_STAMP, stamp);
  bool same = cache->cache && is_between(numbers[NXN_FROM], numbers[NXN_UNTIL]) &&
              nxc_uv_unchanged(cache->cache, (unsigned)numbers[NXN_CLASS], stamp);
  napi_get_boolean(env, same, &value);
  return value;
}

/* The text of the tag behind the last NXC_WHY_TAG. */
static napi_value why_tag_method(napi_env env, napi_callback_info info) {
  void *data;
  napi_value value = NULL;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
  napi_create_string_utf8(env, ((nxn_cache *)data)->why_tag, NAPI_AUTO_LENGTH, &value);
  return value;
}

/* ---- put and remove ---------------------------------------------------------------- */

static nxc_slice meta_slice(nxn_arena *arena, nxc_slice types) {
  char *meta = nxn_arena_alloc(arena, types.size + 1);
  if (!meta) return (nxc_slice){NULL, 0};
  meta[0] = NXN_META_VERSION;
  if (types.size) memcpy(meta + 1, types.data, types.size);
  return (nxc_slice){meta, types.size + 1};
}

/* Builds the entry that put's arguments describe; 0 or an error. */
static int entry_build(arguments *args, nxc_record *record, nxc_entry **out) {
  napi_env env = args->env;
  nxc_slice *tags, types;
  if (!nxn_arena_texts(&args->arena, env, args->argv[2], &tags, &record->tag_count) ||
      !nxn_arena_text(&args->arena, env, args->argv[3], &types))
    return NXC_E_INVALID;
  nxc_slice *parts = nxn_arena_alloc(&args->arena, (types.size + 1) * sizeof *parts);
  napi_value *values = nxn_arena_alloc(&args->arena, (types.size + 1) * sizeof(napi_value));
  record->meta = meta_slice(&args->arena, types);
  if (!parts || !values || !record->meta.data) return NXC_E_NOMEM;
  if (!nxn_parts_measure(env, args->argv[4], types, values, parts)) return NXC_E_INVALID;
  record->class_id = class_argument(env, args->argv[1]);
  record->tags = tags;
  record->parts = parts;
  record->part_count = types.size;
  record_numbers_read(args->cache, record);
  int result = nxc_entry_create(args->cache->cache, record, out);
  if (result < 0) return result;
  if (nxn_texts_write(env, values, types, *out)) return NXC_OK;
  nxc_entry_unref(*out);
  *out = NULL;
  return NXC_E_INVALID;
}

/* put(key, class, tags, types, parts, done), with the numbers set. A put that
 * cannot even be built removes the key, like any other failed put; its result
 * says why. */
static napi_value put_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_record record = {0};
  nxc_entry *entry = NULL;
  if (!arguments_read(&args, env, info, 6) ||
      !nxn_arena_text(&args.arena, env, args.argv[0], &record.key))
    return arguments_end(&args, NXC_E_INVALID);
  nxn_cache *cache = args.cache;
  uv_loop_t *loop = cache->instance->loop;
  call *made = call_create(cache);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  int result = entry_build(&args, &record, &entry);
  if (result == NXC_OK) {
    result = nxc_uv_put(loop, cache->cache, entry, on_result, made);
    nxn_kept_set(cache, cache->keeps ? nxc_entry_ref(entry) : NULL);
    nxc_entry_unref(entry);
    nxn_pins_tell(cache->pins, env); /* it may have pushed out what JavaScript holds */
    return call_returned(&args, made, result);
  }
  made->failed = result;
  int removed = nxc_uv_remove(loop, cache->cache, record.key, on_result, made);
  return call_returned(&args, made, removed == NXC_PENDING ? removed : result);
}

/* putRecords([record, ...], done): puts them all; says when, not what came of it. */
static napi_value put_records_method(napi_env env, napi_callback_info info) {
  arguments args;
  uint32_t count;
  size_t known = 0;
  if (!arguments_read(&args, env, info, 2) ||
      napi_get_array_length(env, args.argv[0], &count) != napi_ok)
    return arguments_end(&args, NXC_E_INVALID);
  nxc_entry **entries = nxn_arena_alloc(&args.arena, (count + 1) * sizeof(nxc_entry *));
  call *made = entries ? call_create(args.cache) : NULL;
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    if (napi_get_element(env, args.argv[0], i, &value) != napi_ok) continue;
    entries[known] = nxn_record_entry(env, value);
    if (entries[known]) known++;
  }
  return call_returned(&args, made,
                       nxc_uv_put_all(args.cache->instance->loop, args.cache->cache, entries, known,
                                      on_result, made));
}

static napi_value remove_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_slice key;
  if (!arguments_read(&args, env, info, 2) || !nxn_arena_text(&args.arena, env, args.argv[0], &key))
    return arguments_end(&args, NXC_E_INVALID);
  call *made = call_create(args.cache);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  return call_returned(
      &args, made,
      nxc_uv_remove(args.cache->instance->loop, args.cache->cache, key, on_result, made));
}

static napi_value clear_method(napi_env env, napi_callback_info info) {
  arguments args;
  if (!arguments_read(&args, env, info, 1)) return arguments_end(&args, NXC_E_INVALID);
  call *made = call_create(args.cache);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  return call_returned(
      &args, made, nxc_uv_clear(args.cache->instance->loop, args.cache->cache, on_result, made));
}

/* ---- tags -------------------------------------------------------------------------- */

/* mark(tags, deadAfterMs, done) */
static napi_value mark_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_slice *tags;
  size_t count;
  double dead_after;
  if (!arguments_read(&args, env, info, 3) ||
      !nxn_arena_texts(&args.arena, env, args.argv[0], &tags, &count) ||
      napi_get_value_double(env, args.argv[1], &dead_after) != napi_ok)
    return arguments_end(&args, NXC_E_INVALID);
  call *made = call_create(args.cache);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  return call_returned(&args, made,
                       nxc_uv_mark(args.cache->instance->loop, args.cache->cache, tags, count,
                                   duration_from(dead_after), on_result, made));
}

/* judge(tags, softTags), with the numbers set; fills the numbers. */
static napi_value judge_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_record record = {0};
  nxc_slice *tags, *soft_tags;
  size_t soft_tag_count;
  nxc_found found = {0};
  if (!arguments_read(&args, env, info, 2) ||
      !nxn_arena_texts(&args.arena, env, args.argv[0], &tags, &record.tag_count) ||
      !nxn_arena_texts(&args.arena, env, args.argv[1], &soft_tags, &soft_tag_count))
    return arguments_end(&args, NXC_E_INVALID);
  record.tags = tags;
  record_numbers_read(args.cache, &record);
  int result = nxc_judge(args.cache->cache, &record, soft_tags, soft_tag_count, &found);
  found_numbers_write(args.cache, result, &found);
  return arguments_end(&args, result);
}

static napi_value birth_method(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
  nxn_cache *cache = data;
  return number_value(env, cache->cache ? (double)nxc_birth(cache->cache) : 0);
}

/* ---- bounds and counters ----------------------------------------------------------- */

/* setMemory(bytes, items) */
static napi_value set_memory_method(napi_env env, napi_callback_info info) {
  arguments args;
  int64_t bytes, items;
  if (!arguments_read(&args, env, info, 2) ||
      napi_get_value_int64(env, args.argv[0], &bytes) != napi_ok || bytes < 0 ||
      napi_get_value_int64(env, args.argv[1], &items) != napi_ok || items < 0)
    return arguments_end(&args, NXC_E_INVALID);
  atomic_store(&args.cache->pins->limit_bytes, (uint64_t)bytes);
  return arguments_end(&args, nxc_set_memory(args.cache->cache, (uint64_t)bytes, (uint64_t)items));
}

static bool set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_value value = number_value(env, number);
  return value && napi_set_named_property(env, object, name, value) == napi_ok;
}

static bool set_classes(napi_env env, napi_value object, const char *name,
                        const uint64_t *numbers) {
  napi_value array;
  if (napi_create_array_with_length(env, NXC_CLASSES, &array) != napi_ok) return false;
  for (uint32_t i = 0; i < NXC_CLASSES; i++) {
    napi_value value = number_value(env, (double)numbers[i]);
    if (!value || napi_set_element(env, array, i, value) != napi_ok) return false;
  }
  return napi_set_named_property(env, object, name, array) == napi_ok;
}

/* stats(): the fields of nxc_stats under their C names, null when closed. */
static napi_value stats_method(napi_env env, napi_callback_info info) {
  void *data;
  napi_value object = NULL;
  nxc_stats stats;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
  const nxn_cache *cache = data;
  if (!cache->cache || nxc_stats_get(cache->cache, &stats) < 0) {
    napi_get_null(env, &object);
    return object;
  }
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  bool ok = true;
#define CLASSES(field) ok = ok && set_classes(env, object, #field, stats.field);
#define COUNTER(field) ok = ok && set_number(env, object, #field, (double)stats.field);
#define GAUGE(field) COUNTER(field)
#define SET(field, kind, metric, help) kind(field)
  NXC_METRICS(SET)
#undef SET
#undef GAUGE
#undef COUNTER
#undef CLASSES
  ok = ok && set_number(env, object, "disk", stats.disk);
  ok = ok && set_number(env, object, "external_bytes", (double)atomic_load(&cache->pins->bytes));
  return ok ? object : NULL;
}

static bool get_number(napi_env env, napi_value object, const char *name, uint64_t *out) {
  napi_value value;
  double number;
  if (napi_get_named_property(env, object, name, &value) != napi_ok ||
      napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0))
    return false;
  *out = number < 0x1p53 ? (uint64_t)number : UINT64_C(1) << 53;
  return true;
}

/* tellRemote(numbers): an object with the fields of nxc_remote under their C names. */
static napi_value tell_remote_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_remote told;
  bool ok = arguments_read(&args, env, info, 1);
#define GET(field, kind, name, help) ok = ok && get_number(env, args.argv[0], #field, &told.field);
  NXC_REMOTE_METRICS(GET)
#undef GET
  return arguments_end(&args, ok ? nxc_remote_tell(args.cache->cache, &told) : NXC_E_INVALID);
}

/* ---- what takes long: on a worker ---------------------------------------------------- */

typedef struct job {
  uv_work_t work;
  call *landed;
  nxc_cache *cache;
  void (*run)(struct job *self);
  napi_value (*result)(napi_env env, const struct job *self);
  char *text;        /* of metrics(); NULL: no memory */
  double max_ms;     /* of warm(), ... */
  nxc_warmed warmed; /* ... and what it did           */
  char dir[];        /* of metrics(); "": none        */
} job;

static void job_work(uv_work_t *work) {
  job *self = work->data;
  self->run(self);
}

static void job_done(uv_work_t *work, int status) {
  (void)status;
  job *self = work->data;
  nxn_instance *instance = self->landed->cache->instance;
  napi_handle_scope scope;
  bool open = !instance->ending && napi_open_handle_scope(instance->env, &scope) == napi_ok;
  call_land(self->landed, open ? self->result(instance->env, self) : NULL);
  if (open) napi_close_handle_scope(instance->env, scope);
  free(self->text);
  free(self);
}

/* A job for a method whose second argument is the callback; NULL: no memory. */
static job *job_create(arguments *args, size_t extra) {
  job *made = calloc(1, sizeof *made + extra);
  if (!made) return NULL;
  made->landed = call_create(args->cache);
  made->cache = args->cache->cache;
  made->work.data = made;
  if (made->landed) return made;
  free(made);
  return NULL;
}

static napi_value job_begin(arguments *args, job *self) {
  uv_queue_work(args->cache->instance->loop, &self->work, job_work, job_done);
  return call_returned(args, self->landed, NXC_PENDING);
}

static void metrics_run(job *self) {
  static const char *const classes[] = {"other",   "pages",     "routes",
                                        "fetches", "use-cache", "images"};
  nxc_view *view = NULL;
  if (*self->dir) nxc_view_open(&view, self->dir, NULL, 0);
  self->text = nxc_metrics_text(view, self->cache, classes, sizeof classes / sizeof *classes);
  nxc_view_close(view);
}

static napi_value metrics_result(napi_env env, const job *self) {
  napi_value value = NULL;
  if (!self->text || napi_create_string_utf8(env, self->text, NAPI_AUTO_LENGTH, &value) != napi_ok)
    napi_get_null(env, &value);
  return value;
}

/* metrics(dir, done): the Prometheus text, through done; null when there is no memory for
 * it. `dir` is "" where there is no disk tier. It walks through the index. */
static napi_value metrics_method(napi_env env, napi_callback_info info) {
  arguments args;
  nxc_slice dir;
  if (!arguments_read(&args, env, info, 2) || !nxn_arena_text(&args.arena, env, args.argv[0], &dir))
    return arguments_end(&args, NXC_E_INVALID);
  job *made = job_create(&args, dir.size + 1);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  if (dir.size) memcpy(made->dir, dir.data, dir.size);
  made->run = metrics_run;
  made->result = metrics_result;
  return job_begin(&args, made);
}

static void warm_run(job *self) {
  nxc_warm(self->cache, duration_from(self->max_ms), &self->warmed);
}

static napi_value warm_result(napi_env env, const job *self) {
  napi_value object = NULL;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  set_number(env, object, "entries", (double)self->warmed.entries);
  set_number(env, object, "bytes", (double)self->warmed.bytes);
  return object;
}

/* warm(maxMs, done): {entries, bytes} that were lifted into memory, through done. */
static napi_value warm_method(napi_env env, napi_callback_info info) {
  arguments args;
  double max_ms;
  if (!arguments_read(&args, env, info, 2) ||
      napi_get_value_double(env, args.argv[0], &max_ms) != napi_ok)
    return arguments_end(&args, NXC_E_INVALID);
  job *made = job_create(&args, 0);
  if (!made) return arguments_end(&args, NXC_E_NOMEM);
  made->max_ms = max_ms;
  made->run = warm_run;
  made->result = warm_result;
  return job_begin(&args, made);
}

bool nxn_calls_define(napi_env env, napi_value object, nxn_cache *cache) {
  static const struct {
    const char *name;
    napi_callback method;
  } methods[] = {
      {"get", get_method},
      {"put", put_method},
      {"remove", remove_method},
      {"clear", clear_method},
      {"mark", mark_method},
      {"judge", judge_method},
      {"birth", birth_method},
      {"whyTag", why_tag_method},
      {"setMemory", set_memory_method},
      {"stats", stats_method},
      {"tellRemote", tell_remote_method},
      {"metrics", metrics_method},
      {"warm", warm_method},
      {"unchanged", unchanged_method},
      {"keepRecords", nxn_keep_records},
      {"takeRecord", nxn_take_record},
      {"parseRecord", nxn_parse_record},
      {"readRecord", nxn_read_record},
      {"putRecords", put_records_method},
      {"dropRecord", nxn_drop_record},
  };
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    napi_value method;
    if (napi_create_function(env, methods[i].name, NAPI_AUTO_LENGTH, methods[i].method, cache,
                             &method) != napi_ok ||
        napi_set_named_property(env, object, methods[i].name, method) != napi_ok)
      return false;
  }
  return true;
}
