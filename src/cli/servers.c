/* servers.c - finds Next.js processes by where they work and what they are called:
 * "next-server (v16...)", `next start`, `next build`, `node server.js`.
 */
#include "servers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

typedef struct project { /* as files: a container has other names for them */
  struct stat root, dist;
  bool has_dist;
  uint32_t owner; /* of its cache, where one is there */
  bool has_owner;
} project;

static bool same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* In the root itself, or at or below the build output: up from there, as the process sees it. */
static bool is_in_project(int at, const project *p) {
  struct stat here, before = {.st_ino = 0};
  bool found = fstat(at, &here) == 0 && same(&here, &p->root);
  for (int up = dup(at); up >= 0;) {
    int next = -1;
    if (!found && p->has_dist && fstat(up, &here) == 0 && !same(&here, &before)) {
      found = same(&here, &p->dist);
      before = here;
      next = openat(up, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    close(up);
    up = next;
  }
  return found;
}

/* Where a process of another user works is not to be seen; one of the user who owns the
 * cache of this project is taken for one of this project. */
static bool works_here(long pid, const project *p) {
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%ld/cwd", pid);
  int at = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at >= 0) {
    bool found = is_in_project(at, p);
    close(at);
    return found;
  }
  if (errno != EACCES || !p->has_owner) return false;
  *strrchr(path, '/') = '\0';
  return stat(path, &st) == 0 && st.st_uid == p->owner;
}

/* A line of /proc/<pid>/status, such as "RssAnon:   86428 kB". */
static uint64_t field_of(const char *status, const char *name) {
  const char *line = strstr(status, name);
  return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

cli_memory cli_memory_of(long pid) {
  char status[4096];
  read_proc(pid, "status", status, sizeof status);
  return (cli_memory){.resident_bytes = field_of(status, "VmRSS:"),
                      .own_bytes = field_of(status, "RssAnon:")};
}

static bool serves(long pid, const project *p, cli_server *out) {
  char arguments[512];
  size_t size = read_proc(pid, "cmdline", arguments, sizeof arguments);
  if (!is_next(arguments, size) || !works_here(pid, p)) return false;
  *out = (cli_server){.pid = pid};
  size_t used = size < sizeof out->command ? size : sizeof out->command - 1;
  memcpy(out->command, arguments, used);
  for (char *end; (end = memchr(out->command, '\0', used));) *end = ' ';
  while (used && out->command[used - 1] == ' ') out->command[--used] = '\0';
  return true;
}

/* By what a process looks like, not by who has the cache open: also a server that fell back to
 * Next's own cache serves the build. */
size_t cli_servers(const char *root, const char *dist, cli_server **out) {
  project p = {.has_owner = false};
  uint32_t group;
  size_t count = 0;
  *out = NULL;
  if (stat(root, &p.root)) return 0;
  p.has_dist = stat(dist, &p.dist) == 0;
  p.has_owner = nxc_view_owner(cli_where()->dir, &p.owner, &group) == NXC_OK;
  DIR *dir = opendir("/proc");
  for (struct dirent *e; dir && (e = readdir(dir));) {
    cli_server one;
    long pid = atol(e->d_name);
    if (pid <= 0 || pid == getpid() || !serves(pid, &p, &one)) continue;
    *out = cli_alloc(*out, (count + 1) * sizeof one);
    (*out)[count++] = one;
  }
  if (dir) closedir(dir);
  return count;
}
