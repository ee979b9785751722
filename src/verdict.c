/* verdict.c - birth + lifetime + marks + now -> fresh, stale or dead.
 *
 * | DEAD  | marked dead after birth; a passed deadline marked after birth;    |
 * |       | as old as its own expire; born or created in the future; born     |
 * |       | before the floor while carrying a tag                             |
 * | STALE | marked stale after birth; older than its revalidate               |
 * | FRESH | otherwise                                                         |
 */
#include "verdict.h"

void nxc__fate_init(nxc__fate *fate) {
  *fate = (nxc__fate){.deadline_ms = NXC_NEVER, .dead_tag = -1, .stale_tag = -1};
}

/* Content without a birth is judged by the wall; in the same millisecond the
 * mark is taken to be the later. */
static bool is_after(const nxc__life *life, uint64_t mark, int64_t mark_wall_ms) {
  if (!mark) return false;
  return life->birth ? mark > life->birth : mark_wall_ms >= life->created_ms;
}

void nxc__fate_add(nxc__fate *fate, const nxc__life *life, const nxc__marks *marks, int tag) {
  if (!fate->dead && is_after(life, marks->dead, marks->dead_wall_ms)) {
    fate->dead = true;
    fate->dead_tag = tag;
  }
  if (!is_after(life, marks->stale, marks->stale_wall_ms)) return;
  if (!fate->stale) {
    fate->stale = true;
    fate->stale_tag = tag;
  }
  if (marks->deadline_ms && marks->deadline_ms < fate->deadline_ms) {
    fate->deadline_ms = marks->deadline_ms;
    fate->stale_tag = tag;
  }
}

void nxc__fate_add_floor(nxc__fate *fate, const nxc__life *life, uint64_t floor,
                         int64_t floor_wall_ms) {
  bool below =
      life->birth ? life->birth < floor : floor_wall_ms && life->created_ms <= floor_wall_ms;
  if (!below || fate->dead) return;
  fate->dead = true;
  fate->floor = true;
}

static int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? NXC_NEVER : sum;
}

nxc_result nxc__verdict(const nxc__life *life, const nxc__fate *fate, uint64_t epoch,
                        int64_t now_ms, nxc_why *why, int64_t *dead_at_ms, int *tag) {
  int64_t expires_ms = saturating_add(life->created_ms, life->expire_ms);

  *tag = -1;
  *dead_at_ms = expires_ms < fate->deadline_ms ? expires_ms : fate->deadline_ms;
  if (fate->dead) {
    *why = fate->floor ? NXC_WHY_FLOOR : NXC_WHY_TAG;
    *tag = fate->dead_tag;
    return NXC_MISS;
  }
  if (life->birth > epoch || life->created_ms > saturating_add(now_ms, NXC__CLOCK_SLACK_MS)) {
    *why = NXC_WHY_FUTURE;
    return NXC_MISS;
  }
  if (fate->deadline_ms <= now_ms) {
    *why = NXC_WHY_TAG;
    *tag = fate->stale_tag;
    return NXC_MISS;
  }
  if (expires_ms <= now_ms) {
    *why = NXC_WHY_AGE;
    return NXC_MISS;
  }
  if (fate->stale) {
    *why = NXC_WHY_TAG;
    *tag = fate->stale_tag;
    return NXC_STALE;
  }
  if (saturating_add(life->created_ms, life->revalidate_ms) < now_ms) {
    *why = NXC_WHY_AGE;
    return NXC_STALE;
  }
  *why = NXC_WHY_NONE;
  return NXC_OK;
}
