/* connection.h - the clients of one event loop, and Next.js behind them. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <nextcache.h>
#include <stdatomic.h>
#include <time.h>
#include <uv.h>

#include "answer.h"
#include "site.h"

typedef struct connection connection;

/* What a thread works with. A loop of its own, a listening socket of its own, and the one
 * cache of the process. */
typedef struct worker {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_timer_t sweep; /* closes what has been idle for too long */
  uv_async_t stop;
  uv_thread_t thread;
  _Atomic(nxc_cache *) cache; /* NULL until there is one */
  const char *site_dir;
  struct sockaddr_storage upstream; /* where Next.js listens */
  site *site;
  uint64_t site_checked; /* on the loop's clock */
  bool tells;            /* one of them says what has become of the site */
  answer_pairs pairs;
  char date[64];
  time_t date_of;
  connection *connections;
  bool stopping;
  atomic_ulong served, proxied, learned, failed;
} worker;

/* Takes a client from the listener. */
void connection_accept(uv_stream_t *listener, int status);
/* Closes the connections on which nothing has happened for too long; with `all`, also those
 * that only wait for another request. */
void connection_sweep(worker *w, bool all);
void connection_close_all(worker *w);
/* Reads the site again when its build has changed, and says whether it is closed. */
void worker_check_site(worker *w);

#endif
