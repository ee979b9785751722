/* http.c - a small read-only server on libmicrohttpd, for `metrics` and `dashboard`.
 *
 * Each connection has a thread of its own, so that a page that takes long (a walk over
 * all entries) holds up nobody else. The token never leaves this process: a browser
 * that sent it gets a cookie with a random word of this run instead, which other
 * programs on other ports of the same name cannot turn into the token.
 */
#include "http.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef CLI_HAS_MICROHTTPD

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#define COOKIE "nextcache-session"
/* A thread each. No address gets all of them: whoever sends byte by byte keeps his own. */
#define MOST_CONNECTIONS 64u

static const cli_site *site; /* the one of this run */
static char *token;          /* NULL: none is asked for */
static char session[65];     /* what the cookie holds: 64 hexadecimal digits */

/* ---- answers ------------------------------------------------------------------------- */

/* Nothing but our own files, and those as files: neither scripts nor styles in the page,
 * no frames around it, no form that sends the token elsewhere. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

static enum MHD_Result answer(struct MHD_Connection *to, unsigned status, const cli_page *page,
                              const char *name, const char *value) {
  union {
    const void *read;
    void *given;
  } body = {page->body}; /* libmicrohttpd writes to none of them */
  struct MHD_Response *r = MHD_create_response_from_buffer(
      page->size, body.given, page->ours ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
  if (!r) return MHD_NO;
  MHD_add_response_header(r, "Content-Type", page->type);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    MHD_add_response_header(r, headers[i][0], headers[i][1]);
  }
  if (name) MHD_add_response_header(r, name, value);
  if (status == MHD_HTTP_SEE_OTHER) MHD_add_response_header(r, "Location", "/");
  enum MHD_Result rc = MHD_queue_response(to, status, r);
  MHD_destroy_response(r);
  return rc;
}

/* Texts of our own: nothing of a request or of the machine is repeated in an answer. */
static enum MHD_Result say(struct MHD_Connection *to, unsigned status, const char *text,
                           const char *name, const char *value) {
  const cli_page page = {"text/plain; charset=utf-8", text, strlen(text), false};
  return answer(to, status, &page, name, value);
}

/* The login page, with a word about what was sent before. */
static enum MHD_Result ask(struct MHD_Connection *to, const char *message) {
  static const char place[] = "<!-- message -->";
  const char *at = strstr(site->login, place);
  size_t before = at ? (size_t)(at - site->login) : strlen(site->login);
  char *text =
      cli_format("%.*s%s%s", (int)before, site->login, message, at ? at + sizeof place - 1 : "");
  const cli_page page = {"text/html; charset=utf-8", text, strlen(text), true};
  return answer(to, MHD_HTTP_UNAUTHORIZED, &page, "WWW-Authenticate", "Bearer");
}

/* ---- who asks -------------------------------------------------------------------------- */

/* With any port: a tunnel may have another one at its other end. */
static bool is_loopback_name(const char *host) {
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t n = strlen(names[i]);
    if (strncasecmp(host, names[i], n) == 0 && (!host[n] || host[n] == ':')) return true;
  }
  return false;
}

/* With a token the name does not matter: a browser sends the cookie of one name to no
 * other, and a stranger's page does not know the token. */
static bool is_meant_for_us(struct MHD_Connection *from) {
  const char *host = MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Host");
  return token || (host && is_loopback_name(host));
}

static bool may_look(struct MHD_Connection *from, const char *path) {
  const char *bearer = MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Authorization");
  const char *cookie = MHD_lookup_connection_value(from, MHD_COOKIE_KIND, COOKIE);
  if (!token || (site->is_public && site->is_public(path))) return true;
  if (bearer && strncmp(bearer, "Bearer ", 7) == 0) return cli_same_token(bearer + 7, token);
  return site->login && cookie && cli_same_token(cookie, session);
}

/* ---- the login form ---------------------------------------------------------------------- */

typedef struct form { /* what a browser sends; a longer token is none of ours */
  struct MHD_PostProcessor *parser;
  char given[512];
  size_t size;
} form;

