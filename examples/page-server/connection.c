/* connection.c - one client, and its own connection to Next.js.
 *
 *   READING     the head of a request is awaited, or read
 *   FORWARDING  the request is with Next.js; what the client sends behind it waits
 *   TUNNEL      Next.js has agreed to an Upgrade: bytes go both ways, whatever they are
 *
 * A client has at most one connection to Next.js at a time, made for its first request that
 * needs one, so answers cannot be mixed up. Requests are written anew from what was parsed;
 * answers go to the client as they come.
 */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define SITE_CHECK_MS 100
#define IDLE_MS 6000  /* one second longer than we say, as Node.js does */
#define HEAD_MS 20000 /* for the head of a request, however it trickles in */
#define ANSWER_MS 300000
#define LINGER_MS 10000
#define QUEUE_BYTES (1u << 20)
#define LEARN_BYTES (8u << 20)
#define READ_BYTES 65536

/* The connection to Next.js. libuv frees it when it has closed it, which may be after its
 * owner is gone. */
typedef struct upstream {
  uv_tcp_t tcp;
  uv_connect_t connect;
  connection *owner; /* NULL when it is being closed */
  http_parser parser;
  bool connected, used; /* used: it has carried an answer before */
} upstream;

struct connection {
  uv_tcp_t tcp;
  worker *worker;
  connection *next, *prev;
  enum { READING, FORWARDING, TUNNEL } state;
  http_parser parser;
  request_lines lines;
  request request;
  char peer[64];
  upstream *up;
  buffer outbox;  /* for Next.js, until it is connected, or has begun to answer         */
  buffer pending; /* what the client has sent behind the request under way              */
  buffer copy;    /* the answer under way, to learn from                                */
  question question;
  int64_t asked_ms;
  bool candidate, learning, chunked, has_body;
  bool head_over, request_over, answer_begun, answer_over;
  bool keep_alive, closing;
  bool ending, sent_all, client_over; /* see end_connection() */
  uint64_t active_at;                 /* when bytes last went either way */
  uint64_t reading_since;             /* READING: since when a request is awaited */
};

static void feed(connection *c, const char *data, size_t size);
static void forward(connection *c);
static void read_on(connection *c);

/* ---- closing ---------------------------------------------------------------------------- */

static void free_upstream(uv_handle_t *handle) {
  free(handle->data);
}

/* Also in the middle of an answer: what Next.js still sends belongs to nobody. */
static void drop_upstream(connection *c) {
  upstream *up = c->up;
  if (!up) return;
  c->up = NULL;
  up->owner = NULL;
  uv_close((uv_handle_t *)&up->tcp, free_upstream);
}

static void free_connection(uv_handle_t *handle) {
  connection *c = handle->data;
  if (c->next) c->next->prev = c->prev;
  if (c->prev) {
    c->prev->next = c->next;
  } else {
    c->worker->connections = c->next;
  }
  buffer_free(&c->request.head);
  buffer_free(&c->outbox);
  buffer_free(&c->pending);
  buffer_free(&c->copy);
  free(c);
}

static void close_connection(connection *c) {
  if (c->closing) return;
  c->closing = true;
  drop_upstream(c);
  uv_close((uv_handle_t *)&c->tcp, free_connection);
}

static void after_shutdown(uv_shutdown_t *req, int status) {
  connection *c = req->handle->data;
  free(req);
  c->sent_all = true;
  c->active_at = uv_now(&c->worker->loop);
  if (status < 0 || c->client_over) close_connection(c);
}

/* Closes when all that was written has been sent, and the client has closed its side, too.
 * Were it closed while a body is still coming, the kernel would reset the connection, and
 * the client might lose the answer. What it sends until then is thrown away. */
static void end_connection(connection *c) {
  if (c->ending) return;
  uv_shutdown_t *req = must_alloc(NULL, sizeof *req);
  c->ending = true;
  drop_upstream(c);
  if (uv_shutdown(req, (uv_stream_t *)&c->tcp, after_shutdown) == 0) {
    read_on(c);
  } else {
    free(req);
    close_connection(c);
  }
}

