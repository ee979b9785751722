/* clock.c - lets a test decide what time a process believes it is.
 *
 * Loaded through LD_PRELOAD, it replaces every clock that libc hands out, so
 * that JavaScript (Date.now, performance.now) and native code agree without
 * either of them knowing. The file named by CONFORMANCE_CLOCK says what time
 * it is; it is mapped shared, so the test moves time for all its processes by
 * one write. It holds a moment (ns since 1970), the real moment at which it was
 * written, and how many times slower than in reality time goes on from there.
 * A replay slows time down, so that what a call costs on this machine does not
 * carry it past the recorded moment of the next one. A fourth number, 0 where
 * the file ends before it, is how far the wall clock was stepped (ns).
 *
 * The monotonic clocks start where the kernel's are and advance in step with
 * the wall clock, but for its steps, as they would in real life. A clock of
 * processor time is left alone, and so are the times that the kernel itself
 * writes, such as the modification times of files.
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

struct told {
  int64_t moment_ns, written_ns, slowness, stepped_ns;
};

static const volatile struct told *told;
static int64_t steady_at_start_ns, monotonic_at_start_ns;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static int64_t real_ns(clockid_t clock) {
  struct timespec now = {0, 0};
  real_clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The wall clock as if it had never been stepped. */
static int64_t steady_ns(void) {
  return told->moment_ns + (real_ns(CLOCK_REALTIME) - told->written_ns) / told->slowness;
}

static void map_file(void) {
  const char *path = getenv("CONFORMANCE_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(struct told), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  told = page;
  steady_at_start_ns = steady_ns();
  monotonic_at_start_ns = real_ns(CLOCK_MONOTONIC);
}

/* Also called by other libraries' constructors, which may run before ours. */
__attribute__((constructor)) static void start(void) {
  if (real_clock_gettime) return;
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  map_file();
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  start();
  int64_t ns;
  switch (told ? clock : -1) {
  case CLOCK_REALTIME:
  case CLOCK_REALTIME_COARSE:
  case CLOCK_TAI: ns = steady_ns() + told->stepped_ns; break;
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_MONOTONIC_COARSE:
  case CLOCK_BOOTTIME: ns = monotonic_at_start_ns + (steady_ns() - steady_at_start_ns); break;
  default: return real_clock_gettime(clock, out);
  }
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
