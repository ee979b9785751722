/* processes.c - finds the processes that have an index open.
 *
 * Every one of them holds a lock on the byte of the living and one on the counter row
 * that it writes; who only looks holds neither. The kernel tells whether a byte is
 * locked, but of such a lock not by whom: /proc/<pid>/fd says who has the file open,
 * and /proc/<pid>/fdinfo/<fd> which bytes that one has locked.
 * A locked row without such a process belongs to another container or user.
 */
#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct found {
  const nxc__index *index;
  nxc__holder *list;
  size_t count, room;
  bool row_is_known[NXC__COUNTER_ROWS];
} found;

static bool add(found *f, int64_t pid, int row) {
  if (f->count == f->room) {
    size_t room = f->room ? 2 * f->room : 16;
    nxc__holder *list = realloc(f->list, room * sizeof *list);
    if (!list) return false;
    f->list = list;
    f->room = room;
  }
  f->list[f->count++] = (nxc__holder){pid, row};
  if (row >= 0) f->row_is_known[row] = true;
  return true;
}

/* Whether the open file has the lock of the living, and which row, if any; from lines
 * such as
 *   lock:  1: OFDLCK ADVISORY WRITE 42 08:01:1234 5 5        (or EOF) */
static bool is_living(int proc_pid, const char *fd_name, int *row) {
  char path[300], line[256], mode[16], at[32];
  bool living = false;
  *row = -1;
  snprintf(path, sizeof path, "fdinfo/%s", fd_name);
  int fd = openat(proc_pid, path, O_RDONLY | O_CLOEXEC);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  if (!f) {
    if (fd >= 0) close(fd);
    return false;
  }
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "lock: %*s OFDLCK %*s %15s %*s %*s %31s", mode, at) != 2) continue;
    long long first = strtoll(at, NULL, 10), candidate = first - NXC__LOCK_COUNTERS;
    if (strcmp(mode, "READ") == 0 && first == NXC__LOCK_LIVE) living = true;
    if (strcmp(mode, "WRITE") == 0 && candidate >= 0 && candidate < NXC__COUNTER_ROWS) {
      *row = (int)candidate;
    }
  }
  fclose(f);
  return living;
}

/* Looks through the open files of one process. */
static bool look_into(found *f, int64_t pid) {
  char path[64];
  bool ok = true;
  snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
  int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fd = proc < 0 ? -1 : openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent *e; dir && ok && (e = readdir(dir));) {
    struct stat st;
    if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0)) continue;
    if (st.st_ino != f->index->ino || st.st_dev != f->index->dev) continue;
    int row;
    bool living = is_living(proc, e->d_name, &row);
    bool mine = pid == getpid() && strtol(e->d_name, NULL, 10) == f->index->fd;
    if (mine && row >= 0) f->row_is_known[row] = true;
    if (!mine && living) ok = add(f, pid, row);
  }
  if (dir) closedir(dir);
  if (proc >= 0) close(proc);
  return ok;
}

bool nxc__row_is_live(const nxc__index *x, int row) {
  struct flock lock = {
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = NXC__LOCK_COUNTERS + row, .l_len = 1};
  return fcntl(x->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int nxc__processes_list(const nxc__index *index, nxc__holder **out, size_t *count) {
  found f = {.index = index};
  bool ok = true;
  DIR *dir = opendir("/proc");

  for (struct dirent *e; dir && ok && (e = readdir(dir));) {
    long long pid = strtoll(e->d_name, NULL, 10);
    if (pid > 0) ok = look_into(&f, pid);
  }
  if (dir) closedir(dir);
  for (int row = 0; row < NXC__COUNTER_ROWS && ok; row++) {
    if (!f.row_is_known[row] && nxc__row_is_live(index, row)) ok = add(&f, 0, row);
  }
  if (!ok) {
    free(f.list);
    return NXC_E_NOMEM;
  }
  *out = f.list;
  *count = f.count;
  return NXC_OK;
}

void nxc__process_command(int64_t pid, char *out, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%lld/cmdline", (long long)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
  if (fd >= 0) close(fd);
  if (n < 0) n = 0;
  for (ssize_t i = 0; i < n; i++) {
    if (!out[i]) out[i] = ' '; /* arguments end in NUL */
  }
  while (n > 0 && out[n - 1] == ' ') n--;
  out[n] = '\0';
}
