/* http.h - serving over HTTP: what `metrics` and `dashboard` share.
 *
 * A site is read-only. Who may see it:
 *   without a token  it listens on loopback only, and answers only to names of this
 *                    machine (a page elsewhere may have its own name resolve to
 *                    127.0.0.1: DNS rebinding)
 *   with a token     requests carry it as a bearer token, or the cookie that the login
 *                    form gave for it
 */
#ifndef NXC_HTTP_H
#define NXC_HTTP_H

#include "cli.h"

typedef struct cli_page {
  const char *type;
  const void *body;
  size_t size;
  bool ours; /* the body is freed once it was sent */
} cli_page;

typedef struct cli_site {
  const char *command;    /* whose messages they are                                      */
  const char *address;    /* such as 127.0.0.1:9464, or 9464                              */
  const char *token_file; /* the token's first line; NULL: NEXT_CACHE_METRICS_TOKEN, or none */
  const char *path;       /* named when it starts, and to who asks for another            */
  const char *login;      /* a page with a form for the token, shown to browsers that have
                             none; NULL: there is no login */
  /* Fills in what a path answers, on any thread; false: there is no such path. Of what
   * stands behind the question mark only `since` is known; 0 without it. */
  bool (*page)(const char *path, uint64_t since, cli_page *out);
  bool (*is_public)(const char *path); /* what the login page needs; NULL: nothing */
  void (*turn)(void);                  /* each second, on the main thread; NULL */
} cli_site;

#define CLI_SERVE_OPTIONS(site)                                \
  {"listen", CLI_TEXT, &(site).address, "ADDRESS",             \
   "where to listen, such as 127.0.0.1:9464 or 9464"},         \
  {                                                            \
    "token-file", CLI_TEXT, &(site).token_file, "FILE",        \
        "a file with the token; else NEXT_CACHE_METRICS_TOKEN" \
  }

/* Serves until a signal ends it; an exit code. */
int cli_serve(const cli_site *site);

bool cli_same_token(const char *given, const char *wanted);

#endif
