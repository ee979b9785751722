/* cli.h - what the commands of the command line tool share.
 *
 * A command is one file, cmd_<name>.c, with one row in nextcache.c. It describes its
 * options in a table, from which the parser, the help and the shell completion come.
 * Results go to stdout, everything else in single lines to stderr.
 */
#ifndef NXC_CLI_H
#define NXC_CLI_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "nextcache_admin.h"

/* Exit codes; the man page documents them. */
enum {
  CLI_OK = 0,
  CLI_PROBLEM = 1,    /* it did what was asked, and found a problem      */
  CLI_USAGE = 2,      /* wrong arguments                                 */
  CLI_ABSENT = 3,     /* there is no cache, or no such entry             */
  CLI_UNREADABLE = 4, /* it is there, but cannot be read, or not changed */
};

/* "nextcache: ..." on stderr, one line; returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory or the end of the program. */
void *cli_alloc(void *old, size_t size);
char *cli_strdup(const char *text);
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *cli_vformat(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
/* A path that may be relative to `base`. */
char *cli_below(const char *base, const char *path);

/* ---- commands and their options (options.c) --------------------------------------- */

typedef enum cli_kind {              /* what an option's value is, and what `to` points at */
                        CLI_FLAG,    /* none; bool                                          */
                        CLI_TEXT,    /* const char *                                        */
                        CLI_LIST,    /* cli_list, may be repeated                           */
                        CLI_SIZE,    /* uint64_t, such as 64MB                              */
                        CLI_NUMBER,  /* uint64_t                                            */
                        CLI_SECONDS, /* double                                              */
                        CLI_CLASS,   /* unsigned: one bit for each class, may be repeated   */
} cli_kind;

typedef struct cli_list {
  const char **items;
  size_t count;
} cli_list;

typedef struct cli_option {
  const char *name;
  cli_kind kind;
  void *to;
  const char *value; /* its name in the help, or what it may be: "name|mark", where words in
                        capitals are names again; NULL for a flag */
  const char *help;
} cli_option;

typedef struct cli_command {
  const char *name;
  const char *operands; /* in the usage line; "" */
  const char *summary;
  int (*run)(const struct cli_command *self, int argc, char **argv);
} cli_command;

extern const cli_command cli_commands[]; /* ends in a name of NULL */

/* Parses a command's arguments by a table that ends in a name of NULL, --dir, --help
 * and --no-color being understood by all. Returns the number of operands, which are
 * then at argv[0] and on; or -1: the command ends now with *code. */
int cli_parse(const cli_command *self, const cli_option *options, int argc, char **argv, int *code);

const char *cli_dir_option(void); /* the value of --dir; NULL */

/* `nextcache complete WORD...`, for the shells: prints what the last word may become, each
 * on a line of its own with a tab and what it means; ":file" stands for names of files. */
int cli_complete(int argc, char **argv);

/* ---- where the cache is (project.c) ------------------------------------------------- */

typedef struct cli_place {
  char *root;         /* of the project: where server.js or package.json stands   */
  char *dir;          /* the cache directory                                      */
  const char *source; /* what says so: an option, a variable, a file, the default */
} cli_place;

/* By the rules of the Node.js handlers. Borrowed, the same for the whole run. */
const cli_place *cli_where(void);

/* A variable of the environment, or else of the .env files that Next.js reads in
 * production; NULL. `*source` may be NULL. Borrowed. */
const char *cli_setting(const char *name, const char **source);

/* ---- getting at it (access.c) --------------------------------------------------------- */

/* As root on another user's file or directory, becomes that user, for good. */
int cli_become(unsigned uid, unsigned gid);
int cli_become_owner(void); /* the user of the cache, where one is there */

/* What helps where no view can be opened; NULL: the problem says it, or nothing does. */
const char *cli_view_remedy(int result);

/* Opens a view of the place, as its owner. CLI_OK, or an exit code that was told. */
int cli_view(nxc_view **out);

/* Opens the cache itself, to change something, with the bounds that it has. */
int cli_cache(const nxc_shape *shape, nxc_cache **out);

#define CLI_TROUBLE_BYTES 512

/* Opens the cache as a server with this bound would, and closes it: it is made where it is none,
 * and has the bound then, unless others have it open. Where the disk was not to be had, which
 * the counters tell, `trouble` says why. CLI_OK, or an exit code that was told. */
int cli_settle(uint64_t disk_bytes, nxc_stats *stats, char trouble[CLI_TROUBLE_BYTES]);

/* ---- text (text.c) ---------------------------------------------------------------------- */

bool cli_parse_size(const char *text, uint64_t *bytes);
bool cli_parse_number(const char *text, uint64_t *number);

typedef struct cli_text { /* a small result by value */
  char text[32];
} cli_text;

cli_text cli_bytes(uint64_t bytes);      /* "12.3 MB" */
cli_text cli_duration(int64_t ms);       /* "2m 3s", "never" */
cli_text cli_count(uint64_t number);     /* "12 345" */
cli_text cli_ratio(double of, double n); /* "98.1 %", "-" of nothing */
cli_text cli_latency(double us);         /* "7.4 us", "-" of nothing */
cli_text cli_things(uint64_t number, const char *one, const char *more); /* "1 entry" */

/* Now: since 1970, and on a clock that nobody sets. */
int64_t cli_now_ms(void);
int64_t cli_steady_ms(void);

/* Sleeps so long, or until a signal. */
void cli_sleep(double seconds);

/* Prints bytes of unknown origin so that they cannot speak to a terminal. */
void cli_put_text(FILE *to, nxc_slice text);
void cli_put_line(FILE *to, const char *text); /* and a line end */
/* The same as a JSON string, valid whatever the bytes are. */
json_t *cli_json_text(nxc_slice text);
/* How JSON is written to stdout: what JSON lets through, a terminal may obey. */
size_t cli_json_flags(void);
/* Prints the value and a line end, and gives it back; CLI_OK. */
int cli_put_json(json_t *value);

/* ---- the terminal (terminal.c) ------------------------------------------------------------ */

typedef enum cli_style { CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_RESET } cli_style;

extern bool cli_no_color; /* --no-color */

/* The escape sequence of a style on stdout; "" where there are to be none. */
const char *cli_style_of(cli_style style);

/* A bar on stderr for what takes longer than a second; nothing where that is not a
 * terminal. Ends with done == total, or cli_progress_end(). */
void cli_progress(const char *what, uint64_t done, uint64_t total);
void cli_progress_end(void);

/* Asks on the terminal; false without one. */
bool cli_ask(const char *question);

/* ---- what entries mean in Next.js (classes.c) ----------------------------------------------- */

#define CLI_CLASSES 6
extern const char *const cli_class_names[CLI_CLASSES];

const char *cli_class_name(unsigned class_id);
/* The part of a key that people know: the path of a page, the URL of a fetch. */
nxc_slice cli_name_of(unsigned class_id, nxc_slice key);
/* A name as it is shown: that of a cached function without its arguments. */
nxc_slice cli_shown_name(unsigned class_id, nxc_slice name);

/* "fresh", "stale", "dead", "damaged"; and why, for people. */
const char *cli_state(const nxc_seen *seen);
char *cli_why(const nxc_seen *seen); /* new memory */

/* ---- choosing entries (select.c) ------------------------------------------------------------- */

typedef struct cli_selection {
  unsigned classes; /* bits; 0: all */
  cli_list tags;    /* any of them  */
  const char *prefix;
  bool stale; /* only what is stale or dead */
} cli_selection;

#define CLI_SELECT_OPTIONS(s)                                                              \
  {"class", CLI_CLASS, &(s).classes, "CLASS",                                              \
   "only pages, routes, fetches, use-cache, images or other; may be repeated"},            \
      {"tag", CLI_LIST, &(s).tags, "TAG", "only what carries the tag; may be repeated"}, { \
    "prefix", CLI_TEXT, &(s).prefix, "TEXT", "only keys, or paths and URLs, that begin so" \
  }

bool cli_selects(const cli_selection *selection, const nxc_seen *seen);

/* ---- why things were invalidated (reasons.c) -------------------------------------------------- */

/* Notes a reason; where it cannot, one warning. `by` says who gave it. */
void cli_reasons_add(const char *by, const char *reason, const char *const *tags, size_t count);

/* The last ones, the newest first, at most `limit` (0: all): an array of objects with
 * time_ms, tags, reason and by. Texts may hold anything. */
json_t *cli_reasons_read(size_t limit);

/* ---- counters (counters.c) ---------------------------------------------------------------------- */

typedef struct cli_counter {
  const char *name; /* as in the JSON of the library */
  size_t offset;    /* in nxc_stats */
  bool by_class, gauge;
} cli_counter;

extern const cli_counter cli_counters[]; /* ends in a name of NULL */

uint64_t cli_counter_of(const cli_counter *counter, const nxc_stats *stats, unsigned class_id);
uint64_t cli_sum(const uint64_t row[NXC_CLASSES]);
json_t *cli_stats_json(const nxc_stats *stats);

/* A process in another container has no id that means anything here: "?". */
cli_text cli_pid(const nxc_process *process);
nxc_slice cli_command_of(const nxc_process *process); /* borrowed */

/* ---- the tier that machines share (shared.c) ----------------------------------------------------- */

/* "ready"; "down": its log is not followed; "open": the breaker is; "1 of 2 ready"; "-": none. */
cli_text cli_shared_state(const nxc_remote *remote);
cli_style cli_shared_style(const nxc_remote *remote);
json_t *cli_shared_json(const nxc_remote *remote); /* null: none */
/* Where there is such a tier: says that others go on with what is gone here. */
void cli_warn_of_others(const nxc_view *view);

/* Shape, counters, times and processes, as `stats --json` has them (report.c); new, or
 * NULL: out of memory. */
json_t *cli_report(const nxc_view *view);

#endif
