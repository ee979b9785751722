/* options.c - a command's arguments by its table: parsed, checked, explained, completed.
 *
 * The table stands in the command, because its options point at what that command needs.
 * So everything that is to be known of options goes through cli_parse(), which each
 * command calls first.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MOST_OPTIONS 32

static bool wants_help;
static size_t argument_count;
static const char *dir_option;

static const cli_option common[] = {
    {"dir", CLI_TEXT, &dir_option, "DIR", "the cache directory; else that of the project here"},
    {"no-color", CLI_FLAG, &cli_no_color, NULL, "no colours, as with NO_COLOR=1"},
    {"help", CLI_FLAG, &wants_help, NULL, "this text"},
    {0},
};

const char *cli_dir_option(void) {
  return dir_option;
}

/* ---- help ------------------------------------------------------------------------ */

static void explain(const cli_option *o) {
  for (; o->name; o++) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    if (strlen(left) <= 22) {
      printf("  %-22s %s\n", left, o->help);
    } else {
      printf("  %s\n%25s%s\n", left, "", o->help);
    }
  }
}

static void help(const cli_command *self, const cli_option *options) {
  printf("usage: nextcache %s [options]%s%s\n\n%s.\n\noptions:\n", self->name,
         *self->operands ? " " : "", self->operands, self->summary);
  explain(options);
  explain(common);
}

/* ---- values ---------------------------------------------------------------------- */

static bool parse_class(const char *text, unsigned *bits) {
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    if (strcmp(text, cli_class_names[i]) != 0) continue;
    *bits |= 1u << i;
    return true;
  }
  return false;
}

static bool parse_seconds(const char *text, double *seconds) {
  char *end;
  *seconds = strtod(text, &end);
  return end != text && !*end && *seconds >= 0 && *seconds < 1e12;
}

/* A list lives as long as the run: there is room for all arguments at once. */
static void append(cli_list *list, const char *text) {
  static const char **kept[MOST_OPTIONS];
  static size_t lists;
  if (!list->items && lists < MOST_OPTIONS) {
    list->items = kept[lists++] = cli_alloc(NULL, argument_count * sizeof *list->items);
  }
  if (list->items) list->items[list->count++] = text;
}

/* What would have been right; NULL: the text was. */
static const char *take(const cli_option *o, const char *text) {
  switch (o->kind) {
  case CLI_FLAG: *(bool *)o->to = true; return NULL;
  /* An empty one is a variable of a script that is not set: `clear --prefix ""` would be all. */
  case CLI_TEXT: *(const char **)o->to = text; return *text ? NULL : "some text";
  case CLI_LIST: append(o->to, text); return *text ? NULL : "some text";
  case CLI_SIZE: return cli_parse_size(text, o->to) ? NULL : "a size such as 64MB";
  case CLI_NUMBER: return cli_parse_number(text, o->to) ? NULL : "a whole number";
  case CLI_SECONDS: return parse_seconds(text, o->to) ? NULL : "a number of seconds";
  case CLI_CLASS:
    return parse_class(text, o->to) ? NULL
                                    : "one of pages, routes, fetches, use-cache, images, other";
  default: return "something else";
  }
}

/* ---- completion ------------------------------------------------------------------ */

/* While it is set, parsing a command's arguments means to complete the last of them: the
 * table of options is the command's own, and only its cli_parse() sees it. */
static bool completing;

static void offer(const char *word, size_t n, const char *before, const char *given,
                  const char *help) {
  size_t most = strlen(given), lead = strlen(before);
  size_t common_part = most < lead ? most : lead;
  if (strncmp(given, before, common_part) != 0) return;
  size_t rest = most - common_part;
  if (rest > n || strncmp(given + common_part, word, rest) != 0) return;
  printf("%s%.*s\t%s\n", before, (int)n, word, help);
}

