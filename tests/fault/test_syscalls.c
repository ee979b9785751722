/* test_syscalls.c - every system call of every public operation fails once, in every
 * way that matters, and then for good: no crash, no leak, no descriptor lost; a get
 * is a hit with the right bytes, or a miss.
 */
#include <errno.h>
#include <stdio.h>

#include "world.h"

static const int errors[] = {ENOSPC, EIO, EMFILE, EINTR, EDQUOT, EROFS, FAULT_SHORT};

static void run_action(void **state) {
  const action *a = *state;
  long faults = 0;

  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    faults += world_run(a, (fault){FAULT_SYSCALL, errors[i], false});
    /* What is interrupted for ever, or never gets further, ends nowhere. */
    if (errors[i] == EINTR || errors[i] == FAULT_SHORT) continue;
    faults += world_run(a, (fault){FAULT_SYSCALL, errors[i], true});
  }
  print_message("# %s: %ld faults\n", a->name, faults);
  if (!a->quiet) assert_true(faults > 0);
}

int main(void) {
  struct CMUnitTest tests[64];
  for (size_t i = 0; i < world_action_count; i++) {
    tests[i] = (struct CMUnitTest){world_actions[i].name, run_action, NULL, NULL,
                                   (void *)(uintptr_t)&world_actions[i]};
  }
  return _cmocka_run_group_tests("system calls that fail", tests, world_action_count, NULL, NULL);
}
