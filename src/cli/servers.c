/* servers.c - finds Next.js processes by where they work and what they are called:
 * "next-server (v16...)", `next start`, `next build`, `node server.js`.
 */
#include "servers.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t read_proc(long pid, const char *file, char *out, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
  if (fd >= 0) close(fd);
  if (n < 0) n = 0;
  out[n] = '\0';
  return (size_t)n;
}

/* One of the first arguments is Next's, or its standalone server. */
static bool is_next(const char *arguments, size_t size) {
  const char *at = arguments, *end = arguments + size;
  for (int i = 0; i < 4 && at < end; i++, at += strlen(at) + 1) {
    const char *slash = strrchr(at, '/');
    const char *name = slash ? slash + 1 : at;
    if (strcmp(name, "next") == 0 || strncmp(name, "next-server", 11) == 0 ||
        strncmp(name, "next-router", 11) == 0 || (i && strcmp(name, "server.js") == 0)) {
      return true;
    }
  }
  return false;
}

static bool is_inside(const char *path, const char *dir) {
  size_t n = strlen(dir);
  return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static uint64_t resident_bytes(long pid) {
  char text[128];
  unsigned long pages;
  read_proc(pid, "statm", text, sizeof text);
  if (sscanf(text, "%*u %lu", &pages) != 1) return 0;
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool serves(long pid, const char *root, const char *dist, cli_server *out) {
  char path[64], cwd[PATH_MAX], arguments[512];
  snprintf(path, sizeof path, "/proc/%ld/cwd", pid);
  ssize_t n = readlink(path, cwd, sizeof cwd - 1);
  if (n <= 0) return false;
  cwd[n] = '\0';
  if (strcmp(cwd, root) != 0 && !is_inside(cwd, dist)) return false;
  size_t size = read_proc(pid, "cmdline", arguments, sizeof arguments);
  if (!is_next(arguments, size)) return false;
  *out = (cli_server){.pid = pid, .resident_bytes = resident_bytes(pid)};
  size_t used = size < sizeof out->command ? size : sizeof out->command - 1;
  memcpy(out->command, arguments, used);
  for (char *end; (end = memchr(out->command, '\0', used));) *end = ' ';
  while (used && out->command[used - 1] == ' ') out->command[--used] = '\0';
  return true;
}

/* By what a process looks like, not by who has the cache open: also a server that fell back to
 * Next's own cache serves the build. */
size_t cli_servers(const char *root, const char *dist, cli_server **out) {
  size_t count = 0;
  DIR *dir = opendir("/proc");
  *out = NULL;
  for (struct dirent *e; dir && (e = readdir(dir));) {
    cli_server one;
    long pid = atol(e->d_name);
    if (pid <= 0 || pid == getpid() || !serves(pid, root, dist, &one)) continue;
    *out = cli_alloc(*out, (count + 1) * sizeof one);
    (*out)[count++] = one;
  }
  if (dir) closedir(dir);
  return count;
}
