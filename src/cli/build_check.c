/* build_check.c - reads the manifests of a build and looks for what they name.
 *
 * A build that was interrupted, or copied in part, starts and then answers some
 * requests with 500 or pages without their scripts; here it is found before that.
 */
#include "build_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Written by Next.js in the place of a file for routes that run elsewhere. */
#define EDGE "app-edge-has-no-entrypoint"
#define AGAIN "build again: nextcache clear --build && next build"

json_t *cli_json_file(const char *dir, const char *file) {
  char *path = cli_format("%s/%s", dir, file);
  json_t *value = json_load_file(path, 0, NULL);
  free(path);
  return value;
}

static void tell(cli_build *b, const char *file, const char *problem, const char *remedy) {
  json_array_append_new(b->problems, json_pack("{s:o, s:s, s:s}", "file",
                                               cli_json_text((nxc_slice){file, strlen(file)}),
                                               "problem", problem, "remedy", remedy));
}

/* ---- files -------------------------------------------------------------------------- */

/* Whether a file is there; one that is empty is as good as missing. */
static bool expect(cli_build *b, const char *file, const char *remedy) {
  struct stat st;
  char *path = cli_format("%s/%s", b->dist, file);
  int rc = stat(path, &st);
  free(path);
  b->files++;
  if (rc) {
    tell(b, file, "is missing", remedy);
  } else if (S_ISREG(st.st_mode) && st.st_size == 0) {
    tell(b, file, "is empty", remedy);
  } else {
    return true;
  }
  return false;
}

/* A manifest that was cut off in the middle is there, and not empty; only parsing tells. */
static json_t *expect_json(cli_build *b, const char *file) {
  if (!expect(b, file, AGAIN)) return NULL;
  json_t *value = cli_json_file(b->dist, file);
  if (!value) tell(b, file, "is not readable as JSON", AGAIN);
  return value;
}

static void expect_each(cli_build *b, const char *folder, const json_t *files, const char *remedy) {
  size_t i;
  json_t *file;
  json_array_foreach(files, i, file) {
    if (!json_is_string(file)) continue;
    char *path = cli_format("%s%s", folder, json_string_value(file));
    expect(b, path, remedy);
    free(path);
  }
}

static bool is_told(const cli_build *b, const char *file) {
  size_t i;
  json_t *problem;
  json_array_foreach(b->problems, i, problem) {
    if (strcmp(json_string_value(json_object_get(problem, "file")), file) == 0) return true;
  }
  return false;
}

/* Whatever lies in a folder: Turbopack names the scripts of a page in no JSON. */
static void expect_no_empty(cli_build *b, const char *folder, const char *remedy) {
  char *path = cli_format("%s/%s", b->dist, folder);
  DIR *dir = opendir(path);
  free(path);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    struct stat st;
    char *file = cli_format("%s/%s", folder, e->d_name);
    bool is_known =
        e->d_name[0] != '.' && !fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW);
    if (is_known && S_ISDIR(st.st_mode)) expect_no_empty(b, file, remedy);
    if (is_known && S_ISREG(st.st_mode) && st.st_size == 0 && !is_told(b, file)) {
      tell(b, file, "is empty", remedy);
    }
    free(file);
  }
  if (dir) closedir(dir);
}

/* ---- manifests ------------------------------------------------------------------------ */

/* Scripts and styles. A standalone tree gets static/ by a copy of its user's. */
static void check_client(cli_build *b, json_t *manifest) {
  static const char remedy[] = "copy .next/static into it (standalone), or " AGAIN;
  static const char *const lists[] = {"polyfillFiles", "lowPriorityFiles", "rootMainFiles"};
  const char *page;
  json_t *files;
  struct stat st;
  char *path = cli_format("%s/static", b->dist);
  int rc = stat(path, &st);
  free(path);
  if (rc) { /* one line instead of hundreds */
    tell(b, "static", "is missing: pages come without scripts and styles", remedy);
    return;
  }
  json_object_foreach(json_object_get(manifest, "pages"), page, files) {
    expect_each(b, "", files, remedy);
  }
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    expect_each(b, "", json_object_get(manifest, lists[i]), remedy);
  }
  expect_no_empty(b, "static", remedy);
}

