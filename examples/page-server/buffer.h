/* buffer.h - bytes that grow. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

typedef struct buffer {
  char *data;
  size_t size, room;
} buffer;

/* Ends the process where memory is out: a proxy has nothing better to do. */
void *must_alloc(void *old, size_t size);

void buffer_add(buffer *b, const void *data, size_t size);
void buffer_add_text(buffer *b, const char *text);
/* Takes the first bytes away. */
void buffer_drop(buffer *b, size_t size);
void buffer_free(buffer *b);

#endif
