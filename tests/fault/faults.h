/* faults.h - makes the n-th system call, or the n-th allocation, of the library
 * fail. Calls are counted while a fault is armed, in all threads.
 */
#ifndef NXC_FAULTS_H
#define NXC_FAULTS_H

#include <stdbool.h>

typedef enum fault_kind {
  FAULT_NONE,
  FAULT_SYSCALL, /* returns an error, or (FAULT_SHORT) less than was asked for */
  FAULT_MEMORY,  /* no memory; no thread */
} fault_kind;

#define FAULT_SHORT 0 /* in place of an errno: reads and writes come back short */

typedef struct fault {
  fault_kind kind;
  int error;
  bool lasting; /* every call from the n-th on, not just that one */
} fault;

/* The n-th call from now on fails; n counts from 1. */
void fault_arm(fault what, long n);
/* Ends it; returns how many calls failed. */
long fault_disarm(void);
/* The name of the call that failed first, or "". */
const char *fault_where(void);

/* What fstatfs() says from now on; 0: the truth. */
void fault_file_system(unsigned long magic);

/* Open descriptors of this process. */
int fault_descriptors(void);
/* Bytes and blocks that nobody points to any more, found so far by LeakSanitizer;
 * without it always false. */
bool fault_leaked(void);

#endif
