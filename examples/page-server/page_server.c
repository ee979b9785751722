/* page_server.c - finished pages of a Next.js site, answered from its live cache.
 *
 *   page-server --site DIR [--listen HOST:PORT] [--next HOST:PORT] [--cache DIR]
 *               [--memory MB] [--threads N]
 *
 * Each thread has an event loop and a listening socket of its own; the kernel spreads the
 * clients over them. SIGUSR1 prints the counters, SIGTERM and SIGINT end it.
 */
#include <limits.h>
#include <nextcache_admin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "connection.h"

#define MB 1048576u
#define SWEEP_MS 1000
#define MOST_THREADS 64
#define MOST_MB (UINT64_C(1) << 40) /* so that it is bytes without an overflow */
#define LAST_ANSWERS_MS 10000
#define WAIT_MS 100

typedef struct settings {
  const char *site, *listen, *next, *cache;
  uint64_t memory_mb, threads;
} settings;

static int usage(void) {
  fputs("usage: page-server --site DIR [--listen HOST:PORT] [--next HOST:PORT] [--cache DIR]\n"
        "                   [--memory MB] [--threads N]\n",
        stderr);
  return 2;
}

/* Digits alone: strtoull() also takes a sign, and what stands behind the number. */
static bool read_number(const char *text, uint64_t most, uint64_t *out) {
  size_t digits = strspn(text, "0123456789");
  if (!digits || digits > 18 || text[digits]) return false;
  *out = strtoull(text, NULL, 10);
  return *out <= most;
}

static bool read_settings(settings *s, int argc, char **argv) {
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!value) return false;
    if (strcmp(name, "--site") == 0)
      s->site = value;
    else if (strcmp(name, "--listen") == 0)
      s->listen = value;
    else if (strcmp(name, "--next") == 0)
      s->next = value;
    else if (strcmp(name, "--cache") == 0)
      s->cache = value;
    else if (!(strcmp(name, "--memory") == 0 && read_number(value, MOST_MB, &s->memory_mb)) &&
             !(strcmp(name, "--threads") == 0 && read_number(value, MOST_THREADS, &s->threads)))
      return false;
  }
  return s->site && s->threads >= 1;
}

/* 127.0.0.1:PORT or [::1]:PORT. */
static bool read_address(const char *text, struct sockaddr_storage *out) {
  char host[256];
  uint64_t port;
  const char *colon = strrchr(text, ':');
  if (!colon || !read_number(colon + 1, UINT16_MAX, &port)) return false;
  bool six = text[0] == '[' && colon[-1] == ']';
  const char *begin = six ? text + 1 : text, *end = six ? colon - 1 : colon;
  if (end < begin || (size_t)(end - begin) >= sizeof host) return false;
  snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin);
  return six ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out) == 0
             : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out) == 0;
}

/* ---- a thread ------------------------------------------------------------------------------ */

static void on_sweep(uv_timer_t *timer) {
  worker *w = timer->data;
  worker_check_site(w); /* also where nobody asks */
  connection_sweep(w, w->stopping);
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* No more clients; those that wait for an answer have some time left. */
static void on_stop(uv_async_t *async) {
  worker *w = async->data;
  w->stopping = true;
  close_handle((uv_handle_t *)&w->listener, NULL);
  connection_sweep(w, true);
}

/* One round of the loop at a time, so that the end is noticed: the sweep's timer bounds it. */
static void run(void *arg) {
  worker *w = arg;
  uint64_t stopped_at = 0;
  while (!w->stopping || w->connections) {
    uv_run(&w->loop, UV_RUN_ONCE);
    if (!w->stopping) continue;
    if (!stopped_at) stopped_at = uv_now(&w->loop);
    if (uv_now(&w->loop) - stopped_at > LAST_ANSWERS_MS) break;
  }
}

/* With SO_REUSEPORT every thread has a queue of its own, and none wakes for another's client. */
static int listen_at(worker *w, const struct sockaddr *address) {
  int fd, on = 1, rc = uv_tcp_init_ex(&w->loop, &w->listener, address->sa_family);
  w->listener.data = w;
  if (rc == 0) rc = uv_fileno((uv_handle_t *)&w->listener, &fd);
  if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) rc = UV_ENOTSUP;
  if (rc == 0) rc = uv_tcp_bind(&w->listener, address, 0);
  return rc ? rc : uv_listen((uv_stream_t *)&w->listener, SOMAXCONN, connection_accept);
}