/* ---- writing ------------------------------------------------------------------------------ */

typedef struct writing {
  uv_write_t req;
  nxc_entry *entry; /* whose bytes are being sent; or NULL */
  bool to_client;
  char bytes[];
} writing;

static void resume(connection *c);

/* A connection may be gone before its upstream is; what the handles hold is up to date. */
static void after_write(uv_write_t *req, int status) {
  writing *w = (writing *)req;
  void *data = req->handle->data;
  bool to_client = w->to_client;
  connection *c = to_client ? data : ((upstream *)data)->owner;
  nxc_entry_unref(w->entry);
  free(w);
  if (!c || c->closing) return;
  if (status == 0) {
    if (to_client) c->active_at = c->reading_since = uv_now(&c->worker->loop);
    resume(c);
  } else if (to_client) {
    close_connection(c);
  }
}

/* Sends `count` pieces of which those with index `copied` are ours for this call alone;
 * what the socket does not take at once is sent later. `entry`, if any, holds the others. */
static void send_all(connection *c, uv_stream_t *to, uv_buf_t *bufs, unsigned count, int copied,
                     nxc_entry *entry) {
  size_t sent = 0, ours = 0;
  int n = uv_try_write(to, bufs, count);
  if (n > 0) sent = (size_t)n;
  while (count && sent >= bufs->len) {
    sent -= bufs->len;
    bufs++;
    count--;
    copied--;
  }
  if (!count) return;
  bufs->base += sent;
  bufs->len -= sent;
  if (copied >= 0 && (unsigned)copied < count) ours = bufs[copied].len;
  writing *w = must_alloc(NULL, sizeof *w + ours);
  *w = (writing){.entry = entry ? nxc_entry_ref(entry) : NULL,
                 .to_client = to == (uv_stream_t *)&c->tcp};
  if (ours) {
    memcpy(w->bytes, bufs[copied].base, ours);
    bufs[copied].base = w->bytes;
  }
  if (uv_write(&w->req, to, bufs, count, after_write) == 0) return;
  nxc_entry_unref(w->entry);
  free(w);
}

static void send_copy(connection *c, uv_stream_t *to, const char *data, size_t size) {
  uv_buf_t buf = uv_buf_init((char *)data, (unsigned)size);
  if (size) send_all(c, to, &buf, 1, 0, NULL);
}

static void send_text(connection *c, const char *text) {
  send_copy(c, (uv_stream_t *)&c->tcp, text, strlen(text));
}