static enum MHD_Result on_field(void *arg, enum MHD_ValueKind kind, const char *key,
                                const char *file, const char *type, const char *encoding,
                                const char *data, uint64_t offset, size_t size) {
  form *f = arg;
  (void)kind, (void)file, (void)type, (void)encoding, (void)offset;
  if (strcmp(key, "token") != 0) return MHD_YES;
  /* The connection is closed: nobody who knows the token sends so much. */
  if (size >= sizeof f->given - f->size) return MHD_NO;
  memcpy(f->given + f->size, data, size);
  f->size += size;
  return MHD_YES;
}

static void on_completed(void *unused, struct MHD_Connection *from, void **state,
                         enum MHD_RequestTerminationCode code) {
  form *f = *state;
  (void)unused, (void)from, (void)code;
  if (!f) return;
  if (f->parser) MHD_destroy_post_processor(f->parser);
  free(f);
  *state = NULL;
}

/* Called again and again while the form arrives, and once without data at its end. */
static enum MHD_Result login(struct MHD_Connection *from, const char *data, size_t *size,
                             void **state) {
  form *f = *state;
  if (!f) {
    *state = f = calloc(1, sizeof *f);
    if (f) f->parser = MHD_create_post_processor(from, 1024, on_field, f);
    return f && f->parser ? MHD_YES : MHD_NO;
  }
  if (*size) {
    if (MHD_post_process(f->parser, data, *size) != MHD_YES) return MHD_NO;
    *size = 0;
    return MHD_YES;
  }
  if (!cli_same_token(f->given, token)) return ask(from, "<p>That is not the token.</p>");
  char *cookie = cli_format(COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict", session);
  enum MHD_Result rc = say(from, MHD_HTTP_SEE_OTHER, "", "Set-Cookie", cookie);
  free(cookie);
  return rc;
}

/* ---- requests ------------------------------------------------------------------------------ */

static uint64_t since_of(struct MHD_Connection *from) {
  const char *text = MHD_lookup_connection_value(from, MHD_GET_ARGUMENT_KIND, "since");
  uint64_t since = 0;
  return text && cli_parse_number(text, &since) ? since : 0;
}

static enum MHD_Result serve(void *unused, struct MHD_Connection *from, const char *path,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **state) {
  (void)unused, (void)version;
  cli_page page = {0};
  bool form_comes = *state != NULL;
  if (!form_comes && *size) { /* nobody else sends us anything */
    *size = 0;
    return MHD_YES;
  }
  if (!is_meant_for_us(from)) {
    return say(from, MHD_HTTP_MISDIRECTED_REQUEST, "ask for localhost, or set a token\n", NULL,
               NULL);
  }
  if (token && site->login && strcmp(method, "POST") == 0 && strcmp(path, "/login") == 0) {
    return login(from, data, size, state);
  }
  if (!may_look(from, path)) {
    if (site->login && strcmp(path, "/") == 0) return ask(from, "");
    return say(from, MHD_HTTP_UNAUTHORIZED, "a token is needed\n", "WWW-Authenticate", "Bearer");
  }
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
    return say(from, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n", "Allow", "GET, HEAD");
  }
  if (!site->page(path, since_of(from), &page)) {
    return say(from, MHD_HTTP_NOT_FOUND, "there is no such page\n", NULL, NULL);
  }
  return answer(from, MHD_HTTP_OK, &page, NULL, NULL);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* "9464", "127.0.0.1:9464", "localhost:9464", "[::1]:9464" */
static bool parse_address(const char *text, struct sockaddr_storage *out, bool *loopback) {
  char host[64] = "127.0.0.1";
  uint64_t port;
  /* The last one, because an address of version 6 has more of them. */
  const char *colon = strrchr(text, ':');
  if (colon && strncmp(text, "localhost:", 10) != 0) {
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

static int take_token(void) {
  char line[512] = "";
  if (!site->token_file) {
    const char *set = cli_setting("NEXT_CACHE_METRICS_TOKEN", NULL);
    token = set && *set ? cli_strdup(set) : NULL;
    return CLI_OK;
  }
  FILE *f = fopen(site->token_file, "re");
  if (!f) return cli_fail(CLI_UNREADABLE, "%s: %s: %m", site->command, site->token_file);
  bool read = fgets(line, sizeof line, f);
  fclose(f);
  line[strcspn(line, "\r\n")] = '\0';
  if (!read || !*line) {
    return cli_fail(CLI_USAGE, "%s: %s: its first line should be the token", site->command,
                    site->token_file);
  }
  token = cli_strdup(line);
  return CLI_OK;
}

static int make_session(void) {
  unsigned char bytes[32];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
    return cli_fail(CLI_UNREADABLE, "%s: no random numbers: %m", site->command);
  }
  for (size_t i = 0; i < sizeof bytes; i++) sprintf(session + 2 * i, "%02x", bytes[i]);
  return CLI_OK;
}

static int prepare(struct sockaddr_storage *address) {
  bool loopback = false;
  if (!parse_address(site->address, address, &loopback)) {
    return cli_fail(CLI_USAGE, "%s: --listen is \"%s\"; it should be 127.0.0.1:9464 or so",
                    site->command, site->address);
  }
  int code = take_token();
  if (code == CLI_OK) code = make_session();
  if (code != CLI_OK) return code;
  if (!loopback && !token) {
    return cli_fail(CLI_USAGE,
                    "%s: %s can be reached from other machines; set NEXT_CACHE_METRICS_TOKEN or "
                    "--token-file, or listen on 127.0.0.1",
                    site->command, site->address);
  }
  /* Before anything is listened on: what answers strangers has no rights of root. */
  return cli_become_owner();
}

static volatile sig_atomic_t ended;

static void on_signal(int unused) {
  (void)unused;
  ended = 1;
}

/* Turns at whole seconds of a clock that no step moves, however long a turn takes. One that
 * was missed, because the process was stopped for a while, is not made up for. */
static int run_until_ended(void) {
  struct timespec at, now;
  clock_gettime(CLOCK_MONOTONIC, &at);
  while (!ended) {
    /* The cache, and with it an owner, may come later than we. */
    int code = geteuid() == 0 ? cli_become_owner() : CLI_OK;
    if (code != CLI_OK) return code;
    if (site->turn) site->turn();
    clock_gettime(CLOCK_MONOTONIC, &now);
    at.tv_sec = (now.tv_sec > at.tv_sec ? now.tv_sec : at.tv_sec) + 1;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
  }
  return CLI_OK;
}

int cli_serve(const cli_site *which) {
  struct sockaddr_storage address = {0};
  const struct sigaction end = {.sa_handler = on_signal};
  site = which;
  int code = prepare(&address);
  if (code != CLI_OK) return code;
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGTERM, &end, NULL);
  unsigned flags =
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG;
  if (address.ss_family == AF_INET6) flags |= MHD_USE_DUAL_STACK; /* [::] is all of both */
  struct MHD_Daemon *d = MHD_start_daemon(
      flags, 0, NULL, NULL, serve, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
      MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      MOST_CONNECTIONS / 2, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_NOTIFY_COMPLETED,
      on_completed, NULL, MHD_OPTION_END);
  if (!d) {
    return cli_fail(CLI_UNREADABLE, "%s: cannot listen on %s", site->command, site->address);
  }
  const union MHD_DaemonInfo *port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
  cli_warn("%s on port %u, path %s", site->command, port ? port->port : 0u, site->path);
  code = run_until_ended();
  MHD_stop_daemon(d);
  free(token);
  return code;
}

#else

int cli_serve(const cli_site *site) {
  return cli_fail(CLI_UNREADABLE,
                  "%s: serving over HTTP is not in this build; it needs libmicrohttpd "
                  "(apt install libmicrohttpd-dev, and build again)",
                  site->command);
}

#endif
