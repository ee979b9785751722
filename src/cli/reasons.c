/* reasons.c - why things were invalidated: the last reasons that helpers and people gave.
 *
 * They stand in <dir>/v1/invalidations, one JSON object on a line, and so outlive a
 * clear of the cache. A line is added by one write in append mode, with a line end on
 * both sides, so that one that was torn spoils no other. A file that has grown to 64 KB
 * becomes invalidations.1 in place of the last one: 128 KB are never exceeded by more
 * than a line of each process. bindings/node/lib/reasons.js writes and bounds the same.
 *
 * Nothing depends on the list. What is not one of its lines is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define FILE_NAME "invalidations"
#define OLD_NAME "invalidations.1"
#define FILE_BYTES 65536
#define LINE_BYTES 4096
#define REASON_BYTES 300

static int open_directory(void) {
  char *path = cli_format("%s/v1", cli_where()->dir);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  free(path);
  return fd;
}

/* A plain file, or -1. */
static int open_file(int dir, const char *name, int flags, struct stat *st) {
  int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode))) {
    close(fd);
    fd = -1;
  }
  return fd;
}

/* ---- adding ------------------------------------------------------------------------------ */

/* As long as it fits into a line; tags that do not are left out. New memory. */
static char *line_of(json_t *record) {
  for (;;) {
    char *text = json_dumps(record, JSON_COMPACT);
    json_t *tags = json_object_get(record, "tags");
    size_t n = json_array_size(tags);
    if (!text || strlen(text) + 2 <= LINE_BYTES || !n) return text;
    free(text);
    json_array_remove(tags, n - 1);
  }
}

static int open_to_add(int dir) {
  const int flags = O_WRONLY | O_APPEND | O_CREAT;
  struct stat st, named;
  int fd = open_file(dir, FILE_NAME, flags, &st);
  if (fd < 0 || st.st_size < FILE_BYTES) return fd;
  /* Another process may have moved it meanwhile; then it is not ours to move. */
  if (fstatat(dir, FILE_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == st.st_ino) {
    renameat(dir, FILE_NAME, dir, OLD_NAME);
  }
  close(fd);
  return open_file(dir, FILE_NAME, flags, &st);
}

static bool write_line(const char *text) {
  int dir = open_directory();
  int fd = dir < 0 ? -1 : open_to_add(dir);
  char *line = cli_format("\n%s\n", text);
  bool done = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
  free(line);
  if (fd >= 0) close(fd);
  if (dir >= 0) close(dir);
  return done;
}

void cli_reasons_add(const char *by, const char *reason, const char *const *tags, size_t count) {
  json_t *list = json_array();
  for (size_t i = 0; i < count; i++) {
    json_array_append_new(list, cli_json_text((nxc_slice){tags[i], strlen(tags[i])}));
  }
  json_t *record =
      json_pack("{s:I, s:o, s:o, s:s}", "time_ms", (json_int_t)cli_now_ms(), "tags", list, "reason",
                cli_json_text((nxc_slice){reason, strnlen(reason, REASON_BYTES)}), "by", by);
  char *text = line_of(record);
  if (!text || !write_line(text)) cli_warn("the reason could not be noted: %s", strerror(errno));
  free(text);
  json_decref(record);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool is_record(const json_t *r) {
  const json_t *tags = json_object_get(r, "tags"), *tag;
  size_t i;
  if (!json_is_integer(json_object_get(r, "time_ms")) || !json_is_array(tags) ||
      !json_is_string(json_object_get(r, "reason")) || !json_is_string(json_object_get(r, "by"))) {
    return false;
  }
  json_array_foreach(tags, i, tag) {
    if (!json_is_string(tag)) return false;
  }
  return true;
}

/* Appends the records among the lines, the last one first. */
static void read_lines(char *text, size_t size, json_t *to, size_t limit) {
  while (size && (!limit || json_array_size(to) < limit)) {
    char *end = memrchr(text, '\n', size), *line = end ? end + 1 : text;
    json_t *record = json_loadb(line, (size_t)(text + size - line), 0, NULL);
    if (is_record(record)) json_array_append(to, record);
    json_decref(record);
    size = end ? (size_t)(end - text) : 0;
  }
}

static void read_file(int dir, const char *name, json_t *to, size_t limit) {
  const size_t most = FILE_BYTES + LINE_BYTES;
  struct stat st;
  int fd = open_file(dir, name, O_RDONLY, &st);
  if (fd < 0) return;
  char *text = cli_alloc(NULL, most);
  off_t from = st.st_size > (off_t)most ? st.st_size - (off_t)most : 0;
  ssize_t n = pread(fd, text, most, from);
  close(fd);
  if (n > 0) read_lines(text, (size_t)n, to, limit);
  free(text);
}

json_t *cli_reasons_read(size_t limit) {
  json_t *list = json_array();
  int dir = open_directory();
  if (dir < 0) return list;
  read_file(dir, FILE_NAME, list, limit);
  read_file(dir, OLD_NAME, list, limit);
  close(dir);
  return list;
}
