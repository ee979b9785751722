/* verdict.h - what "stale" and "dead" mean. Pure; nobody else computes it.
 *
 * A fate is what the tag rows say of one entry; a verdict is its fate and its
 * lifetime at one moment.
 */
#ifndef NXC_VERDICT_H
#define NXC_VERDICT_H

#include <stdbool.h>

#include "nextcache.h"

/* A clock may step back a little between a put and a get of two processes. */
#define NXC__CLOCK_SLACK_MS 2000

typedef struct nxc__marks { /* one tag's marks, as its row holds them */
  uint64_t dead;            /* epoch of the last "dead now"; 0: none */
  uint64_t stale;           /* epoch of the last "stale now" */
  int64_t deadline_ms;      /* what was marked stale is dead from then; 0: never */
  int64_t dead_wall_ms;     /* wall times of the same marks */
  int64_t stale_wall_ms;
} nxc__marks;

typedef struct nxc__fate {
  bool dead;
  bool floor; /* dead by the floor, not by a mark that is known */
  bool stale;
  int64_t deadline_ms; /* dead from then by a mark; NXC_NEVER */
  int dead_tag;        /* index of the tag that killed, was stale, has the  */
  int stale_tag;       /* deadline: for messages; -1: none                  */
} nxc__fate;

typedef struct nxc__life { /* what of an entry is judged */
  uint64_t birth;          /* 0: unknown, judge by created_ms */
  int64_t created_ms;
  int64_t revalidate_ms;
  int64_t expire_ms;
} nxc__life;

void nxc__fate_init(nxc__fate *fate);

/* Takes the marks of the tag with this index into account. */
void nxc__fate_add(nxc__fate *fate, const nxc__life *life, const nxc__marks *marks, int tag);

/* Takes a floor into account: what is from before it is dead. */
void nxc__fate_add_floor(nxc__fate *fate, const nxc__life *life, uint64_t floor,
                         int64_t floor_wall_ms);

/* NXC_OK, NXC_STALE or NXC_MISS; why, when it will be dead, and the index of
 * the tag for NXC_WHY_TAG (else -1) go into the other arguments. */
nxc_result nxc__verdict(const nxc__life *life, const nxc__fate *fate, uint64_t epoch,
                        int64_t now_ms, nxc_why *why, int64_t *dead_at_ms, int *tag);

#endif
