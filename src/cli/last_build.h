/* last_build.h - what is known of the build output that is there. */
#ifndef NXC_LAST_BUILD_H
#define NXC_LAST_BUILD_H

#include "cli.h"

/* {id, started_ms, duration_ms, prerendered}, each null where it is not known; new. */
json_t *cli_last_build(const char *dist);

#endif