/* The words of "name|mark|FILE"; one in capitals that ends in FILE or DIR is a path. */
static void offer_values(const cli_option *o, const char *given) {
  if (o->kind == CLI_CLASS) {
    for (unsigned i = 0; i < CLI_CLASSES; i++) {
      offer(cli_class_names[i], strlen(cli_class_names[i]), "", given, "");
    }
    return;
  }
  for (const char *word = o->value; *word;) {
    size_t n = strcspn(word, "|");
    bool is_name = isupper((unsigned char)*word);
    if (is_name && (strncmp(word, "FILE", n) == 0 || strncmp(word, "DIR", n) == 0)) puts(":file");
    if (!is_name) offer(word, n, "", given, "");
    word += n + (word[n] == '|');
  }
}

static const cli_option *find_option(const cli_option *options, const char *word) {
  if (strncmp(word, "--", 2) != 0) return NULL;
  for (const cli_option *o = options; o->name; o++) {
    if (strcmp(o->name, word + 2) == 0) return o;
  }
  return NULL;
}

static int complete(const cli_command *self, const cli_option *options, int argc, char **argv) {
  const char *given = argv[argc - 1], *before = argc > 2 ? argv[argc - 2] : "";
  const cli_option *o = find_option(options, before);
  if (!o) o = find_option(common, before);
  if (o && o->value) {
    offer_values(o, given);
    return CLI_OK;
  }
  const cli_option *const tables[] = {options, common};
  for (size_t i = 0; i < 2; i++) {
    for (o = tables[i]; o->name; o++) offer(o->name, strlen(o->name), "--", given, o->help);
  }
  if (strstr(self->operands, "DIR") && given[0] != '-') puts(":file");
  return CLI_OK;
}

int cli_complete(int argc, char **argv) {
  const char *given = argc > 1 ? argv[1] : "";
  for (const cli_command *c = cli_commands; c->name; c++) {
    if (argc <= 2) {
      offer(c->name, strlen(c->name), "", given, c->summary);
    } else if (strcmp(c->name, given) == 0) {
      completing = true;
      return c->run(c, argc - 1, argv + 1);
    }
  }
  if (argc <= 2) {
    offer("help", 4, "--", given, "what commands there are");
    offer("version", 7, "--", given, "the release");
  }
  return CLI_OK;
}

/* ---- parsing --------------------------------------------------------------------- */

static size_t collect(const cli_option *from, const cli_option **all, struct option *longs,
                      size_t n) {
  for (; from->name && n < MOST_OPTIONS; from++, n++) {
    all[n] = from;
    longs[n] = (struct option){from->name, from->value != NULL, NULL, (int)n + 256};
  }
  return n;
}

static int refuse(const cli_command *self, char **argv, int answer) {
  const char *given = argv[optind > 0 ? optind - 1 : 0];
  return cli_fail(CLI_USAGE, answer == ':' ? "%s: %s needs a value" : "%s: there is no option %s",
                  self->name, given);
}

int cli_parse(const cli_command *self, const cli_option *options, int argc, char **argv,
              int *code) {
  const cli_option *all[MOST_OPTIONS];
  struct option longs[MOST_OPTIONS + 1] = {{0}};
  size_t n = collect(options, all, longs, 0);
  collect(common, all, longs, n);

  if (completing) {
    *code = complete(self, options, argc, argv);
    return -1;
  }
  argument_count = (size_t)argc;
  optind = 1;
  for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
    if (c == 'h') {
      wants_help = true;
    } else if (c < 256) {
      *code = refuse(self, argv, c);
      return -1;
    } else {
      const char *right = take(all[c - 256], optarg);
      if (!right) continue;
      *code = cli_fail(CLI_USAGE, "%s: --%s is \"%s\"; it should be %s", self->name,
                       all[c - 256]->name, optarg, right);
      return -1;
    }
  }
  if (wants_help) {
    help(self, options);
    *code = CLI_OK;
    return -1;
  }
  int operands = argc - optind;
  if (!*self->operands && operands > 0) {
    *code =
        cli_fail(CLI_USAGE, "%s: what is \"%s\"? it takes options only", self->name, argv[optind]);
    return -1;
  }
  memmove(argv, argv + optind, (size_t)operands * sizeof *argv);
  return operands;
}
