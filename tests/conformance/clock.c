/* clock.c - lets a test decide what time a process believes it is.
 *
 * Loaded through LD_PRELOAD, it adds an offset to every clock that libc hands
 * out, so that JavaScript (Date.now, performance.now) and native code agree
 * without either of them knowing. The offset is the first eight bytes, in
 * nanoseconds, of the file named by CONFORMANCE_CLOCK; the file is mapped
 * shared, so the test moves time for all its processes by one write.
 *
 * The wall clock gets the whole offset. The monotonic clocks get only what
 * was added since the process began: they start where the kernel's are and
 * advance in step with the wall clock, as they would have in real life. A
 * clock of processor time is left alone, and so are the times the kernel
 * itself writes, such as the modification times of files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

static const volatile int64_t *offset_ns;
static int64_t offset_at_start_ns;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void map_offset(void) {
  const char *path = getenv("CONFORMANCE_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  offset_ns = page;
  offset_at_start_ns = *offset_ns;
}

/* Also called by other libraries' constructors, which may run before ours. */
__attribute__((constructor)) static void start(void) {
  if (real_clock_gettime) return;
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  map_offset();
}

static int64_t shift_ns(clockid_t clock) {
  if (!offset_ns) return 0;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
      return *offset_ns;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
      return *offset_ns - offset_at_start_ns;
    default:
      return 0;
  }
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  start();
  int result = real_clock_gettime(clock, out);
  if (result != 0) return result;
  int64_t ns = (int64_t)out->tv_sec * NS_PER_S + out->tv_nsec + shift_ns(clock);
  out->tv_sec = ns / NS_PER_S;
  out->tv_nsec = ns % NS_PER_S;
  return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  if (result != 0) return result;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
