/* old-glibc.h - included before everything else when the addon for glibc is compiled, so
 * that it loads where Node.js does: with glibc 2.28 and later.
 *
 * glibc 2.33 and 2.34 gave these functions new names or homes. The old ones are still
 * there for programs that were linked long ago, which we pretend to be.
 */
#ifndef NXC_OLD_GLIBC_H
#define NXC_OLD_GLIBC_H

#include <dlfcn.h>
#include <sys/stat.h>

#ifdef __x86_64__
#define NXC__FIRST_GLIBC "GLIBC_2.2.5"
#define NXC__STAT_VERSION 1
#define NXC__FSTATAT_GLIBC "GLIBC_2.4"
#else
#define NXC__FIRST_GLIBC "GLIBC_2.17"
#define NXC__STAT_VERSION 0
#define NXC__FSTATAT_GLIBC "GLIBC_2.17"
#endif

int nxc__old_fxstat(int version, int fd, struct stat *out);
int nxc__old_lxstat(int version, const char *path, struct stat *out);
int nxc__old_fxstatat(int version, int dir, const char *path, struct stat *out, int flags);

__asm__(".symver nxc__old_fxstat, __fxstat@" NXC__FIRST_GLIBC);
__asm__(".symver nxc__old_lxstat, __lxstat@" NXC__FIRST_GLIBC);
__asm__(".symver nxc__old_fxstatat, __fxstatat@" NXC__FSTATAT_GLIBC);
__asm__(".symver dlsym, dlsym@" NXC__FIRST_GLIBC);

#define fstat(fd, out) nxc__old_fxstat(NXC__STAT_VERSION, fd, out)
#define lstat(path, out) nxc__old_lxstat(NXC__STAT_VERSION, path, out)
#define fstatat(dir, path, out, flags) nxc__old_fxstatat(NXC__STAT_VERSION, dir, path, out, flags)

#endif