/* {route: file below server/} */
static void check_server(cli_build *b, const char *name, bool optional) {
  const char *route;
  json_t *file, *manifest;
  char *path = cli_format("%s/%s", b->dist, name);
  bool there = access(path, F_OK) == 0;
  free(path);
  if (!there && optional) return;
  manifest = expect_json(b, name);
  json_object_foreach(manifest, route, file) {
    /* Next.js has no file for a route on the edge runtime, and says it so. */
    if (!json_is_string(file) || strcmp(json_string_value(file), EDGE) == 0) continue;
    char *below = cli_format("server/%s", json_string_value(file));
    expect(b, below, AGAIN);
    free(below);
  }
  json_decref(manifest);
}

/* Layouts of 14, 15 and 16 differ in which of these files they have for one page. */
static bool is_there(const cli_build *b, const char *folder, const char *route,
                     const char *suffix) {
  char *path = cli_format("%s/server/%s%s%s", b->dist, folder, route, suffix);
  bool there = access(path, F_OK) == 0;
  free(path);
  return there;
}

bool cli_json_has(const json_t *list, const char *text) {
  size_t i;
  json_t *one;
  json_array_foreach(list, i, one) {
    if (json_is_string(one) && strcmp(json_string_value(one), text) == 0) return true;
  }
  return false;
}

/* A prerendered page lies under app/ or pages/, a route handler's answer as a body. */
static void check_prerendered(cli_build *b, json_t *manifest) {
  const char *route;
  json_t *description;
  json_object_foreach(json_object_get(manifest, "routes"), route, description) {
    if (cli_json_has(json_object_get(manifest, "notFoundRoutes"), route)) continue;
    const char *base = strcmp(route, "/") == 0 ? "/index" : route;
    b->files++;
    if (is_there(b, "app", base, ".html") || is_there(b, "app", base, ".body") ||
        is_there(b, "pages", base, ".html") || is_there(b, "pages", base, ".json") ||
        is_there(b, "app", base, ".meta") || is_there(b, "app", base, ".rsc")) {
      continue;
    }
    tell(b, route, "was prerendered, and its file below server/ is missing", AGAIN);
  }
}

/* ---- the handlers ------------------------------------------------------------------------ */

/* The manifest has it relative to the build output. */
static char *resolve(const cli_build *b, const char *handler) {
  char *path = handler[0] == '/' ? cli_strdup(handler) : cli_format("%s/%s", b->dist, handler);
  char *real = realpath(path, NULL);
  free(path);
  return real;
}

/* What a project's code does it does as whom the project belongs to, never as root. */
static void become_owner_of(const char *path) {
  struct stat st;
  if (stat(path, &st) || cli_become(st.st_uid, st.st_gid) != CLI_OK) _exit(127);
}

/* Loads it in a node of its own, as Next.js does, by import(): a missing addon or package shows
 * here. What still waits after ten seconds, for another server perhaps, was found and runs. */
static void load(cli_build *b, const char *path) {
  static const char script[] =
      "process.stdout.write = () => true;" /* what it prints itself is no answer */
      "const fail = (e) => { "
      "require('fs').writeSync(1, String(e && e.message || e).split('\\n')[0]); process.exit(9); };"
      "const m = process.argv[1].replace(/[^/\\\\]*$/, 'lib/addon.js');"
      "setTimeout(() => process.exit(0), 10000);"
      "import(require('url').pathToFileURL(process.argv[1])).then(() => {"
      "if (require('fs').existsSync(m)) { const a = require(m); if (!a.addon) fail(a.problem); }"
      "process.exit(0); }).catch(fail);";
  char said[512] = "";
  int out[2], status = 0;
  if (pipe(out)) return;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    become_owner_of(b->dist);
    become_owner_of(path);
    /* That of the PATH, which is the one that `next start` will run under. */
    execlp("node", "node", "-e", script, path, (char *)NULL);
    _exit(127);
  }
  close(out[1]);
  ssize_t n = read(out[0], said, sizeof said - 1);
  close(out[0]);
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  said[n > 0 ? n : 0] = '\0';
  said[strcspn(said, "\n")] = '\0';
  /* Without a node (127) nothing can be said, and nothing is. */
  if (WIFEXITED(status) && WEXITSTATUS(status) == 9) {
    char *problem = cli_format("does not load: %s", said);
    tell(b, path, problem, "npm ci, for this system and this version of Node.js");
    free(problem);
  }
}

static void check_handler(cli_build *b, const char *name, const char *handler) {
  static const char remedy[] =
      "in next.config write require.resolve('nextcache/...'): the path must be absolute";
  char *real = resolve(b, handler);
  b->files++;
  if (!real) {
    char *problem = cli_format("%s \"%s\" leads nowhere", name, handler);
    tell(b, "required-server-files.json", problem, remedy);
    free(problem);
    return;
  }
  load(b, real);
  if (b->handler) {
    free(real);
  } else {
    b->handler = real;
  }
}