/* Made once a second, as Node.js does. */
static const char *date(worker *w) {
  struct tm parts;
  time_t now = time(NULL);
  if (now != w->date_of) {
    gmtime_r(&now, &parts);
    strftime(w->date, sizeof w->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    w->date_of = now;
  }
  return w->date;
}

static void send_answer(connection *c, nxc_entry *answer) {
  atomic_fetch_add_explicit(&c->worker->served, 1, memory_order_relaxed);
  c->reading_since = uv_now(&c->worker->loop);
  nxc_slice head = nxc_entry_part(answer, ANSWER_HEAD), rest = nxc_entry_part(answer, ANSWER_REST);
  char own[192];
  int n = snprintf(own, sizeof own, "%s%s", date(c->worker),
                   c->keep_alive ? "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
                                 : "Connection: close\r\n");
  uv_buf_t bufs[] = {
      {.base = (char *)head.data, .len = head.size},
      {.base = own, .len = (size_t)n},
      {.base = (char *)rest.data, .len = rest.size},
  };
  send_all(c, (uv_stream_t *)&c->tcp, bufs, 3, 1, answer);
  if (!c->keep_alive) end_connection(c);
}

/* ---- reading, and its limits ------------------------------------------------------------------ */

/* One for each thread: what was read is used up before the next read. */
static void take_room(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static _Thread_local char room[READ_BYTES];
  (void)handle, (void)size;
  *buf = uv_buf_init(room, sizeof room);
}

static void on_client_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void on_upstream_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static bool is_full(uv_tcp_t *tcp) {
  return uv_stream_get_write_queue_size((uv_stream_t *)tcp) > QUEUE_BYTES;
}

/* Reads from each side only while the other one keeps up. */
static void read_on(connection *c) {
  bool client =
      c->pending.size < READ_BYTES && !is_full(&c->tcp) &&
      (!c->up || (c->up->connected ? !is_full(&c->up->tcp) : c->outbox.size < QUEUE_BYTES));
  if (!c->client_over && (client || c->ending)) {
    uv_read_start((uv_stream_t *)&c->tcp, take_room, on_client_bytes);
  } else {
    uv_read_stop((uv_stream_t *)&c->tcp);
  }
  if (!c->up || !c->up->connected) return;
  if (!is_full(&c->tcp)) {
    uv_read_start((uv_stream_t *)&c->up->tcp, take_room, on_upstream_bytes);
  } else {
    uv_read_stop((uv_stream_t *)&c->up->tcp);
  }
}

/* Takes up what has waited: requests that have come already, and reading. */
static void resume(connection *c) {
  if (c->pending.size && c->state == READING && !c->ending && !is_full(&c->tcp)) {
    buffer pending = c->pending;
    c->pending = (buffer){NULL, 0, 0};
    feed(c, pending.data, pending.size);
    buffer_free(&pending);
  }
  if (!c->closing) read_on(c);
}

/* ---- the answer of Next.js -------------------------------------------------------------------- */

static void fail(connection *c) {
  atomic_fetch_add_explicit(&c->worker->failed, 1, memory_order_relaxed);
  if (!c->answer_begun) {
    send_text(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Cache-Control: no-store\r\nContent-Length: 46\r\nConnection: close\r\n\r\n");
    if (c->parser.method != HTTP_HEAD)
      send_text(c, "502: the site is not running, try again later\n");
  }
  end_connection(c);
}

static void learn(connection *c) {
  nxc_slice raw = {c->copy.data, c->copy.size};
  worker *w = c->worker;
  if (answer_learn(w->cache, w->site, &w->pairs, &c->question, raw, c->asked_ms))
    atomic_fetch_add_explicit(&w->learned, 1, memory_order_relaxed);
}

static void stop_learning(connection *c) {
  c->learning = false;
  buffer_free(&c->copy);
}

static void end_answer(connection *c) {
  bool upstream_stays = c->up && http_should_keep_alive(&c->up->parser);
  if (c->learning) learn(c);
  stop_learning(c);
  c->outbox.size = 0;
  /* Of a request that has been answered early, what is left of its body would be taken for
   * the next request. */
  if (!c->keep_alive || !upstream_stays || !c->request_over || c->worker->stopping) {
    end_connection(c);
    return;
  }
  c->up->used = true;
  c->state = READING;
  c->reading_since = uv_now(&c->worker->loop);
  http_parser_init(&c->up->parser, HTTP_RESPONSE);
  c->up->parser.data = c;
  resume(c);
}

/* A download is not to be kept whole for each of those who read it slowly. */
static int on_answer_head(http_parser *p) {
  connection *c = p->data;
  if (c->learning && !memmem(c->copy.data, c->copy.size, "x-nextjs-cache: HIT", 19))
    stop_learning(c);
  return c->parser.method == HTTP_HEAD; /* 1: no body follows */
}

/* Called inside the parser, which must not be touched here; see on_upstream_bytes(). */
static int on_answer_end(http_parser *p) {
  connection *c = p->data;
  if (p->status_code >= 200) c->answer_over = true; /* not "100 Continue" */
  return 0;
}

static const http_parser_settings ANSWERS = {.on_headers_complete = on_answer_head,
                                             .on_message_complete = on_answer_end};

/* Next.js has closed its side: between two answers; before one, because it closes what is
 * idle while we write, so what may be repeated is sent once more; or as the end of an
 * answer without a length. */
static void on_upstream_end(connection *c) {
  bool again = c->up->used && !c->answer_begun && c->request_over && !c->has_body;
  if (c->state == READING) {
    drop_upstream(c);
  } else if (c->state == TUNNEL) {
    end_connection(c);
  } else if (again) { /* it was closed for having been idle */
    drop_upstream(c);
    forward(c);
  } else if (c->answer_begun) {
    http_parser_execute(&c->up->parser, &ANSWERS, NULL, 0);
    if (c->answer_over) {
      end_answer(c);
    } else {
      close_connection(c);
    }
  } else {
    fail(c);
  }
}

/* What the client has sent since it asked is of the other protocol. Were it sent on before
 * Next.js agrees, a client could put requests past us that only Next.js takes for such. */
static void begin_tunnel(connection *c) {
  c->state = TUNNEL;
  send_copy(c, (uv_stream_t *)&c->up->tcp, c->pending.data, c->pending.size);
  buffer_free(&c->pending);
  read_on(c);
}

static void on_upstream_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  upstream *up = stream->data;
  connection *c = up->owner;
  if (!c || n == 0) return;
  c->active_at = uv_now(&c->worker->loop);
  if (n < 0) {
    on_upstream_end(c);
    return;
  }
  c->answer_begun = true;
  send_copy(c, (uv_stream_t *)&c->tcp, buf->base, (size_t)n);
  if (c->state == TUNNEL) {
    read_on(c);
    return;
  }
  if (c->learning) buffer_add(&c->copy, buf->base, (size_t)n);
  if (c->copy.size > LEARN_BYTES) stop_learning(c);
  size_t used = http_parser_execute(&up->parser, &ANSWERS, buf->base, (size_t)n);
  if (up->parser.upgrade && c->parser.upgrade) {
    begin_tunnel(c);
  } else if (c->state == READING || used != (size_t)n || HTTP_PARSER_ERRNO(&up->parser) != HPE_OK) {
    close_connection(c); /* not HTTP, or more than was asked for */
  } else if (c->answer_over) {
    end_answer(c);
  } else {
    read_on(c);
  }
}

/* ---- the request, to Next.js ------------------------------------------------------------------- */

static void to_upstream(connection *c, const char *data, size_t size) {
  if (!c->up) return;
  if (c->up->connected) {
    send_copy(c, (uv_stream_t *)&c->up->tcp, data, size);
  } else {
    buffer_add(&c->outbox, data, size);
  }
}

static void on_connect(uv_connect_t *req, int status) {
  upstream *up = req->data;
  connection *c = up->owner;
  if (!c) return;
  if (status < 0) {
    fail(c);
    return;
  }
  up->connected = true;
  uv_tcp_nodelay(&up->tcp, 1);
  send_copy(c, (uv_stream_t *)&up->tcp, c->outbox.data, c->outbox.size);
  read_on(c);
}

static bool open_upstream(connection *c) {
  upstream *up = must_alloc(NULL, sizeof *up);
  *up = (upstream){.owner = c};
  uv_tcp_init(&c->worker->loop, &up->tcp);
  up->tcp.data = up->connect.data = up;
  http_parser_init(&up->parser, HTTP_RESPONSE);
  up->parser.data = c;
  c->up = up;
  return uv_tcp_connect(&up->connect, &up->tcp, (const struct sockaddr *)&c->worker->upstream,
                        on_connect) == 0;
}

/* Sends what is in the outbox; it is kept for a second try until an answer comes. */
static void forward(connection *c) {
  c->state = FORWARDING;
  c->answer_begun = c->answer_over = false;
  c->copy.size = 0;
  if (!c->up) {
    if (!open_upstream(c)) fail(c);
  } else if (c->up->connected) {
    send_copy(c, (uv_stream_t *)&c->up->tcp, c->outbox.data, c->outbox.size);
  }
}

/* What may change something is sent once. So it gets a connection of its own: one that has been
 * idle may be closed by Next.js just now, and then nobody knows whether it was read. */
static bool may_be_repeated(unsigned method) {
  return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

static void begin_forwarding(connection *c) {
  atomic_fetch_add_explicit(&c->worker->proxied, 1, memory_order_relaxed);
  if (!may_be_repeated(c->parser.method)) drop_upstream(c);
  c->outbox.size = 0;
  buffer_add(&c->outbox, c->request.head.data, c->request.head.size);
  forward(c);
}

/* ---- the request, as it is read ------------------------------------------------------------------ */

static int on_begin(http_parser *p) {
  connection *c = p->data;
  request_begin(&c->request);
  c->candidate = c->head_over = c->request_over = c->has_body = c->learning = false;
  return 0;
}

static int on_target(http_parser *p, const char *data, size_t size) {
  request_add_target(&((connection *)p->data)->request, p, data, size);
  return 0;
}

static int on_name(http_parser *p, const char *data, size_t size) {
  connection *c = p->data;
  if (!c->head_over) request_add_name(&c->request, p, data, size);
  return 0;
}

static int on_value(http_parser *p, const char *data, size_t size) {
  connection *c = p->data;
  if (!c->head_over) request_add_value(&c->request, data, size);
  return 0;
}

/* A request that may be answered here is not sent on yet: it has no body, so its end comes
 * at once. Any other goes to Next.js while its body is still coming. */
static int on_head(http_parser *p) {
  connection *c = p->data;
  worker_check_site(c->worker);
  request_end_head(&c->request, p, c->worker->site, c->peer);
  c->head_over = true;
  if (c->request.malformed) return -1;
  c->chunked = p->flags & F_CHUNKED;
  c->has_body = c->chunked;
  c->keep_alive = http_should_keep_alive(p) && !c->worker->stopping;
  c->candidate =
      c->worker->cache && request_question(&c->request, p, c->worker->site, &c->question);
  if (!c->candidate) begin_forwarding(c);
  return 0;
}

static int on_body(http_parser *p, const char *data, size_t size) {
  connection *c = p->data;
  char length[32];
  if (!c->up) return 0;
  c->has_body = true;
  snprintf(length, sizeof length, "%zx\r\n", size);
  if (c->chunked) to_upstream(c, length, strlen(length));
  to_upstream(c, data, size);
  if (c->chunked) to_upstream(c, "\r\n", 2);
  return 0;
}

/* The answer to what was asked, or to what it has become: a GET that names the ETag of
 * the current page. */
static nxc_entry *find(connection *c) {
  worker *w = c->worker;
  nxc_entry *answer = answer_find(w->cache, w->site, &w->pairs, &c->question);
  if (answer && request_names(&c->request, nxc_entry_part(answer, ANSWER_ETAG))) {
    nxc_entry_unref(answer);
    c->question.method = 'C';
    answer = answer_find(w->cache, w->site, &w->pairs, &c->question);
  }
  return answer;
}

static int on_end(http_parser *p) {
  connection *c = p->data;
  c->request_over = true;
  if (c->candidate) {
    nxc_entry *answer = find(c);
    struct timespec now;
    if (answer) {
      send_answer(c, answer);
      nxc_entry_unref(answer);
    } else {
      clock_gettime(CLOCK_REALTIME, &now);
      c->asked_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
      /* Without the answer to a plain GET it is not known what the ETag is of. */
      c->learning = !c->request.if_none_match[0] || c->question.method == 'C';
      begin_forwarding(c);
    }
  } else if (c->chunked) {
    to_upstream(c, "0\r\n\r\n", 5);
  }
  http_parser_pause(p, 1); /* so that feed() sees where the next request begins */
  return 0;
}

static const http_parser_settings REQUESTS = {
    .on_message_begin = on_begin,
    .on_url = on_target,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

/* What is not HTTP, or ambiguous: a length beside chunks, for example. A body may turn out
 * to be so when its head has gone to Next.js, which then never sees the end of it. */
static void refuse(connection *c) {
  if (c->state == READING || !c->answer_begun)
    send_text(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  end_connection(c);
}

/* Parses one request after the other, until one has to wait for Next.js. */
static void feed(connection *c, const char *data, size_t size) {
  while (size && !c->ending && !(c->state == FORWARDING && c->request_over) && !is_full(&c->tcp)) {
    if (!request_lines_are_strict(&c->lines, data, size)) {
      refuse(c);
      return;
    }
    size_t used = http_parser_execute(&c->parser, &REQUESTS, data, size);
    enum http_errno error = HTTP_PARSER_ERRNO(&c->parser);
    data += used;
    size -= used;
    if (error == HPE_PAUSED) {
      http_parser_pause(&c->parser, 0);
      c->lines = (request_lines){0};
    } else if (error != HPE_OK) {
      refuse(c);
      return;
    }
  }
  if (size && !c->ending) buffer_add(&c->pending, data, size);
}

static void on_client_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  connection *c = stream->data;
  if (n == 0) return;
  c->client_over = n < 0;
  if (n == UV_EOF && !c->sent_all && (c->ending || c->state == READING)) {
    end_connection(c); /* it may still read what it has asked for */
    return;
  }
  if (n < 0) {
    close_connection(c);
    return;
  }
  if (c->ending) return;
  c->active_at = uv_now(&c->worker->loop);
  if (c->state == TUNNEL) {
    to_upstream(c, buf->base, (size_t)n);
  } else if (c->state == FORWARDING && c->request_over) {
    buffer_add(&c->pending, buf->base, (size_t)n);
  } else {
    feed(c, buf->base, (size_t)n);
  }
  if (!c->closing) read_on(c);
}

/* ---- the whole --------------------------------------------------------------------------------------- */

static void read_peer(connection *c) {
  struct sockaddr_storage address;
  int size = sizeof address;
  snprintf(c->peer, sizeof c->peer, "unknown");
  if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &size) == 0)
    uv_ip_name((struct sockaddr *)&address, c->peer, sizeof c->peer);
}

void connection_accept(uv_stream_t *listener, int status) {
  worker *w = listener->data;
  if (status < 0) return;
  connection *c = must_alloc(NULL, sizeof *c);
  uint64_t now = uv_now(&w->loop);
  *c = (connection){.worker = w, .next = w->connections, .active_at = now, .reading_since = now};
  if (c->next) c->next->prev = c;
  w->connections = c;
  uv_tcp_init(&w->loop, &c->tcp);
  c->tcp.data = c;
  http_parser_init(&c->parser, HTTP_REQUEST);
  c->parser.data = c;
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
    close_connection(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  read_peer(c);
  read_on(c);
}

static bool waits(const connection *c) {
  return c->state == READING && uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) == 0;
}

/* A client that has sent nothing of a request may be sent away without harm. The time for a
 * head does not begin anew with each byte of it. */
static bool is_late(const connection *c, uint64_t now) {
  if (c->sent_all) return now - c->active_at > LINGER_MS;
  if (!waits(c)) return now - c->active_at > ANSWER_MS;
  return now - c->reading_since > (c->parser.nread ? HEAD_MS : IDLE_MS);
}

void connection_sweep(worker *w, bool all) {
  uint64_t now = uv_now(&w->loop);
  for (connection *c = w->connections, *next; c; c = next) {
    next = c->next;
    if (is_late(c, now) || (all && (waits(c) || c->sent_all))) close_connection(c);
  }
}

void connection_close_all(worker *w) {
  for (connection *c = w->connections; c; c = c->next) close_connection(c);
}

void worker_check_site(worker *w) {
  uint64_t now = uv_now(&w->loop);
  if (w->site && now - w->site_checked < SITE_CHECK_MS) return;
  w->site_checked = now;
  if (w->site && !site_is_over(w->site)) return;
  site_free(w->site);
  w->site = site_load(w->site_dir);
  const char *closed = site_closed(w->site);
  if (!w->tells) return;
  printf("%s%s\n", closed ? "everything goes to Next.js: " : "the site is open",
         closed ? closed : "");
  fflush(stdout);
}
