/* sibling.h - the indexes of other format versions in the same directory.
 *
 * The marks of all live in one place, the index of the oldest version: each younger one
 * obeys that in the place of its own, as long as it is there.
 */
#ifndef NXC_SIBLING_H
#define NXC_SIBLING_H

#include "index.h"

typedef struct nxc__sibling {
  nxc__index *index;
  int dir;
} nxc__sibling;

/* Opens the index of the oldest version that is older than ours. NXC_OK; NXC_MISS: there
 * is none; NXC_E_IO (errno), NXC_E_NOMEM. `parent` is the cache directory. */
int nxc__elder_open(int parent, nxc__sibling *out);
void nxc__sibling_close(nxc__sibling *sibling);

/* Has a new index obey the elder, and divides the larger of the two bounds. */
void nxc__elder_divide(const nxc__sibling *elder, nxc__plan *plan);

/* Leaves half of the larger bound to a younger release that is in use; it will come
 * back when it finds that it has to obey the new index. */
int nxc__younger_divide(int parent, nxc__plan *plan);

/* Settles with the siblings what our index is, which was just opened under its name.
 *   NXC_OK        it may be used; `*shared`: not all of the bytes are its own
 *   NXC_MISS      something was changed: look again
 *   NXC_E_FORMAT  it is over: its marks are elsewhere
 *   NXC_E_IO, NXC_E_NOMEM */
int nxc__siblings_meet(int parent, nxc__index *index, const nxc__clock *clock, bool *shared);

/* Before the files of a dead index of ours go: an elder of another family does not know
 * what was marked in it, and believes nothing older. NXC_OK, NXC_E_IO, NXC_E_NOMEM. */
int nxc__elder_tell(int parent, const nxc__index *dead, const nxc__clock *clock);

/* Kills and removes the elder that the index obeys. */
void nxc__elder_remove(int parent, nxc__index *index);

#endif
