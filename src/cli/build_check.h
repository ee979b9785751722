/* build_check.h - whether a build output of Next.js is whole. */
#ifndef NXC_BUILD_CHECK_H
#define NXC_BUILD_CHECK_H

#include "cli.h"

typedef struct cli_build {
  char *dist;       /* the build output */
  json_t *problems; /* array of {file, problem, remedy} */
  size_t files;     /* that were looked at */
  char *handler;    /* path of the cacheHandler, resolved; NULL: none */
  char *build_id;   /* NULL: none */
} cli_build;

/* Checks the build output in `dist` of the project at `root`; to be released. */
void cli_build_check(const char *root, const char *dist, cli_build *build);
void cli_build_release(cli_build *build);

/* Prints what is wrong; CLI_OK or CLI_PROBLEM. */
int cli_build_report(const cli_build *build);

/* Whether a list of strings has the text. */
bool cli_json_has(const json_t *list, const char *text);

/* A JSON file, new; NULL where there is none, or it is not JSON. */
json_t *cli_json_file(const char *dir, const char *file);

#endif
