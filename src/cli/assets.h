/* assets.h - the files of the dashboard's page, as src/cli/dashboard/embed.cmake writes
 * them into the program when it is built.
 */
#ifndef NXC_ASSETS_H
#define NXC_ASSETS_H

#include <stddef.h>

typedef struct cli_asset {
  const char *path; /* under which they are served */
  const char *type;
  const unsigned char *bytes; /* followed by a NUL, which does not count */
  size_t size;
} cli_asset;

extern const cli_asset cli_assets[]; /* ends in a path of NULL */

#endif
