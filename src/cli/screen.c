/* screen.c - the live screen: rates as sparklines, tiers against their bounds.
 *
 * Each round takes the counters, and the difference from the round before becomes
 * the newest point of every line. A frame is made in memory and cut to the terminal,
 * so nothing ever scrolls. The terminal is given back as it was, also when a signal
 * ends the program or stops it for a while.
 */
#include "screen.h"

#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define MOST_POINTS 60
#define FEWEST_POINTS 10
#define MOST_PROCESSES 12

enum { RATIO, HITS, MISSES, DEAD, PUTS, MARKS, READ, WRITTEN, LINES };

typedef struct screen {
  nxc_view *view; /* NULL: there is no cache now */
  FILE *to;       /* the frame that is being drawn */
  double interval;
  int64_t began_ms, last_ms;
  size_t rounds;
  nxc_stats now, before;
  nxc_remote remote;                 /* of all processes */
  double points[LINES][MOST_POINTS]; /* per second, the newest last; the ratio in percent */
} screen;

/* A signal must not leave the terminal without its cursor, so it only tells the loop. */
static volatile sig_atomic_t ended, stopped;

static void on_signal(int number) {
  if (number == SIGTSTP) {
    stopped = 1;
  } else {
    ended = 1;
  }
}

/* ---- the terminal ------------------------------------------------------------------ */

static struct termios saved;
static bool is_raw;

