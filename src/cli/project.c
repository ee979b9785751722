/* project.c - where the cache is: the rules of the Node.js handlers, told in C.
 *
 * The project's root is the nearest directory at or above this one with a server.js
 * or a package.json. The directory comes from --dir, NEXT_CACHE_DIR, or the default.
 * Next.js puts its .env files into the environment of a server, so they count here.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define MOST_VARIABLES 32 /* in a value */

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

/* The value of a line such as `export NAME="value" # comment` or `NAME: value`, in place;
 * NULL: it is a line about something else. */
static char *value_in(char *line, const char *name) {
  line += strspn(line, " \t");
  if (strncmp(line, "export ", 7) == 0) line += 7 + strspn(line + 7, " \t");
  size_t n = strlen(name);
  if (strncmp(line, name, n) != 0) return NULL;
  line += n;
  bool is_colon = line[0] == ':' && isspace((unsigned char)line[1]);
  if (!is_colon) line += strspn(line, " \t");
  if (*line++ != '=' && !is_colon) return NULL;
  line += strspn(line, " \t");
  if (*line == '"' || *line == '\'' || *line == '`') {
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

/* The last dollar sign of a text that no backslash precedes; NULL. */
static const char *last_dollar(const char *text) {
  for (const char *at = text + strlen(text); at > text;) {
    at--;
    if (*at == '$' && (at == text || at[-1] != '\\')) return at;
  }
  return NULL;
}

/* The text with the variable at `dollar` in its value; NULL: it is none. */
static char *with_value(const char *text, const char *dollar) {
  const char *name = dollar + 1 + (dollar[1] == '{'), *end = name;
  while (isalnum((unsigned char)*end) || *end == '_') end++;
  if (end == name) return NULL;
  size_t skip = strncmp(end, ":-", 2) == 0 ? 2 : 0, size = skip ? strcspn(end + 2, "}\\") : 0;
  const char *rest = end + skip + size;
  char *variable = cli_format("%.*s", (int)(end - name), name);
  char *otherwise = cli_format("%.*s", (int)size, end + skip);
  const char *value = cli_setting(variable, NULL);
  char *result = cli_format("%.*s%s%s", (int)(dollar - text), text, value ? value : otherwise,
                            rest + (*rest == '}'));
  free(variable);
  free(otherwise);
  return result;
}

/* $NAME, ${NAME} and ${NAME:-otherwise}, the last of them first, and \$ for a dollar sign, as
 * Next.js has it. Takes the text, and returns new memory. */
static char *expand(char *text) {
  const char *dollar;
  char *next;
  /* A bound, because a variable of the environment may hold its own name. */
  for (int i = 0; i < MOST_VARIABLES && (dollar = last_dollar(text)); i++, text = next) {
    if (!(next = with_value(text, dollar))) break;
    free(text);
  }
  char *to = text;
  for (const char *from = text; *from; from++) {
    if (from[0] != '\\' || from[1] != '$') *to++ = *from;
  }
  *to = '\0';
  return text;
}

typedef struct setting { /* as it stands in the files, which are read once for each name */
  char *name, *value;    /* NULL: in none */
  const char *source;
  struct setting *next;
} setting;

static const setting *setting_of(const char *name) {
  static setting *known;
  setting *s = known;
  while (s && strcmp(s->name, name) != 0) s = s->next;
  if (s) return s;
  s = cli_alloc(NULL, sizeof *s);
  *s = (setting){.name = cli_strdup(name), .next = known};
  known = s; /* without a value yet: one that is made of itself is made of nothing */
  char *text = NULL;
  for (size_t i = 0; !text && i < sizeof env_files / sizeof *env_files; i++) {
    text = setting_in(env_files[i], name);
    s->source = env_files[i];
  }
  if (text) s->value = expand(text);
  return s;
}

const char *cli_setting(const char *name, const char **source) {
  const char *value = getenv(name), *from = "the environment";
  if (!value) {
    const setting *s = setting_of(name);
    value = s->value;
    from = s->source;
  }
  if (source) *source = from;
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
