/* test_allocations.c - every allocation of every public operation fails once, and
 * then all from it on: no crash, no leak; a get is a hit with the right bytes, or a miss.
 */
#include <jansson.h>
#include <stdlib.h>

#include "world.h"

/* Ours, so that the linker redirects them. */
static void *allocate(size_t size) {
  return malloc(size);
}

static void run_action(void **state) {
  const action *a = *state;
  long faults = world_run(a, (fault){FAULT_MEMORY, 0, false});
  faults += world_run(a, (fault){FAULT_MEMORY, 0, true});
  print_message("# %s: %ld faults\n", a->name, faults);
}

int main(void) {
  struct CMUnitTest tests[64];
  world_in_memory();
  json_set_alloc_funcs(allocate, free);
  for (size_t i = 0; i < world_action_count; i++) {
    tests[i] = (struct CMUnitTest){world_actions[i].name, run_action, NULL, NULL,
                                   (void *)(uintptr_t)&world_actions[i]};
  }
  return _cmocka_run_group_tests("allocations that fail", tests, world_action_count, NULL, NULL);
}
