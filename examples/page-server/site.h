/* site.h - what the build of a Next.js site says about its paths.
 *
 * Read from the files that `next build` left. What is missing, damaged or of an
 * unknown version closes the site: then every request goes to Next.js.
 */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct site site;

/* Reads the site in `dir`, never NULL. */
site *site_load(const char *dir);
void site_free(site *s); /* NULL is allowed */

/* Whether a file that it was read from has changed since. */
bool site_is_over(const site *s);

/* Why nothing may be answered here; NULL when the site is open. */
const char *site_closed(const site *s);

/* Of this build alone: 16 characters in the keys of its pages. */
const char *site_namespace(const site *s);

/* Whether no middleware, and no rule that looks at more than the path, may touch it. */
bool site_is_free(const site *s, const char *path);

/* Whether Next.js renders pages in another way for this User-Agent. */
bool site_is_bot(const site *s, const char *user_agent, size_t size);

/* The number-th key under which the page of a path may be stored; false: there are no
 * more. `path` is decoded. */
bool site_source_key(const site *s, const char *path, size_t number, char *key, size_t size);

#endif
