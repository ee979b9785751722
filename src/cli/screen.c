/* screen.c - the live screen: rates as sparklines, tiers against their bounds.
 *
 * Each round takes the counters, and the difference from the round before becomes
 * the newest point of every line. The terminal is given back as it was, also when
 * a signal ends the program.
 */
#include "screen.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* A minute, at one round a second: what fits beside the numbers on a narrow terminal. */
#define POINTS 60
#define MOST_PROCESSES 12

enum { HITS, MISSES, PUTS, MARKS, DEAD, READ, WRITTEN, LINES };

typedef struct line {
  const char *name;
  double points[POINTS]; /* per second, the newest last */
} line;

typedef struct screen {
  nxc_view **view;
  double interval;
  int64_t began_ms, last_ms;
  size_t rounds;
  nxc_stats now, before;
  line lines[LINES];
} screen;

/* A signal must not leave the terminal without its cursor, so it only ends the loop. */
static volatile sig_atomic_t ended;

static void on_signal(int unused) {
  (void)unused;
  ended = 1;
}

/* ---- the terminal ------------------------------------------------------------------ */

static struct termios saved;
static bool is_raw;

static void enter(void) {
  const struct sigaction end = {.sa_handler = on_signal};
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGHUP, &end, NULL);
  is_raw = tcgetattr(STDIN_FILENO, &saved) == 0;
  if (is_raw) {
    struct termios raw = saved;
    /* Keys come one by one and are not shown; signals keep their keys. */
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
}

static void leave(void) {
  fputs("\033[?25h\033[?1049l", stdout);
  fflush(stdout);
  if (is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

/* Waits for the next round; false: a key or a signal ended it. */
static bool wait_for(double seconds) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  char key;
  if (poll(&in, 1, (int)(seconds * 1000)) <= 0) return !ended;
  if (read(STDIN_FILENO, &key, 1) <= 0) { /* no keys will come */
    usleep((useconds_t)(seconds * 1e6));
    return !ended;
  }
  return key != 'q' && key != 'Q' && !ended;
}

/* ---- the points ---------------------------------------------------------------------- */

static double value_of(const nxc_stats *s, int which) {
  switch (which) {
  case HITS: return (double)(cli_sum(s->memory_hits) + cli_sum(s->disk_hits));
  case MISSES: return (double)cli_sum(s->misses);
  case PUTS: return (double)cli_sum(s->puts);
  case MARKS: return (double)s->marks;
  case DEAD: return (double)(s->dead_by_tag + s->dead_by_age);
  case READ: return (double)s->bytes_read;
  default: return (double)s->bytes_written;
  }
}

static void add_points(screen *s, double seconds) {
  for (int i = 0; i < LINES; i++) {
    double *points = s->lines[i].points;
    double rate = (value_of(&s->now, i) - value_of(&s->before, i)) / seconds;
    memmove(points, points + 1, (POINTS - 1) * sizeof *points);
    points[POINTS - 1] = rate > 0 ? rate : 0;
  }
}

static void spark(const double *points, size_t n) {
  static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double most = 0;
  for (size_t i = POINTS - n; i < POINTS; i++) most = points[i] > most ? points[i] : most;
  for (size_t i = POINTS - n; i < POINTS; i++) {
    /* Whatever is not nothing shows. */
    int level = most > 0 && points[i] > 0 ? 1 + (int)(points[i] * 7 / most) : 0;
    fputs(bars[level > 8 ? 8 : level], stdout);
  }
}

/* ---- drawing -------------------------------------------------------------------------- */

#define END "\033[K\n" /* of a line: what stood there before goes */

static int width(void) {
  struct winsize size;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
}

static int height(void) {
  struct winsize size;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= 10 ? size.ws_row : 24;
}

static void bar(const char *name, uint64_t used, uint64_t limit, const char *unit) {
  const int wide = 30;
  int full = limit ? (int)(used * (uint64_t)wide / limit) : 0;
  if (full > wide) full = wide;
  if (!full && used) full = 1; /* whatever is not nothing shows */
  printf("  %-9s %s", name, cli_style_of(CLI_GREEN));
  for (int i = 0; i < wide; i++) fputs(i < full ? "█" : "░", stdout);
  printf("%s %s of %s" END, cli_style_of(CLI_RESET),
         *unit ? cli_count(used).text : cli_bytes(used).text,
         *unit ? cli_count(limit).text : cli_bytes(limit).text);
}

static void draw_rates(const screen *s) {
  int room = width() - 40;
  size_t n = room < 10 ? 10 : room > POINTS ? POINTS : (size_t)room;
  for (int i = 0; i < LINES; i++) {
    double rate = s->lines[i].points[POINTS - 1];
    bool bytes = i == READ || i == WRITTEN;
    printf("  %-13s %s%10s/s%s ", s->lines[i].name, cli_style_of(CLI_BOLD),
           bytes ? cli_bytes((uint64_t)rate).text : cli_count((uint64_t)llround(rate)).text,
           cli_style_of(CLI_RESET));
    spark(s->lines[i].points, n);
    if (bytes) {
      printf(" %s" END, cli_bytes((uint64_t)value_of(&s->now, i)).text);
    } else {
      printf(" %s" END, cli_count((uint64_t)value_of(&s->now, i)).text);
    }
  }
}

/* Hits of this round's look-ups, and of all. */
static void draw_classes(const screen *s) {
  printf("%s  %-10s %11s %11s %11s %11s %10s %10s%s" END, cli_style_of(CLI_BOLD), "class", "memory",
         "disk", "stale", "misses", "ratio now", "ever", cli_style_of(CLI_RESET));
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    const nxc_stats *a = &s->now, *b = &s->before;
    uint64_t hits = a->memory_hits[i] + a->disk_hits[i];
    uint64_t hits_now = hits - b->memory_hits[i] - b->disk_hits[i];
    uint64_t misses_now = a->misses[i] - b->misses[i];
    if (!(hits | a->misses[i])) continue;
    printf("  %-10s %11s %11s %11s %11s %10s %10s" END, cli_class_names[i],
           cli_count(a->memory_hits[i]).text, cli_count(a->disk_hits[i]).text,
           cli_count(a->stale_hits[i]).text, cli_count(a->misses[i]).text,
           cli_ratio((double)hits_now, (double)(hits_now + misses_now)).text,
           cli_ratio((double)hits, (double)(hits + a->misses[i])).text);
  }
}

