/* cmd_metrics.c - nextcache metrics: the counters for Prometheus, once or over HTTP.
 *
 * No series carries a process id: what a process counted stays in the totals when it
 * ends, so counters never fall. A server that is to be reached from other machines
 * asks for a token, which is compared in constant time.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#ifdef CLI_HAS_MICROHTTPD
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

/* ---- text ------------------------------------------------------------------------------ */

static void put_counters(FILE *to, const nxc_stats *stats) {
  for (const cli_counter *c = cli_counters; c->name; c++) {
    fprintf(to, "# HELP nextcache_%s %s\n# TYPE nextcache_%s %s\n", c->metric, c->help, c->metric,
            c->gauge ? "gauge" : "counter");
    for (unsigned i = 0; i < (c->by_class ? CLI_CLASSES : 1); i++) {
      uint64_t n = cli_counter_of(c, stats, i);
      if (c->by_class) {
        fprintf(to, "nextcache_%s{class=\"%s\"} %" PRIu64 "\n", c->metric, cli_class_names[i], n);
      } else {
        fprintf(to, "nextcache_%s %" PRIu64 "\n", c->metric, n);
      }
    }
  }
}

static void put_gauge(FILE *to, const char *name, const char *help, double value) {
  fprintf(to, "# HELP nextcache_%s %s\n# TYPE nextcache_%s gauge\nnextcache_%s %.15g\n", name, help,
          name, name, value);
}

static void put_times(FILE *to, const nxc_view *view) {
  static const char *const names[] = {"disk_read", "put", "invalidation"};
  for (int i = NXC_TIMED_READ; i <= NXC_TIMED_MARK; i++) {
    nxc_times t;
    nxc_view_times(view, (nxc_timed)i, &t);
    fprintf(to,
            "# HELP nextcache_%s_seconds How long it took, since the cache was made.\n"
            "# TYPE nextcache_%s_seconds gauge\n",
            names[i], names[i]);
    const double shares[] = {0.5, 0.9, 0.99}, us[] = {t.p50_us, t.p90_us, t.p99_us};
    for (int k = 0; k < 3; k++) {
      fprintf(to, "nextcache_%s_seconds{quantile=\"%g\"} %.9f\n", names[i], shares[k], us[k] / 1e6);
    }
  }
}

static int oldest(void *arg, const nxc_seen *seen) {
  nxc_record r;
  if (!seen->entry) return 1;
  nxc_entry_read(seen->entry, &r);
  *(double *)arg = (double)(cli_now_ms() - r.created_ms) / 1000;
  return 0;
}

static void put_metrics(FILE *to, nxc_view *view) {
  nxc_stats stats;
  nxc_shape shape;
  nxc_process *list;
  size_t count = 0;
  double age = 0;
  put_gauge(to, "up", "Whether the cache could be read.", 1);
  nxc_view_stats(view, &stats);
  nxc_view_shape(view, &shape);
  put_counters(to, &stats);
  put_times(to, view);
  put_gauge(to, "slots_used", "Entries in the index, dead ones included.", shape.slots_used);
  put_gauge(to, "tag_rows", "Tags whose marks can be remembered.", shape.tag_rows);
  put_gauge(to, "tag_rows_used", "Tags whose marks are remembered.", shape.tag_rows_used);
  put_gauge(to, "floor_seconds", "Wall time of the newest mark that was forgotten early.",
            (double)shape.floor_ms / 1000);
  nxc_view_each(view, oldest, &age);
  put_gauge(to, "oldest_entry_seconds", "Age of the entry that the ring will recycle next.", age);
  if (nxc_view_processes(view, &list, &count) == NXC_OK) free(list);
  put_gauge(to, "processes", "Processes that have the cache open.", (double)count);
}

static int once(void) {
  nxc_view *view;
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  put_metrics(stdout, view);
  nxc_view_close(view);
  return CLI_OK;
}

/* ---- over HTTP ----------------------------------------------------------------------------- */

#ifdef CLI_HAS_MICROHTTPD

/* Takes as long whatever the difference. */
static bool same_token(const char *given, const char *wanted) {
  size_t n = strlen(wanted), m = strlen(given);
  unsigned char differs = n != m;
  for (size_t i = 0; i < n; i++) differs |= (unsigned char)(given[i < m ? i : m] ^ wanted[i]);
  return !differs;
}

static enum MHD_Result answer(struct MHD_Connection *to, unsigned status, const char *type,
                              char *text) {
  struct MHD_Response *r =
      MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
  MHD_add_response_header(r, "Content-Type", type);
  MHD_add_response_header(r, "Cache-Control", "no-store");
  MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
  if (status == MHD_HTTP_UNAUTHORIZED) MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
  enum MHD_Result rc = MHD_queue_response(to, status, r);
  MHD_destroy_response(r);
  return rc;
}