static void enter(void) {
  is_raw = tcgetattr(STDIN_FILENO, &saved) == 0;
  if (is_raw) {
    struct termios raw = saved;
    /* Keys come one by one and are not shown; signals keep their keys. */
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  /* The other screen, no cursor, and lines that are cut off instead of broken. */
  fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

static void leave(void) {
  fputs("\033[?7h\033[?25h\033[?1049l", stdout);
  fflush(stdout);
  if (is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void take_signals(void) {
  const struct sigaction action = {.sa_handler = on_signal};
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
}

/* The shell gets its screen back meanwhile. */
static void stop_here(void) {
  stopped = 0;
  leave();
  kill(getpid(), SIGSTOP); /* cppcheck believes that raise() never returns */
  enter();
}

/* Waits for the next round; false: a key or a signal ended it. */
static bool wait_for(double seconds) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  char key = 0;
  int ms = seconds < INT_MAX / 1000 ? (int)(seconds * 1000) : INT_MAX;
  if (poll(&in, 1, ms) > 0 && read(STDIN_FILENO, &key, 1) <= 0) {
    cli_sleep(seconds); /* no keys will come */
  }
  if (stopped) stop_here();
  return key != 'q' && key != 'Q' && !ended;
}

/* ---- the points ---------------------------------------------------------------------- */

static double value_of(const nxc_stats *s, int which) {
  switch (which) {
  case HITS: return (double)(cli_sum(s->memory_hits) + cli_sum(s->disk_hits));
  case MISSES: return (double)cli_sum(s->misses);
  case DEAD: return (double)(s->dead_by_tag + s->dead_by_age);
  case PUTS: return (double)cli_sum(s->puts);
  case MARKS: return (double)s->marks;
  case READ: return (double)s->bytes_read;
  default: return (double)s->bytes_written;
  }
}

static double risen(const screen *s, int which) {
  double by = value_of(&s->now, which) - value_of(&s->before, which);
  return by > 0 ? by : 0; /* another cache began at nothing */
}

static void add_points(screen *s, double seconds) {
  double hits = risen(s, HITS), misses = risen(s, MISSES);
  for (int i = 0; i < LINES; i++) {
    double *points = s->points[i];
    memmove(points, points + 1, (MOST_POINTS - 1) * sizeof *points);
    points[MOST_POINTS - 1] =
        i == RATIO ? (hits + misses > 0 ? 100 * hits / (hits + misses) : 0) : risen(s, i) / seconds;
  }
}

static void spark(FILE *to, const double *points, size_t n, double most) {
  static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  for (size_t i = MOST_POINTS - n; i < MOST_POINTS; i++) most = points[i] > most ? points[i] : most;
  for (size_t i = MOST_POINTS - n; i < MOST_POINTS; i++) {
    /* Whatever is not nothing shows. */
    fputs(bars[most > 0 && points[i] > 0 ? 1 + (int)(points[i] * 7 / most) : 0], to);
  }
}

/* ---- drawing -------------------------------------------------------------------------- */

#define END "\033[K\n" /* of a line: what stood there before goes */

static struct winsize size_of_terminal(void) {
  struct winsize size = {.ws_col = 0};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  if (!size.ws_col) size.ws_col = 80; /* as where a script has the other end */
  if (!size.ws_row) size.ws_row = 24;
  return size;
}

static void draw_head(const screen *s, const char *rest) {
  fprintf(s->to, "%snextcache%s %s   ", cli_style_of(CLI_BOLD), cli_style_of(CLI_RESET), rest);
  const char *dir = cli_where()->dir;
  cli_put_text(s->to, (nxc_slice){dir, strlen(dir)});
  fputs(END, s->to);
}

static void bar(const screen *s, const char *name, uint64_t used, uint64_t limit,
                cli_text (*show)(uint64_t)) {
  const int wide = 30;
  double share = limit ? (double)used / (double)limit : 0;
  int full = share >= 1 ? wide : (int)(share * wide);
  if (!full && used) full = 1; /* whatever is not nothing shows */
  fprintf(s->to, "  %-12s %s", name, cli_style_of(CLI_GREEN));
  for (int i = 0; i < full; i++) fputs("━", s->to);
  fprintf(s->to, "%s%s", cli_style_of(CLI_RESET), cli_style_of(CLI_DIM));
  for (int i = full; i < wide; i++) fputs("─", s->to);
  fprintf(s->to, "%s %7s  %s of %s" END, cli_style_of(CLI_RESET),
          cli_ratio((double)used, (double)limit).text, show(used).text, show(limit).text);
}

static void draw_line(const screen *s, int which, size_t n) {
  static const char *const names[LINES] = {"hit ratio",    "hits",        "misses",
                                           "of them dead", "puts",        "invalidations",
                                           "disk read",    "disk written"};
  const double *points = s->points[which];
  double rate = points[MOST_POINTS - 1], hits = value_of(&s->now, HITS);
  char now[40] = "-";
  cli_text ever = cli_ratio(hits, hits + value_of(&s->now, MISSES));
  bool bytes = which == READ || which == WRITTEN;
  if (which == RATIO) {
    double looked = risen(s, HITS) + risen(s, MISSES);
    snprintf(now, sizeof now, "%s", cli_ratio(risen(s, HITS), looked).text);
  } else {
    cli_text (*show)(uint64_t) = bytes ? cli_bytes : cli_count;
    ever = show((uint64_t)value_of(&s->now, which));
    if (s->rounds > 1) snprintf(now, sizeof now, "%s/s", show((uint64_t)llround(rate)).text);
  }
  fprintf(s->to, "  %-13s %s%12s%s  ", names[which], cli_style_of(CLI_BOLD), now,
          cli_style_of(CLI_RESET));
  spark(s->to, points, n, which == RATIO ? 100 : 0);
  fprintf(s->to, " %11s" END, ever.text);
}

static void draw_rates(const screen *s, int width) {
  int room = width - 43; /* the last column is lost to what erases the rest of a line */
  size_t n = room < FEWEST_POINTS ? FEWEST_POINTS : room > MOST_POINTS ? MOST_POINTS : (size_t)room;
  char past[48];
  snprintf(past, sizeof past, "the last %.0f s", (double)n * s->interval);
  fprintf(s->to, "%s  %-13s %12s  %-*s %11s%s" END, cli_style_of(CLI_BOLD), "", "now", (int)n, past,
          "ever", cli_style_of(CLI_RESET));
  for (int i = 0; i < LINES; i++) draw_line(s, i, n);
}

/* Hits of this round's look-ups, and of all. */
static int draw_classes(const screen *s) {
  int rows = 0;
  fprintf(s->to, "%s  %-10s %10s %10s %10s %10s %9s %9s%s" END, cli_style_of(CLI_BOLD), "class",
          "memory", "disk", "stale", "misses", "ratio now", "ever", cli_style_of(CLI_RESET));
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    const nxc_stats *a = &s->now, *b = &s->before;
    uint64_t hits = a->memory_hits[i] + a->disk_hits[i];
    uint64_t hits_now = hits - b->memory_hits[i] - b->disk_hits[i];
    uint64_t misses_now = a->misses[i] - b->misses[i];
    if (!(hits | a->misses[i])) continue;
    rows++;
    fprintf(s->to, "  %-10s %10s %10s %10s %10s %9s %9s" END, cli_class_names[i],
            cli_count(a->memory_hits[i]).text, cli_count(a->disk_hits[i]).text,
            cli_count(a->stale_hits[i]).text, cli_count(a->misses[i]).text,
            cli_ratio((double)hits_now, (double)(hits_now + misses_now)).text,
            cli_ratio((double)hits, (double)(hits + a->misses[i])).text);
  }
  return rows;
}

/* One line, and only where there is such a tier. */
static int draw_shared(const screen *s) {
  const nxc_remote *r = &s->remote;
  if (!r->processes) return 0;
  fprintf(s->to, "  %-12s %s%s%s  lag %s  half in %s, 99 %% in %s  %s in, %s out", "shared tier",
          cli_style_of(cli_shared_style(r)), cli_shared_state(r).text, cli_style_of(CLI_RESET),
          cli_duration((int64_t)r->unsure_ms).text, cli_latency((double)r->p50_us).text,
          cli_latency((double)r->p99_us).text, cli_bytes(r->bytes_in).text,
          cli_bytes(r->bytes_out).text);
  if (r->unsent) {
    fprintf(s->to, "  %s%s unsent%s", cli_style_of(CLI_YELLOW), cli_count(r->unsent).text,
            cli_style_of(CLI_RESET));
  }
  fputs(END, s->to);
  return 1;
}

static void draw_processes(const screen *s, const nxc_process *list, size_t count, int rows) {
  const char *shared = s->remote.processes ? "shared" : "";
  fprintf(s->to, "%s  %8s %11s %11s %10s %9s  %-*s%s%s" END, cli_style_of(CLI_BOLD), "process",
          "hits", "misses", "ratio", "memory", *shared ? 8 : 0, shared, "command",
          cli_style_of(CLI_RESET));
  for (size_t i = 0; i < count && (int)i < rows; i++) {
    const nxc_stats *of = &list[i].stats;
    uint64_t hits = cli_sum(of->memory_hits) + cli_sum(of->disk_hits), misses = cli_sum(of->misses);
    fprintf(s->to, "  %8s %11s %11s %10s %9s  ", cli_pid(&list[i]).text, cli_count(hits).text,
            cli_count(misses).text, cli_ratio((double)hits, (double)(hits + misses)).text,
            cli_bytes(of->memory_bytes).text);
    if (*shared) {
      const nxc_remote *remote = &list[i].remote;
      fprintf(s->to, "%s%-8s%s", cli_style_of(cli_shared_style(remote)),
              cli_shared_state(remote).text, cli_style_of(CLI_RESET));
    }
    cli_put_text(s->to, cli_command_of(&list[i]));
    fputs(END, s->to);
  }
  if (!count) fprintf(s->to, "  %8s no process has the cache open" END, "-");
}

static void draw(const screen *s, const nxc_shape *shape, const nxc_process *list, size_t count) {
  const nxc_stats *n = &s->now;
  struct winsize size = size_of_terminal();
  char rest[80];
  /* On a terminal of 24 rows the gaps make room for what matters. */
  const char *gap = size.ws_row < 30 ? "" : END;
  snprintf(rest, sizeof rest, "%zu %s, watched for %s; q ends", count,
           count == 1 ? "process" : "processes", cli_duration(cli_steady_ms() - s->began_ms).text);
  draw_head(s, rest);
  if (n->corrupt || n->disk_errors) {
    fprintf(s->to, "%s  %s damaged entries, %s disk errors; see nextcache doctor%s" END,
            cli_style_of(CLI_RED), cli_count(n->corrupt).text, cli_count(n->disk_errors).text,
            cli_style_of(CLI_RESET));
  }
  fputs(gap, s->to);
  draw_rates(s, size.ws_col);
  fputs(gap, s->to);
  bar(s, "memory", n->memory_bytes, n->memory_limit_bytes, cli_bytes);
  bar(s, "disk", n->disk_bytes, n->disk_limit_bytes, cli_bytes);
  bar(s, "entries", shape->slots_used, shape->slots, cli_count);
  bar(s, "marked tags", shape->tag_rows_used, shape->tag_rows, cli_count);
  int rows = size.ws_row - (*gap ? 22 : 17) - draw_shared(s);
  fputs(gap, s->to);
  rows -= draw_classes(s);
  fputs(gap, s->to);
  draw_processes(s, list, count, rows < 1 ? 1 : rows > MOST_PROCESSES ? MOST_PROCESSES : rows);
}

/* As many lines as the terminal has: one more would push the first one out. */
static void show_frame(const char *frame) {
  int rows = size_of_terminal().ws_row;
  fputs("\033[H", stdout);
  while (*frame && rows-- > 0) {
    size_t n = strcspn(frame, "\n");
    fwrite(frame, 1, n, stdout);
    frame += n;
    if (*frame && frame[1] && rows > 0) putchar('\n');
    frame += *frame != '\0';
  }
  fputs("\033[J", stdout);
  fflush(stdout);
}

/* ---- the loop --------------------------------------------------------------------------- */

/* The cache may have been cleared, resized or removed meanwhile: what is there now counts. */
static void look_again(screen *s) {
  char problem[512];
  if (s->view && !nxc_view_is_over(s->view)) return;
  nxc_view_close(s->view);
  s->rounds = 0;
  if (nxc_view_open(&s->view, cli_where()->dir, problem, sizeof problem) == NXC_OK) return;
  draw_head(s, "q ends");
  fprintf(s->to, END "%s  there is nothing to be seen; this screen goes on when there is" END "  ",
          cli_style_of(CLI_YELLOW));
  cli_put_text(s->to, (nxc_slice){problem, strlen(problem)});
  fprintf(s->to, "%s" END, cli_style_of(CLI_RESET));
}

static int look(screen *s) {
  nxc_shape shape;
  nxc_process *list;
  size_t count;
  s->before = s->now;
  nxc_view_stats(s->view, &s->now);
  nxc_view_remote(s->view, &s->remote);
  nxc_view_shape(s->view, &shape);
  if (nxc_view_processes(s->view, &list, &count) != NXC_OK) return CLI_UNREADABLE;
  int64_t now = cli_steady_ms(), since = now - s->last_ms;
  s->last_ms = now;
  /* The first round has nothing to compare with: a rate since the beginning of the cache
   * would be a spike that pushes all others down. */
  if (s->rounds++) {
    add_points(s, since > 0 ? (double)since / 1000 : s->interval);
  } else {
    s->before = s->now;
  }
  draw(s, &shape, list, count);
  free(list);
  return CLI_OK;
}

static int turn(screen *s) {
  char *frame;
  size_t size;
  s->to = open_memstream(&frame, &size);
  if (!s->to) return CLI_UNREADABLE;
  look_again(s);
  int code = s->view ? look(s) : CLI_OK;
  fclose(s->to);
  show_frame(frame);
  free(frame);
  return code;
}

int cli_screen(nxc_view **view, double interval, uint64_t rounds) {
  screen s = {.view = *view, .interval = interval, .began_ms = cli_steady_ms()};
  int code = CLI_OK;
  setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a frame comes at once, or it flickers */
  take_signals();
  enter();
  do code = turn(&s);
  while (code == CLI_OK && (!rounds || --rounds) && wait_for(interval));
  leave();
  *view = s.view;
  return code;
}
