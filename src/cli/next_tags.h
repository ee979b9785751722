/* next_tags.h - the spelling of tags, and which ones revalidateTag and revalidatePath
 * mark, as the Node.js handlers have it (bindings/node/lib/tags.js, page-tags.js).
 */
#ifndef NXC_NEXT_TAGS_H
#define NXC_NEXT_TAGS_H

#include "cli.h"

typedef struct cli_tags { /* ours */
  char **items;
  size_t count;
} cli_tags;

/* Adds a tag in its one spelling, and for the tag of a route that of its pages in the
 * Pages router. False: the latter cannot be told in this build (libcrypto). */
bool cli_tags_add(cli_tags *tags, const char *tag);

/* Adds what revalidatePath(path, type) marks; `type` is page, layout or NULL. */
bool cli_tags_add_path(cli_tags *tags, const char *path, const char *type);

void cli_tags_free(cli_tags *tags);

#endif
