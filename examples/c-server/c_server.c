/* c_server.c - an HTTP server that caches the pages it renders. To be copied from.
 *
 *   c-server [PORT [DIR [REVALIDATE_MS [RENDER_MS]]]]
 *
 *   GET  /products/NAME       a page that takes long to render: X-Cache says HIT, STALE or MISS
 *   POST /invalidate?tag=TAG  "product:NAME" for one of them, "products" for all
 *   GET  /metrics             for Prometheus
 *
 * It listens on 127.0.0.1: whoever reaches it may invalidate.
 *
 * A page that is fresh is sent from the cache; one that is stale too, while one renderer
 * makes it anew; for one that is missing the request waits. However many requests want a
 * page, it is rendered once: they share a flight.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <nextcache.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RENDERERS 4
#define TRIES 3 /* to render a page while its tags are being marked */
#define EXPIRE_MS 60000
#define NAME_BYTES 64
#define PRODUCTS "/products/"

typedef enum MHD_Result result;

/* A request, as microhttpd carries it from one call of serve() to the next. */
typedef struct request {
  struct MHD_Connection *connection;
  struct request *next; /* of those that wait for the same flight      */
  nxc_entry *page;      /* what the flight has brought                */
} request;

/* A page that is being rendered, or is about to be. */
typedef struct flight {
  char name[NAME_BYTES];
  request *waiting;
  bool begun;
  struct flight *next;
} flight;

static nxc_cache *cache;
static long revalidate_ms = 1000, render_ms = 200;
static atomic_ulong renders;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what is below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static flight *flights;
static unsigned requests;   /* that have begun and not ended */
static bool ending;         /* the renderers are to end        */
static atomic_bool closing; /* no further requests are wanted */

static void *must(void *memory) {
  if (!memory) abort();
  return memory;
}

static nxc_slice slice_of(const char *text) {
  return (nxc_slice){text, strlen(text)};
}

/* ---- rendering -------------------------------------------------------------------------- */

/* Stands for templates, a database, other services. */
static size_t render(const char *name, char *page, size_t size) {
  struct timespec time = {render_ms / 1000, render_ms % 1000 * 1000000};
  nanosleep(&time, NULL);
  unsigned long number = atomic_fetch_add(&renders, 1) + 1;
  int n = snprintf(page, size, "<!doctype html><title>%s</title><h1>%s</h1><p>Rendering %lu</p>\n",
                   name, name, number);
  return (size_t)n;
}

/* The flight of a page; a new one when there is none. Under the lock. */
static flight *join(const char *name) {
  flight *f = flights;
  while (f && strcmp(f->name, name) != 0) f = f->next;
  if (f) return f;
  f = must(calloc(1, sizeof *f));
  snprintf(f->name, sizeof f->name, "%s", name);
  f->next = flights;
  flights = f;
  pthread_cond_broadcast(&changed);
  return f;
}

static void take_off_the_list(const flight *landed) {
  pthread_mutex_lock(&lock);
  flight **at = &flights;
  while (*at && *at != landed) at = &(*at)->next;
  if (*at) *at = landed->next;
  pthread_mutex_unlock(&lock);
}

/* Renders a page and stores it. A tag that is marked meanwhile makes it born dead: then
 * nobody who asked after that mark may get it, and it is rendered again. Whoever asks
 * when the flight is off the list gets a new one. */
static nxc_entry *make_page(const flight *f) {
  char page[4096], tag[NAME_BYTES + 16];
  nxc_entry *entry = NULL;
  int rc = NXC_BORN_DEAD;
  snprintf(tag, sizeof tag, "product:%s", f->name);
  const nxc_slice tags[] = {slice_of("products"), slice_of(tag)};
  for (int tries = 0; tries < TRIES && rc == NXC_BORN_DEAD; tries++) {
    nxc_entry_unref(entry);
    uint64_t birth = nxc_birth(cache); /* before the data is read */
    nxc_slice part = {page, render(f->name, page, sizeof page)};
    const nxc_record record = {.key = slice_of(f->name),
                               .birth = birth,
                               .revalidate_ms = revalidate_ms,
                               .expire_ms = EXPIRE_MS,
                               .tags = tags,
                               .tag_count = 2,
                               .parts = &part,
                               .part_count = 1};
    if (nxc_entry_create(cache, &record, &entry) != NXC_OK) abort(); /* out of memory */
    take_off_the_list(f);
    rc = nxc_put_entry(cache, entry);
  }
  return entry;
}

/* Hands the page to all that wait for it. */
static void land(flight *f) {
  nxc_entry *page = make_page(f);
  for (request *r = f->waiting, *next; r; r = next) {
    next = r->next; /* it may be over as soon as it goes on */
    r->page = nxc_entry_ref(page);
    MHD_resume_connection(r->connection);
  }
  nxc_entry_unref(page);
  free(f);
}

static void *renderer(void *unused) {
  for (;;) {
    pthread_mutex_lock(&lock);
    flight *f = flights;
    while (f && f->begun) f = f->next;
    if (f) f->begun = true;
    if (!f && !ending) pthread_cond_wait(&changed, &lock);
    bool over = !f && ending;
    pthread_mutex_unlock(&lock);
    if (over) return unused;
    if (f) land(f);
  }
}

/* ---- answering --------------------------------------------------------------------------- */

