/* processes.h - which processes have an index open, by what the kernel says of
 * its locks: the files themselves hold no process ids.
 */
#ifndef NXC_PROCESSES_H
#define NXC_PROCESSES_H

#include "index.h"

typedef struct nxc__holder {
  int64_t pid;     /* 0: somewhere where we cannot look */
  int counter_row; /* -1: none of its own */
} nxc__holder;

/* All but the one that this very mapping makes: new memory. NXC_OK or NXC_E_NOMEM. */
int nxc__processes_list(const nxc__index *index, nxc__holder **out, size_t *count);

/* Whether a process other than this mapping's has the row. */
bool nxc__row_is_live(const nxc__index *index, int row);

/* The command line of a process, cut to fit; "" when there is none to be read. */
void nxc__process_command(int64_t pid, char *out, size_t size);

#endif
