/* faults.c - see faults.h. Each __wrap_x() is what the library calls as x(). */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <uv.h>

/* The linker, and nobody else, calls these. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static fault armed;
static atomic_long calls_left; /* to the one that fails */
static atomic_long failures;
static const char *_Atomic where = "";
static unsigned long file_system;

void fault_arm(fault what, long n) {
  atomic_store(&calls_left, n);
  atomic_store(&failures, 0);
  atomic_store(&where, "");
  armed = what;
}

long fault_disarm(void) {
  armed.kind = FAULT_NONE;
  return atomic_load(&failures);
}

const char *fault_where(void) {
  return atomic_load(&where);
}

void fault_file_system(unsigned long magic) {
  file_system = magic;
}

/* Whether this call fails. A short answer is none for a call that has no length. */
static bool fails(fault_kind kind, const char *name, bool has_length) {
  if (armed.kind != kind) return false;
  if (kind == FAULT_SYSCALL && armed.error == FAULT_SHORT && !has_length) return false;
  long left = atomic_fetch_sub(&calls_left, 1);
  if (left > 1 || (left < 1 && !armed.lasting)) return false;
  if (atomic_fetch_add(&failures, 1) == 0) atomic_store(&where, name);
  if (kind == FAULT_SYSCALL) errno = armed.error;
  return true;
}

#define FAILS(name) fails(FAULT_SYSCALL, name, false)

/* ---- system calls ------------------------------------------------------------------ */

#define WRAP(result, name, parameters, arguments)       \
  result __real_##name parameters;                      \
  result __wrap_##name parameters;                      \
  result __wrap_##name parameters {                     \
    return FAILS(#name) ? -1 : __real_##name arguments; \
  }

WRAP(int, access, (const char *path, int mode), (path, mode))
WRAP(int, fallocate64, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, fstat64, (int fd, struct stat *st), (fd, st))
WRAP(int, fstatat64, (int dir, const char *name, struct stat *st, int flags),
     (dir, name, st, flags))
WRAP(int, fsync, (int fd), (fd))
WRAP(ssize_t, getrandom, (void *to, size_t size, unsigned flags), (to, size, flags))
WRAP(int, linkat, (int from, const char *a, int to, const char *b, int flags),
     (from, a, to, b, flags))
WRAP(off_t, lseek64, (int fd, off_t at, int from), (fd, at, from))
WRAP(int, lstat64, (const char *path, struct stat *st), (path, st))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
WRAP(int, msync, (void *at, size_t size, int flags), (at, size, flags))
WRAP(int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b))
WRAP(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags))

int __real_fstatfs64(int fd, struct statfs *s);
int __wrap_fstatfs64(int fd, struct statfs *s);
int __wrap_fstatfs64(int fd, struct statfs *s) {
  if (FAILS("fstatfs64")) return -1;
  int rc = __real_fstatfs64(fd, s);
  if (rc == 0 && file_system) memcpy(&s->f_type, &file_system, sizeof s->f_type);
  return rc;
}

int __real_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size) {
  return FAILS("posix_fallocate64") ? armed.error : __real_posix_fallocate64(fd, at, size);
}

/* The arguments behind the last named one are passed on whether they exist or not. */
#define WRAP_OPEN(name, parameters, arguments, last)    \
  int __real_##name parameters;                         \
  int __wrap_##name parameters;                         \
  int __wrap_##name parameters {                        \
    va_list list;                                       \
    va_start(list, last);                               \
    unsigned long more = va_arg(list, unsigned long);   \
    va_end(list);                                       \
    return FAILS(#name) ? -1 : __real_##name arguments; \
  }

WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, more), flags)
WRAP_OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, more), flags)
WRAP_OPEN(fcntl64, (int fd, int command, ...), (fd, command, more), command)

