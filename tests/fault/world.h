/* world.h - a cache with a few entries, things to do to it, and what may be seen
 * afterwards: the right bytes of a version that is still allowed, or a miss.
 */
#ifndef NXC_WORLD_H
#define NXC_WORLD_H

#include <stdbool.h>

#include "faults.h"
#include "support.h"

enum { SMALL, LARGE, PLAIN, WORLD_KEYS }; /* LARGE needs a second read; PLAIN has no tag */

typedef struct world {
  char *parent; /* removed at the end */
  char *dir;
  nxc_cache *cache; /* NULL: closed */
  nxc_options options;
  bool old_allowed[WORLD_KEYS], new_allowed[WORLD_KEYS];
  bool new_expected[WORLD_KEYS]; /* its put said OK: a miss is a loss */
} world;

typedef struct action {
  const char *name;
  void (*prepare)(world *w); /* without faults */
  void (*act)(world *w);     /* with them */
  bool quiet;                /* makes no call that could fail */
} action;

extern const action world_actions[];
extern const size_t world_action_count;

/* Directories are made in memory where the environment names no other place: what is
 * tried here waits for disks else. To be called first. */
void world_in_memory(void);

/* What every put of a key holds: told apart by `version`, 0 old and 1 new. */
nxc_slice world_body(unsigned key, unsigned version);
int world_put(world *w, unsigned key, unsigned version);

void world_begin(world *w, bool memory_tier);
/* Gets every key; fails the test where something else comes than what may. */
void world_check(world *w, const char *when);
/* Closes, opens anew, checks that too; everything is gone afterwards. */
void world_end(world *w);

/* Runs an action with its n-th call failing, for n = 1 until none fails, and checks
 * what is seen after each; returns how many faults there were. */
long world_run(const action *a, fault what);

#endif
