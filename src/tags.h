/* tags.h - marks and questions over the shared tag rows.
 *
 * A mark costs the same whatever is stored: it writes one row and moves the
 * epoch. Everything here is lock-free; a process that stops anywhere blocks
 * nobody.
 */
#ifndef NXC_TAGS_H
#define NXC_TAGS_H

#include "index.h"
#include "record.h"
#include "verdict.h"

/* Marks each tag: dead now (dead_after_ms 0), or stale now and dead after that
 * time. Every process obeys when it returns; nxc__index_flush() makes it last. */
void nxc__tags_mark(nxc__index *index, const nxc_slice *tags, size_t tag_count,
                    int64_t dead_after_ms, int64_t now_ms);

/* The last marks of a tag; false when none is remembered. */
bool nxc__tags_find(const nxc__index *index, nxc_slice tag, nxc__marks *out);

/* Adds what the rows say of a tag to the fate. `tag` is its index for messages. */
void nxc__tags_judge(nxc__index *index, nxc_slice tag, const nxc__life *life, nxc__fate *fate,
                     int tag_number);

/* Adds the origin, and for what carries a tag the floor; to be called after the
 * rows of all tags were looked at. */
void nxc__tags_judge_floor(nxc__index *index, const nxc__life *life, bool tagged, nxc__fate *fate);

nxc__life nxc__life_of(const nxc_entry *entry);

/* What the rows, the floor and the origin say of an entry by its own tags. */
void nxc__tags_judge_entry(nxc__index *index, const nxc_entry *entry, nxc__fate *fate);

/* Everything that carries a tag and is from before is dead; with `all`, that which
 * carries none too. */
void nxc__tags_raise_floor(nxc__index *index, bool all, int64_t now_ms);

/* Takes over the rows, floor, origin and epoch of an index that is over, into one of the
 * same number of rows that was not marked before. Any number of processes may do so at
 * once; one that is late makes things die early at most. */
void nxc__tags_take_over(nxc__index *index, const nxc__index *from);

#endif