static result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                     struct MHD_Response *response) {
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (closing) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

static result answer_text(struct MHD_Connection *connection, unsigned status, const char *text) {
  return answer(connection, status, "text/plain; charset=utf-8",
                MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

static void release(void *entry) {
  nxc_entry_unref(entry);
}

/* Sends a page out of its entry, without a copy; takes the reference. */
static result answer_page(struct MHD_Connection *connection, nxc_entry *page, const char *how) {
  nxc_slice body = nxc_entry_part(page, 0);
  struct MHD_Response *response = must(MHD_create_response_from_buffer_with_free_callback_cls(
      body.size, (void *)body.data, release, page));
  MHD_add_response_header(response, "X-Cache", how);
  return answer(connection, MHD_HTTP_OK, "text/html; charset=utf-8", response);
}

static result serve_product(request *r, const char *name) {
  if (r->page) return answer_page(r->connection, nxc_entry_ref(r->page), "MISS");
  nxc_query query = {.key = slice_of(name)};
  nxc_found found;
  int verdict = nxc_get(cache, &query, &found);
  if (verdict == NXC_OK) return answer_page(r->connection, found.entry, "HIT");
  pthread_mutex_lock(&lock);
  flight *f = ending ? NULL : join(name);
  if (f && verdict == NXC_MISS) {
    r->next = f->waiting;
    f->waiting = r;
    MHD_suspend_connection(r->connection);
  }
  pthread_mutex_unlock(&lock);
  if (verdict == NXC_STALE) return answer_page(r->connection, found.entry, "STALE");
  return f ? MHD_YES : MHD_NO;
}

static result serve_invalidation(struct MHD_Connection *connection) {
  const char *tag = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "tag");
  if (!tag) return answer_text(connection, MHD_HTTP_BAD_REQUEST, "which tag?\n");
  int rc = nxc_mark(cache, &(nxc_slice){tag, strlen(tag)}, 1, 0);
  return rc >= 0 ? answer_text(connection, MHD_HTTP_OK, "done\n")
                 : answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, nxc_strerror(rc));
}

static result serve_metrics(struct MHD_Connection *connection) {
  char text[512];
  nxc_stats s = {0};
  nxc_stats_get(cache, &s);
  const unsigned long long hits = s.memory_hits[0] + s.disk_hits[0], stale = s.stale_hits[0],
                           misses = s.misses[0], marks = s.marks;
  snprintf(text, sizeof text,
           "pages_rendered_total %lu\ncache_hits_total %llu\ncache_stale_hits_total %llu\n"
           "cache_misses_total %llu\ncache_invalidations_total %llu\n",
           atomic_load(&renders), hits, stale, misses, marks);
  return answer_text(connection, MHD_HTTP_OK, text);
}

static void count_request(int change) {
  pthread_mutex_lock(&lock);
  requests += (unsigned)change;
  if (!requests) pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

/* Called when a request's head is there, when its body is, and after MHD_resume_connection(). */
static result serve(void *unused, struct MHD_Connection *connection, const char *url,
                    const char *method, const char *version, const char *body, size_t *body_size,
                    void **state) {
  (void)unused, (void)version, (void)body;
  request *r = *state;
  if (!r) {
    r = *state = must(calloc(1, sizeof *r));
    r->connection = connection;
    count_request(1);
    return MHD_YES;
  }
  if (*body_size) return *body_size = 0, MHD_YES; /* nobody wants it */
  bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
  const char *name = strncmp(url, PRODUCTS, strlen(PRODUCTS)) == 0 ? url + strlen(PRODUCTS) : "";
  if (get && *name && strlen(name) < NAME_BYTES && !strpbrk(name, "<>&/"))
    return serve_product(r, name);
  if (get && strcmp(url, "/metrics") == 0) return serve_metrics(connection);
  if (strcmp(method, "POST") == 0 && strcmp(url, "/invalidate") == 0)
    return serve_invalidation(connection);
  return answer_text(connection, MHD_HTTP_NOT_FOUND, "there is no such page\n");
}

static void after_request(void *unused, struct MHD_Connection *connection, void **state,
                          enum MHD_RequestTerminationCode why) {
  (void)unused, (void)connection, (void)why;
  request *r = *state;
  if (!r) return;
  nxc_entry_unref(r->page);
  free(r);
  count_request(-1);
}

/* ---- the process ---------------------------------------------------------------------------- */

static void tell(void *file, const char *message) {
  fprintf(file, "c-server: %s\n", message);
}

/* Runs until SIGTERM or SIGINT. What has been begun is finished and sent; no connection
 * may be suspended when the daemon stops. */
static void run(struct MHD_Daemon *daemon, const sigset_t *signals) {
  pthread_t threads[RENDERERS];
  int signal;
  for (int i = 0; i < RENDERERS; i++) pthread_create(&threads[i], NULL, renderer, NULL);
  printf("listening on %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
  fflush(stdout);
  sigwait(signals, &signal);
  close(MHD_quiesce_daemon(daemon));
  closing = true;
  pthread_mutex_lock(&lock);
  while (requests) pthread_cond_wait(&changed, &lock);
  ending = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < RENDERERS; i++) pthread_join(threads[i], NULL);
  MHD_stop_daemon(daemon);
}

int main(int argc, char **argv) {
  uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 8080;
  if (argc > 3) revalidate_ms = atol(argv[3]);
  if (argc > 4) render_ms = atol(argv[4]);
  nxc_options options;
  nxc_options_init(&options);
  options.dir = argc > 2 ? argv[2] : "c-server-cache";
  options.on_error = tell;
  options.on_error_arg = stderr;
  if (nxc_open(&cache, &options) < 0) return 1;
  sigset_t signals; /* blocked in every thread, and taken by sigwait() */
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, port, NULL,
      NULL, serve, NULL, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&address,
      MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
      MHD_OPTION_NOTIFY_COMPLETED, after_request, NULL, MHD_OPTION_END);
  if (daemon) run(daemon, &signals);
  nxc_close(cache);
  return daemon ? 0 : 1;
}
