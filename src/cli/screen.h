/* screen.h - the live screen of `nextcache stats --watch`. */
#ifndef NXC_SCREEN_H
#define NXC_SCREEN_H

#include "cli.h"

/* Until a key or a signal ends it, or after `rounds` (0: never). The view is opened
 * anew when the cache is replaced; NULL when there is none at the end. */
int cli_screen(nxc_view **view, double interval, uint64_t rounds);

#endif