static void draw_processes(const nxc_process *list, size_t count, int rows) {
  int wide = width() - 58;
  printf("%s  %8s %11s %11s %10s %9s  %s%s" END, cli_style_of(CLI_BOLD), "process", "hits",
         "misses", "ratio", "memory", "command", cli_style_of(CLI_RESET));
  for (size_t i = 0; i < count && (int)i < rows; i++) {
    const nxc_stats *s = &list[i].stats;
    uint64_t hits = cli_sum(s->memory_hits) + cli_sum(s->disk_hits), misses = cli_sum(s->misses);
    size_t n = strlen(list[i].command);
    printf("  %8lld %11s %11s %10s %9s  ", (long long)list[i].pid, cli_count(hits).text,
           cli_count(misses).text, cli_ratio((double)hits, (double)(hits + misses)).text,
           cli_bytes(s->memory_bytes).text);
    cli_put_text(stdout,
                 (nxc_slice){list[i].command, wide > 0 && n > (size_t)wide ? (size_t)wide : n});
    fputs(END, stdout);
  }
}

static void draw(const screen *s, const nxc_shape *shape, const nxc_process *list, size_t count) {
  const nxc_stats *n = &s->now;
  fputs("\033[H", stdout);
  printf("%snextcache%s %s   %zu %s   up %s   q ends" END END, cli_style_of(CLI_BOLD),
         cli_style_of(CLI_RESET), cli_where()->dir, count, count == 1 ? "process" : "processes",
         cli_duration(cli_now_ms() - s->began_ms).text);
  draw_rates(s);
  fputs(END, stdout);
  bar("memory", n->memory_bytes, n->memory_limit_bytes, "");
  bar("disk", n->disk_bytes, n->disk_limit_bytes, "");
  bar("slots", shape->slots_used, shape->slots, "entries");
  bar("tags", shape->tag_rows_used, shape->tag_rows, "tags");
  fputs(END, stdout);
  draw_classes(s);
  fputs(END, stdout);
  int rows = height() - 25;
  draw_processes(list, count, rows < 1 ? 1 : rows > MOST_PROCESSES ? MOST_PROCESSES : rows);
  if (n->corrupt || n->disk_errors) {
    printf("%s  %s damaged entries, %s disk errors%s" END, cli_style_of(CLI_RED),
           cli_count(n->corrupt).text, cli_count(n->disk_errors).text, cli_style_of(CLI_RESET));
  }
  fputs("\033[J", stdout);
  fflush(stdout);
}

/* ---- the loop --------------------------------------------------------------------------- */

static int turn(screen *s) {
  nxc_shape shape;
  nxc_process *list;
  size_t count;
  /* The cache was cleared, resized or removed meanwhile: go on with what is there now. */
  if (nxc_view_is_over(*s->view)) {
    nxc_view_close(*s->view);
    int code = cli_view(s->view);
    if (code != CLI_OK) return code;
  }
  s->before = s->now;
  nxc_view_stats(*s->view, &s->now);
  nxc_view_shape(*s->view, &shape);
  if (nxc_view_processes(*s->view, &list, &count) != NXC_OK) return CLI_UNREADABLE;
  int64_t now = cli_now_ms(), since = now - s->last_ms;
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

int cli_screen(nxc_view **view, double interval, uint64_t rounds) {
  static const char *const names[LINES] = {"hits", "misses",    "puts",        "invalidations",
                                           "dead", "disk read", "disk written"};
  screen s = {.view = view, .interval = interval, .began_ms = cli_now_ms()};
  int code = CLI_OK;
  for (int i = 0; i < LINES; i++) s.lines[i].name = names[i];
  enter();
  do code = turn(&s);
  while (code == CLI_OK && (!rounds || s.rounds < rounds) && wait_for(interval));
  leave();
  return code;
}
