/* fuzz_manifests.c - the JSON that is read: manifests of a build with arbitrary bytes in
 * them, as the command line tool's check-build takes them. The library reads none.
 *
 *   input: files, each ended by a byte 0
 * with: src/cli/build_check.c src/cli/text.c src/cli/terminal.c
 * link: -Wl,--wrap=fork
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "cli/build_check.h"
#include "cli/cli.h"
#include "fuzz.h"

static const char *const files[] = {
    "required-server-files.json", "prerender-manifest.json",        "build-manifest.json",
    "server/pages-manifest.json", "server/app-paths-manifest.json", "BUILD_ID"};

/* What a manifest names as its handler is loaded in a node of its own: not here. */
pid_t __wrap_fork(void);

pid_t __wrap_fork(void) {
  return -1;
}

/* Of that node alone. */
int cli_become(unsigned uid, unsigned gid) {
  (void)uid;
  (void)gid;
  return CLI_UNREADABLE;
}

static void make_directory(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
  (void)mkdir(path, 0700);
}

static void write_file(const char *name, const uint8_t *bytes, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "%s", path);
  close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *end = data + size;
  cli_build build;

  make_directory("server");
  make_directory("static");
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    const uint8_t *zero = data < end ? memchr(data, 0, (size_t)(end - data)) : NULL;
    const uint8_t *stop = zero ? zero : end;
    write_file(files[i], data, (size_t)(stop - data));
    data = zero ? zero + 1 : end;
  }
  cli_build_check(fuzz_dir(), fuzz_dir(), &build);
  CHECK(json_is_array(build.problems) && build.files > 0, "no answer");
  size_t i;
  json_t *problem;
  json_array_foreach(build.problems, i, problem) {
    CHECK(json_is_string(json_object_get(problem, "problem")), "a problem without a text");
  }
  cli_build_release(&build);
  return 0;
}
