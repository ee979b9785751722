#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_alloc(void *old, size_t size) {
  void *p = realloc(old, size ? size : 1);
  if (!p) {
    fputs("page-server: out of memory\n", stderr);
    abort();
  }
  return p;
}

void buffer_add(buffer *b, const void *data, size_t size) {
  if (b->room - b->size < size) {
    b->room = 2 * b->room > b->size + size ? 2 * b->room : b->size + size;
    b->data = must_alloc(b->data, b->room);
  }
  if (size) memcpy(b->data + b->size, data, size);
  b->size += size;
}

void buffer_add_text(buffer *b, const char *text) {
  buffer_add(b, text, strlen(text));
}

void buffer_drop(buffer *b, size_t size) {
  b->size -= size;
  if (b->size) memmove(b->data, b->data + size, b->size);
}

void buffer_free(buffer *b) {
  free(b->data);
  *b = (buffer){NULL, 0, 0};
}