/* What libc has no name for: the library asks for the names in a directory by it. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  long a[3];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 3; i++) a[i] = va_arg(list, long);
  va_end(list);
  return FAILS("syscall") ? -1 : __real_syscall(number, a[0], a[1], a[2]);
}

/* An end that is short reads or writes half, and at least one byte of two. */
static size_t half(size_t n) {
  return n > 1 ? n / 2 : n;
}

#define WRAP_IO(name, parameters, arguments, size) \
  ssize_t __real_##name parameters;                \
  ssize_t __wrap_##name parameters;                \
  ssize_t __wrap_##name parameters {               \
    if (fails(FAULT_SYSCALL, #name, true)) {       \
      if (armed.error != FAULT_SHORT) return -1;   \
      size = half(size);                           \
    }                                              \
    return __real_##name arguments;                \
  }

WRAP_IO(read, (int fd, void *to, size_t size), (fd, to, size), size)
WRAP_IO(write, (int fd, const void *from, size_t size), (fd, from, size), size)
WRAP_IO(pread64, (int fd, void *to, size_t size, off_t at), (fd, to, size, at), size)
WRAP_IO(pwrite64, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at), size)

/* Of a vector only the first piece, and half of that, is taken. */
#define WRAP_VECTOR(name, parameters, arguments)         \
  ssize_t __real_##name parameters;                      \
  ssize_t __wrap_##name parameters;                      \
  ssize_t __wrap_##name parameters {                     \
    struct iovec piece;                                  \
    if (fails(FAULT_SYSCALL, #name, true)) {             \
      if (armed.error != FAULT_SHORT) return -1;         \
      piece = iov[0].iov_len || n < 2 ? iov[0] : iov[1]; \
      piece.iov_len = half(piece.iov_len);               \
      iov = &piece;                                      \
      n = 1;                                             \
    }                                                    \
    return __real_##name arguments;                      \
  }

WRAP_VECTOR(preadv64v2, (int fd, const struct iovec *iov, int n, off_t at, int flags),
            (fd, iov, n, at, flags))
WRAP_VECTOR(pwritev64, (int fd, const struct iovec *iov, int n, off_t at), (fd, iov, n, at))

void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  /* Memory without a file is memory. */
  if (fd < 0 ? fails(FAULT_MEMORY, "mmap64", false) : FAILS("mmap64")) return MAP_FAILED;
  return __real_mmap64(at, size, protection, flags, fd, offset);
}

#define WRAP_POINTER(kind, result, name, parameters, arguments)        \
  result *__real_##name parameters;                                    \
  result *__wrap_##name parameters;                                    \
  result *__wrap_##name parameters {                                   \
    return fails(kind, #name, false) ? NULL : __real_##name arguments; \
  }

WRAP_POINTER(FAULT_SYSCALL, DIR, fdopendir, (int fd), (fd))
WRAP_POINTER(FAULT_SYSCALL, struct dirent, readdir64, (DIR * dir), (dir))
WRAP_POINTER(FAULT_SYSCALL, char, getcwd, (char *to, size_t size), (to, size))

/* ---- allocations ------------------------------------------------------------------- */

WRAP_POINTER(FAULT_MEMORY, void, malloc, (size_t size), (size))
WRAP_POINTER(FAULT_MEMORY, void, calloc, (size_t n, size_t size), (n, size))
WRAP_POINTER(FAULT_MEMORY, void, realloc, (void *old, size_t size), (old, size))
WRAP_POINTER(FAULT_MEMORY, char, strdup, (const char *text), (text))
WRAP_POINTER(FAULT_MEMORY, char, realpath, (const char *path, char *to), (path, to))

int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg) {
  if (fails(FAULT_MEMORY, "uv_thread_create", false)) return UV_EAGAIN;
  return __real_uv_thread_create(thread, entry, arg);
}

/* ---- what must not grow --------------------------------------------------------------- */

int fault_descriptors(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return -1;
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

bool fault_leaked(void) {
  return __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
}