static void check_each(cli_build *b, const char *setting, json_t *handlers) {
  const char *name;
  json_t *one;
  json_object_foreach(handlers, name, one) {
    if (json_is_string(one)) check_handler(b, setting, json_string_value(one));
  }
}

static void check_handlers(cli_build *b, const json_t *config) {
  const json_t *value = json_object_get(config, "cacheHandler");
  const json_t *in_15 = json_object_get(config, "experimental");
  if (json_is_string(value)) check_handler(b, "cacheHandler", json_string_value(value));
  check_each(b, "cacheHandlers", json_object_get(config, "cacheHandlers"));
  check_each(b, "experimental.cacheHandlers", json_object_get(in_15, "cacheHandlers"));
}

/* ---- all of it ---------------------------------------------------------------------------- */

static char *read_build_id(const cli_build *b) {
  char *path = cli_format("%s/BUILD_ID", b->dist), line[256] = "";
  FILE *f = fopen(path, "re");
  free(path);
  if (f && !fgets(line, sizeof line, f)) line[0] = '\0';
  if (f) fclose(f);
  line[strcspn(line, "\r\n")] = '\0';
  return *line ? cli_strdup(line) : NULL;
}

/* The list of the build itself, of what a server needs. */
static void check_required(cli_build *b, json_t *manifest) {
  size_t i;
  json_t *file;
  const json_t *config = json_object_get(manifest, "config");
  const char *dist = json_string_value(json_object_get(config, "distDir"));
  size_t n = dist ? strlen(dist) : 0;
  json_array_foreach(json_object_get(manifest, "files"), i, file) {
    const char *path = json_string_value(file);
    /* Files elsewhere are named relative to the project, which a standalone tree lays out anew. */
    if (!path || !n || strncmp(path, dist, n) != 0 || path[n] != '/') continue;
    expect(b, path + n + 1, AGAIN);
  }
  check_handlers(b, config);
}

void cli_build_check(const char *root, const char *dist, cli_build *b) {
  struct stat st;
  *b = (cli_build){.problems = json_array()};
  b->dist = cli_below(root, dist);
  if (stat(b->dist, &st) || !S_ISDIR(st.st_mode)) {
    tell(b, b->dist, "is not there", "next build");
    return;
  }
  if (expect(b, "BUILD_ID", "the build did not end; " AGAIN)) b->build_id = read_build_id(b);
  expect(b, "server", AGAIN);
  json_t *client = expect_json(b, "build-manifest.json");
  json_t *prerendered = expect_json(b, "prerender-manifest.json");
  json_t *required = expect_json(b, "required-server-files.json");
  expect(b, "routes-manifest.json", AGAIN);
  if (client) check_client(b, client);
  check_server(b, "server/pages-manifest.json", false);
  check_server(b, "server/app-paths-manifest.json", true);
  if (prerendered) check_prerendered(b, prerendered);
  if (required) check_required(b, required);
  json_decref(client);
  json_decref(prerendered);
  json_decref(required);
}

void cli_build_release(cli_build *b) {
  json_decref(b->problems);
  free(b->dist);
  free(b->handler);
  free(b->build_id);
}

/* In the columns of `recover`, which prints these among its own. Takes the text. */
static void tell_result(const char *what, cli_style style, char *text) {
  printf("%s%-9s%s ", cli_style_of(style), what, cli_style_of(CLI_RESET));
  cli_put_line(stdout, text);
  free(text);
}

int cli_build_report(const cli_build *b) {
  size_t i;
  json_t *problem;
  json_array_foreach(b->problems, i, problem) {
    char *text = cli_format("%s %s; %s", json_string_value(json_object_get(problem, "file")),
                            json_string_value(json_object_get(problem, "problem")),
                            json_string_value(json_object_get(problem, "remedy")));
    tell_result("problem", CLI_RED, text);
  }
  if (i) return CLI_PROBLEM;
  tell_result("whole", CLI_GREEN,
              cli_format("build %s in %s: %s files", b->build_id ? b->build_id : "?", b->dist,
                         cli_count(b->files).text));
  if (!b->handler) {
    tell_result("note", CLI_YELLOW, cli_strdup("it was built without a cacheHandler"));
  }
  return CLI_OK;
}
