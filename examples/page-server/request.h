/* request.h - a request, as it is read and as it goes to Next.js. */
#ifndef REQUEST_H
#define REQUEST_H

#include <http_parser.h>
#include <stdbool.h>

#include "answer.h"
#include "buffer.h"
#include "site.h"

typedef struct request {
  buffer head; /* for Next.js: written anew from what was understood       */
  size_t target_at, target_size;
  size_t name_at, value_at; /* of the header being read; 0: none            */
  bool doubtful;            /* something in it that only Next.js may judge */
  bool malformed;           /* it is to be refused */
  bool has_cache_control;
  unsigned hosts;
  char accept[64];
  char if_none_match[128];
} request;

/* How far the lines of a head have been looked at; {0} before each request. */
typedef struct request_lines {
  size_t size; /* of the line under way, without its end */
  char last;
  bool begun, over;
} request_lines;

/* Whether these bytes go on with the head as they must, up to its end. */
bool request_lines_are_strict(request_lines *l, const char *data, size_t size);

/* The callbacks of http_parser, in the order in which they come. */
void request_begin(request *r);
void request_add_target(request *r, const http_parser *p, const char *data, size_t size);
void request_add_name(request *r, const http_parser *p, const char *data, size_t size);
void request_add_value(request *r, const char *data, size_t size);
/* `peer` is the address of the client, for X-Forwarded-For. */
void request_end_head(request *r, const http_parser *p, const site *s, const char *peer);

/* Whether the request may be answered here, and the question that it is. A GET that names
 * an ETag asks for q->method 'G' until the ETag has been compared. */
bool request_question(const request *r, const http_parser *p, const site *s, question *q);

/* Whether If-None-Match names this ETag. */
bool request_names(const request *r, nxc_slice etag);

#endif