/* The first may ask for any free port; the others then listen on the same. */
static int worker_open(worker *w, struct sockaddr_storage *address) {
  int size = sizeof *address;
  uv_loop_init(&w->loop);
  uv_timer_init(&w->loop, &w->sweep);
  uv_async_init(&w->loop, &w->stop, on_stop);
  w->sweep.data = w->stop.data = w;
  uv_timer_start(&w->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
  worker_check_site(w);
  int rc = listen_at(w, (const struct sockaddr *)address);
  return rc ? rc : uv_tcp_getsockname(&w->listener, (struct sockaddr *)address, &size);
}

static void worker_close(worker *w) {
  connection_close_all(w);
  uv_walk(&w->loop, close_handle, NULL);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  uv_loop_close(&w->loop);
  site_free(w->site);
}

/* ---- the process --------------------------------------------------------------------------- */

typedef struct server {
  char dir[PATH_MAX]; /* of the cache */
  uint64_t memory_mb;
  nxc_cache *cache; /* NULL until Next.js has made it */
  worker *workers;
  size_t count;
} server;

static void print_counters(const server *s) {
  unsigned long served = 0, proxied = 0, learned = 0, failed = 0;
  for (size_t i = 0; i < s->count; i++) {
    served += atomic_load(&s->workers[i].served);
    proxied += atomic_load(&s->workers[i].proxied);
    learned += atomic_load(&s->workers[i].learned);
    failed += atomic_load(&s->workers[i].failed);
  }
  printf("served %lu, proxied %lu, learned %lu, failed %lu\n", served, proxied, learned, failed);
  fflush(stdout);
}

static void on_signal(uv_signal_t *signal, int number) {
  (void)number;
  print_counters(signal->data);
}

static void on_end(uv_signal_t *signal, int number) {
  (void)number;
  uv_stop(signal->loop);
}

/* Before anything is printed: whoever waits for the first line may then signal. */
static void watch_signals(server *s) {
  static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT};
  static uv_signal_t signals[3];
  for (int i = 0; i < 3; i++) {
    uv_signal_init(uv_default_loop(), &signals[i]);
    signals[i].data = s;
    uv_signal_start(&signals[i], i ? on_end : on_signal, numbers[i]);
  }
}

static void tell(void *arg, const char *message) {
  (void)arg;
  fprintf(stderr, "page-server: %s\n", message);
}

/* The same directory, the same user and the same library version's format as the site's. */
static void open_cache(server *s) {
  nxc_options options;
  nxc_view *view;
  int found = nxc_view_open(&view, s->dir, NULL, 0);
  nxc_view_close(view);
  if (found == NXC_MISS) return;
  nxc_options_init(&options);
  options.dir = s->dir;
  options.memory_bytes = s->memory_mb * MB;
  options.disk_bytes = NXC_ADOPT;
  options.on_error = tell;
  if (nxc_open(&s->cache, &options) < 0) s->cache = NULL;
  for (size_t i = 0; i < s->count; i++) atomic_store(&s->workers[i].cache, s->cache);
}

static void on_wait(uv_timer_t *timer) {
  server *s = timer->data;
  open_cache(s);
  if (s->cache) uv_timer_stop(timer);
}

/* The cache is made by Next.js, with the bound that it was given. */
static void find_cache(server *s, const settings *set) {
  static uv_timer_t wait;
  s->memory_mb = set->memory_mb;
  if (set->cache)
    snprintf(s->dir, sizeof s->dir, "%s", set->cache);
  else
    snprintf(s->dir, sizeof s->dir, "%s/.cache/nextcache", set->site);
  open_cache(s);
  if (s->cache) return;
  printf("there is no cache in %s yet: everything goes to Next.js\n", s->dir);
  fflush(stdout);
  uv_timer_init(uv_default_loop(), &wait);
  wait.data = s;
  uv_timer_start(&wait, on_wait, WAIT_MS, WAIT_MS);
}

static bool open_workers(server *s, const settings *set) {
  struct sockaddr_storage address, next;
  char name[INET6_ADDRSTRLEN];
  if (!read_address(set->listen, &address) || !read_address(set->next, &next)) {
    fputs("page-server: an address is numbers, such as 127.0.0.1:3000 or [::1]:3000\n", stderr);
    return false;
  }
  for (size_t i = 0; i < s->count; i++) {
    worker *w = &s->workers[i];
    w->site_dir = set->site;
    w->upstream = next;
    w->tells = i == 0;
    int rc = worker_open(w, &address);
    if (rc == 0) continue;
    fprintf(stderr, "page-server: cannot listen on %s: %s\n", set->listen, uv_strerror(rc));
    return false;
  }
  uv_ip_name((struct sockaddr *)&address, name, sizeof name);
  printf(address.ss_family == AF_INET6 ? "listening on [%s]:%d\n" : "listening on %s:%d\n", name,
         ntohs(((struct sockaddr_in *)&address)->sin_port)); /* at the same place in both */
  fflush(stdout);
  return true;
}

int main(int argc, char **argv) {
  settings set = {.listen = "127.0.0.1:8080",
                  .next = "127.0.0.1:3000",
                  .memory_mb = 128,
                  .threads = uv_available_parallelism()};
  if (!read_settings(&set, argc, argv)) return usage();
  server s = {.count = set.threads, .workers = calloc(set.threads, sizeof(worker))};
  signal(SIGPIPE, SIG_IGN);
  watch_signals(&s);
  if (!s.workers) return 1;
  find_cache(&s, &set);
  if (!open_workers(&s, &set)) return 1;
  for (size_t i = 0; i < s.count; i++) uv_thread_create(&s.workers[i].thread, run, &s.workers[i]);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until a signal ends it */
  for (size_t i = 0; i < s.count; i++) uv_async_send(&s.workers[i].stop);
  for (size_t i = 0; i < s.count; i++) {
    uv_thread_join(&s.workers[i].thread);
    worker_close(&s.workers[i]);
  }
  print_counters(&s);
  nxc_close(s.cache);
  free(s.workers);
  return 0;
}
