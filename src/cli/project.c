/* project.c - where the cache is: the rules of the Node.js handlers, told in C.
 *
 * The project's root is the nearest directory at or above this one with a server.js
 * or a package.json. The directory comes from --dir, NEXT_CACHE_DIR, or the default.
 * Next.js puts its .env files into the environment of a server, so they count here.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define MOST_SETTINGS 32

/* In the order of strength of `next start`. */
static const char *const env_files[] = {".env.production.local", ".env.local", ".env.production",
                                        ".env"};

static bool stands_in(const char *dir, const char *name) {
  char *path = cli_format("%s/%s", dir, name);
  bool there = access(path, F_OK) == 0;
  free(path);
  return there;
}

static char *find_root(void) {
  char cwd[PATH_MAX], at[PATH_MAX];
  if (!getcwd(cwd, sizeof cwd)) return cli_strdup("/");
  memcpy(at, cwd, strlen(cwd) + 1);
  for (;;) {
    if (stands_in(at, "server.js") || stands_in(at, "package.json")) return cli_strdup(at);
    char *slash = strrchr(at, '/');
    if (slash == at) break;
    *slash = '\0';
  }
  bool at_top = stands_in("/", "server.js") || stands_in("/", "package.json");
  return cli_strdup(at_top ? "/" : cwd);
}

/* The root is needed before the place is known. */
static const char *root(void) {
  static char *found;
  if (!found) found = find_root();
  return found;
}

/* ---- settings -------------------------------------------------------------------- */

/* The value of a line such as `export NAME="value" # comment`, in place; NULL: it is
 * a line about something else. */
static char *value_in(char *line, const char *name) {
  line += strspn(line, " \t");
  if (strncmp(line, "export ", 7) == 0) line += 7 + strspn(line + 7, " \t");
  size_t n = strlen(name);
  if (strncmp(line, name, n) != 0) return NULL;
  line += n + strspn(line + n, " \t");
  if (*line++ != '=') return NULL;
  line += strspn(line, " \t");
  if (*line == '"' || *line == '\'') {
    char *end = strchr(line + 1, *line);
    if (end) {
      *end = '\0';
      return line + 1;
    }
  }
  line[strcspn(line, "#\r\n")] = '\0';
  for (size_t end = strlen(line); end && strchr(" \t", line[end - 1]);) line[--end] = '\0';
  return line;
}

static char *setting_in(const char *file, const char *name) {
  char line[4096], *found = NULL;
  char *path = cli_format("%s/%s", root(), file);
  FILE *f = fopen(path, "re");
  free(path);
  if (!f) return NULL;
  while (fgets(line, sizeof line, f)) { /* the last one counts */
    const char *value = value_in(line, name);
    if (!value) continue;
    free(found);
    found = cli_strdup(value);
  }
  fclose(f);
  return found;
}

const char *cli_setting(const char *name, const char **source) {
  static char *kept[MOST_SETTINGS];
  static size_t count;
  const char *value = getenv(name);
  if (source) *source = "the environment";
  for (size_t i = 0; !value && i < sizeof env_files / sizeof *env_files; i++) {
    char *read = count < MOST_SETTINGS ? setting_in(env_files[i], name) : NULL;
    if (!read) continue;
    value = kept[count++] = read;
    if (source) *source = env_files[i];
  }
  return value && *value ? value : NULL;
}

/* ---- the place ------------------------------------------------------------------- */

const cli_place *cli_where(void) {
  static cli_place place;
  if (place.dir) return &place;
  char *real = NULL;
  place.root = cli_strdup(root());
  const char *dir = cli_dir_option(), *base = place.root;
  if (dir) {
    real = realpath(dir, NULL); /* what is typed is relative to where it is typed */
    place.source = "--dir";
  } else if (!(dir = cli_setting("NEXT_CACHE_DIR", &place.source))) {
    dir = ".cache/nextcache";
    place.source = "the default";
  }
  place.dir = real ? real : cli_dir_option() ? cli_strdup(dir) : cli_below(base, dir);
  return &place;
}
