/* tree.c - walks a tree by descriptors, so that a link which appears meanwhile leads
 * nowhere.
 */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level holds a descriptor. No build is that deep; a tree that is was made to harm. */
#define DEEPEST 256

static void walk(int dir, dev_t device, bool remove, int depth, cli_tree *t);

static void visit(int dir, const char *name, dev_t device, bool remove, int depth, cli_tree *t) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
    t->failed++;
    return;
  }
  if (!S_ISDIR(st.st_mode)) {
    t->files++;
    t->bytes += (uint64_t)st.st_blocks * 512;
    if (remove && unlinkat(dir, name, 0)) t->failed++;
    return;
  }
  int fd = -1;
  /* A mount inside is somebody else's, whatever is in it. */
  if (st.st_dev == device && depth < DEEPEST) {
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (fd < 0) {
    t->failed++;
    return;
  }
  walk(fd, device, remove, depth + 1, t);
  close(fd);
  if (remove && unlinkat(dir, name, AT_REMOVEDIR)) t->failed++;
}

static void walk(int dir, dev_t device, bool remove, int depth, cli_tree *t) {
  /* closedir() closes what it was given, and the caller goes on using its own. */
  int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    t->failed++;
    return;
  }
  for (struct dirent *e; (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    visit(dir, e->d_name, device, remove, depth, t);
  }
  closedir(d);
}

void cli_tree_walk(int dir, bool remove, cli_tree *tree) {
  struct stat st;
  *tree = (cli_tree){.files = 0};
  if (fstat(dir, &st)) {
    tree->failed++;
    return;
  }
  walk(dir, st.st_dev, remove, 0, tree);
}
