/* terminal.c - colours, progress and questions: on terminals alone. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 100
#define BAR_WIDTH 30

/* Colours are for people: none in a pipe, none where NO_COLOR or --no-color says so, none on a
 * terminal that calls itself dumb. */
bool cli_no_color;

const char *cli_style_of(cli_style style) {
  static const char *const codes[] = {"\033[1m",  "\033[2m",  "\033[32m",
                                      "\033[33m", "\033[31m", "\033[0m"};
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
  if (cli_no_color || (no_color && *no_color) || !isatty(STDOUT_FILENO)) return "";
  return term && strcmp(term, "dumb") == 0 ? "" : codes[style];
}

/* ---- progress -------------------------------------------------------------------- */

/* One bar at a time: commands do one thing after another. */
static struct {
  int64_t began_ms, drawn_ms;
  bool drawn;
} bar;

void cli_progress_end(void) {
  if (bar.drawn) fputs("\r\033[K", stderr);
  memset(&bar, 0, sizeof bar);
}

void cli_progress(const char *what, uint64_t done, uint64_t total) {
  int64_t now = cli_steady_ms();
  if (!isatty(STDERR_FILENO)) return;
  if (done >= total) {
    cli_progress_end();
    return;
  }
  if (!bar.began_ms) bar.began_ms = now;
  /* What is over in a second needs no bar, and one that flickers helps nobody. */
  if (now - bar.began_ms < PROGRESS_AFTER_MS || now - bar.drawn_ms < PROGRESS_EVERY_MS) return;
  bar.drawn_ms = now;
  bar.drawn = true;
  int full = (int)(done * BAR_WIDTH / total);
  fprintf(stderr, "\r%s [%.*s%*s] %d %%\033[K", what, full, "##############################",
          BAR_WIDTH - full, "", (int)(done * 100 / total));
}

/* ---- questions ------------------------------------------------------------------- */

bool cli_ask(const char *question) {
  char answer[16];
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
  fprintf(stderr, "%s [y/N] ", question);
  return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}