static enum MHD_Result scrape(struct MHD_Connection *to) {
  static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
  char *text;
  size_t size;
  nxc_view *view;
  char problem[512]; /* names a path, and so stays here */
  FILE *out = open_memstream(&text, &size);
  if (!out) return MHD_NO;
  if (nxc_view_open(&view, cli_where()->dir, problem, sizeof problem) == NXC_OK) {
    put_metrics(out, view);
    nxc_view_close(view);
  } else {
    put_gauge(out, "up", "Whether the cache could be read.", 0);
  }
  fclose(out);
  return answer(to, MHD_HTTP_OK, type, text);
}

static enum MHD_Result serve(void *token, struct MHD_Connection *to, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **state) {
  (void)version, (void)data, (void)state;
  const char *given = MHD_lookup_connection_value(to, MHD_HEADER_KIND, "Authorization");
  if (*size) { /* nobody sends us anything */
    *size = 0;
    return MHD_YES;
  }
  if (token && (!given || strncmp(given, "Bearer ", 7) != 0 || !same_token(given + 7, token))) {
    return answer(to, MHD_HTTP_UNAUTHORIZED, "text/plain", cli_strdup("a token is needed\n"));
  }
  if (strcmp(method, "GET") != 0) {
    return answer(to, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", cli_strdup("GET only\n"));
  }
  if (strcmp(url, "/metrics") != 0) {
    return answer(to, MHD_HTTP_NOT_FOUND, "text/plain", cli_strdup("see /metrics\n"));
  }
  return scrape(to);
}

/* "9464", "127.0.0.1:9464", "[::1]:9464" */
static bool parse_address(const char *text, struct sockaddr_storage *out, bool *loopback) {
  char host[64] = "127.0.0.1";
  uint64_t port;
  const char *colon = strrchr(text, ':');
  if (colon) {
    size_t n = (size_t)(colon - text);
    bool brackets = n > 1 && text[0] == '[' && text[n - 1] == ']';
    if (brackets) text++, n -= 2;
    if (n >= sizeof host) return false;
    memcpy(host, text, n);
    host[n] = '\0';
  }
  if (!cli_parse_number(colon ? colon + 1 : text, &port) || port > 65535) return false;
  struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
  *out = (struct sockaddr_storage){.ss_family = AF_INET};
  if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
    four->sin_port = htons((uint16_t)port);
    *loopback = (ntohl(four->sin_addr.s_addr) >> 24) == 127;
    return true;
  }
  *out = (struct sockaddr_storage){.ss_family = AF_INET6};
  if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) return false;
  six->sin6_port = htons((uint16_t)port);
  *loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
  return true;
}

static volatile sig_atomic_t ended;

static void on_signal(int unused) {
  (void)unused;
  ended = 1;
}

static int listen_on(const char *address, const char *token) {
  struct sockaddr_storage socket_address;
  const struct sigaction end = {.sa_handler = on_signal};
  bool loopback = false;
  uint32_t uid, gid;
  if (!parse_address(address, &socket_address, &loopback)) {
    return cli_fail(CLI_USAGE, "metrics: --listen is \"%s\"; it should be 127.0.0.1:9464 or so",
                    address);
  }
  if (!loopback && !token) {
    return cli_fail(CLI_USAGE,
                    "metrics: %s can be reached from other machines; "
                    "set NEXT_CACHE_METRICS_TOKEN, or listen on 127.0.0.1",
                    address);
  }
  if (nxc_view_owner(cli_where()->dir, &uid, &gid) == NXC_OK) {
    int code = cli_become(uid, gid);
    if (code != CLI_OK) return code;
  }
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGTERM, &end, NULL);
  unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG;
  if (socket_address.ss_family == AF_INET6) flags |= MHD_USE_IPv6;
  struct MHD_Daemon *d =
      MHD_start_daemon(flags, 0, NULL, NULL, serve, (void *)(uintptr_t)token, MHD_OPTION_SOCK_ADDR,
                       (struct sockaddr *)&socket_address, MHD_OPTION_CONNECTION_LIMIT, 64u,
                       MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
  if (!d) return cli_fail(CLI_UNREADABLE, "metrics: cannot listen on %s", address);
  const union MHD_DaemonInfo *port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
  cli_warn("metrics on port %u, path /metrics", port ? port->port : 0u);
  while (!ended) pause();
  MHD_stop_daemon(d);
  return CLI_OK;
}

#else

static int listen_on(const char *address, const char *token) {
  (void)address, (void)token;
  return cli_fail(CLI_UNREADABLE, "metrics: --listen is not in this build; it needs libmicrohttpd "
                                  "(apt install libmicrohttpd-dev, and build again)");
}

#endif

int cli_cmd_metrics(const cli_command *self, int argc, char **argv) {
  const char *address = NULL;
  int code;
  const cli_option options[] = {
      {"listen", CLI_TEXT, &address, "ADDRESS", "serve them over HTTP, as 127.0.0.1:9464 or 9464"},
      {0},
  };
  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  return address ? listen_on(address, cli_setting("NEXT_CACHE_METRICS_TOKEN", NULL)) : once();
}
