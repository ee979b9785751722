/* test_syscalls.c - every system call of every public operation fails once, in the
 * ways that matter, and then for good: no crash, no leak, no descriptor lost; a get
 * is a hit with the right bytes, or a miss. NXC_TEST_LONG: in all ways.
 */
#include <errno.h>
#include <stdlib.h>

#include "world.h"

/* Interrupted for ever, or never getting further, is no fault that a call can end. */
static const fault short_form[] = {
    {FAULT_SYSCALL, EIO, false},         {FAULT_SYSCALL, EMFILE, false},
    {FAULT_SYSCALL, ENOSPC, true},       {FAULT_SYSCALL, EINTR, false},
    {FAULT_SYSCALL, FAULT_SHORT, false},
};
static const fault long_form[] = {
    {FAULT_SYSCALL, EIO, true},     {FAULT_SYSCALL, EMFILE, true}, {FAULT_SYSCALL, ENOSPC, false},
    {FAULT_SYSCALL, EDQUOT, false}, {FAULT_SYSCALL, EDQUOT, true}, {FAULT_SYSCALL, EROFS, false},
    {FAULT_SYSCALL, EROFS, true},
};

static void run_action(void **state) {
  const action *a = *state;
  long faults = 0;

  for (size_t i = 0; i < COUNT_OF(short_form); i++) faults += world_run(a, short_form[i]);
  if (getenv("NXC_TEST_LONG")) {
    for (size_t i = 0; i < COUNT_OF(long_form); i++) faults += world_run(a, long_form[i]);
  }
  print_message("# %s: %ld faults\n", a->name, faults);
  if (!a->quiet) assert_true(faults > 0);
}

int main(void) {
  struct CMUnitTest tests[64];
  world_in_memory();
  for (size_t i = 0; i < world_action_count; i++) {
    tests[i] = (struct CMUnitTest){world_actions[i].name, run_action, NULL, NULL,
                                   (void *)(uintptr_t)&world_actions[i]};
  }
  return _cmocka_run_group_tests("system calls that fail", tests, world_action_count, NULL, NULL);
}
