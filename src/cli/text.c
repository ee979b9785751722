/* text.c - sizes, times and bytes of unknown origin as text, and back.
 *
 * Numbers are shown as people say them and sizes in powers of two, as the settings are read.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

char *cli_vformat(const char *format, va_list arguments) {
  char *text;
  if (vasprintf(&text, format, arguments) < 0) exit(CLI_UNREADABLE); /* out of memory */
  return text;
}

/* A message may name a key, a command line or a file: it is one line, whatever they hold. */
void cli_warn(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = cli_vformat(format, arguments);
  va_end(arguments);
  cli_progress_end();
  fputs("nextcache: ", stderr);
  cli_put_line(stderr, text);
  free(text);
}

int cli_fail(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = cli_vformat(format, arguments);
  va_end(arguments);
  cli_warn("%s", text);
  free(text);
  return code;
}

void *cli_alloc(void *old, size_t size) {
  void *memory = realloc(old, size ? size : 1);
  if (!memory) exit(cli_fail(CLI_UNREADABLE, "out of memory"));
  return memory;
}

char *cli_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  return memcpy(cli_alloc(NULL, size), text, size);
}

char *cli_format(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = cli_vformat(format, arguments);
  va_end(arguments);
  return text;
}

char *cli_below(const char *base, const char *path) {
  return path[0] == '/' ? cli_strdup(path) : cli_format("%s/%s", base, path);
}

/* ---- reading --------------------------------------------------------------------- */

bool cli_parse_number(const char *text, uint64_t *number) {
  char *end;
  if (!isdigit((unsigned char)text[0])) return false;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return !errno && !*end;
}

/* As bindings/node/lib/sizes.js does: what is a size here is one for servers. strtod() alone
 * would take 0x10 and 1e3 as well. */
bool cli_parse_size(const char *text, uint64_t *bytes) {
  static const char units[] = "BKMGT", digits[] = "0123456789";
  const double most = 9007199254740991; /* Number.MAX_SAFE_INTEGER */
  size_t whole = strspn(text, digits), part = text[whole] == '.' ? 1 : 0;
  if (part) part += strspn(text + whole + 1, digits);
  if (!whole || part == 1) return false;
  const char *end = text + whole + part;
  double n = strtod(text, NULL), unit = 1;
  while (*end == ' ') end++;
  if (*end) {
    const char *u = strchr(units, toupper((unsigned char)*end));
    if (!u) return false;
    for (const char *at = units; at < u; at++) unit *= 1024;
    end++;
    /* "64M" and "64MB" are the same; "64BB" is a slip. */
    if (u != units && toupper((unsigned char)*end) == 'B') end++;
  }
  if (*end || n * unit > most) return false;
  *bytes = (uint64_t)(n * unit);
  return true;
}

/* ---- writing --------------------------------------------------------------------- */

cli_text cli_bytes(uint64_t bytes) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
  cli_text t;
  double n = (double)bytes;
  size_t u = 0;
  /* By what they would be written as: neither "1024 KB" nor "100.0 MB". */
  while (n >= 1023.5 && u + 1 < sizeof units / sizeof *units) {
    n /= 1024;
    u++;
  }
  snprintf(t.text, sizeof t.text, u && n < 99.95 ? "%.1f %s" : "%.0f %s", n, units[u]);
  return t;
}

cli_text cli_duration(int64_t ms) {
  static const struct {
    int64_t ms;
    const char *name;
  } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
  cli_text t;
  if (ms == NXC_NEVER) return (cli_text){"never"};
  if (ms < 0) ms = 0;
  /* What is recent is told to a tenth; of what is old two units are enough. */
  if (ms < 10000) {
    snprintf(t.text, sizeof t.text, "%.1fs", (double)ms / 1000);
    return t;
  }
  size_t u = 0;
  while (ms < units[u].ms) u++;
  int n = snprintf(t.text, sizeof t.text, "%" PRId64 "%s", ms / units[u].ms, units[u].name);
  int64_t rest = u + 1 < sizeof units / sizeof *units ? ms % units[u].ms / units[u + 1].ms : 0;
  if (rest) {
    snprintf(t.text + n, sizeof t.text - (size_t)n, " %" PRId64 "%s", rest, units[u + 1].name);
  }
  return t;
}

cli_text cli_count(uint64_t number) {
  char digits[24];
  cli_text t;
  int n = snprintf(digits, sizeof digits, "%" PRIu64, number), out = 0;
  for (int i = 0; i < n; i++) {
    if (i && (n - i) % 3 == 0) t.text[out++] = ' ';
    t.text[out++] = digits[i];
  }
  t.text[out] = '\0';
  return t;
}

cli_text cli_ratio(double of, double n) {
  cli_text t = {"-"};
  if (n > 0) snprintf(t.text, sizeof t.text, "%.1f %%", 100 * of / n);
  return t;
}

cli_text cli_latency(double us) {
  cli_text t = {"-"};
  if (us > 0 && us < 1000) snprintf(t.text, sizeof t.text, us < 9.95 ? "%.1f us" : "%.0f us", us);
  if (us >= 1000) snprintf(t.text, sizeof t.text, us < 99950 ? "%.1f ms" : "%.0f ms", us / 1000);
  return t;
}

cli_text cli_things(uint64_t number, const char *one, const char *more) {
  cli_text t;
  snprintf(t.text, sizeof t.text, "%.20s %.10s", cli_count(number).text, number == 1 ? one : more);
  return t;
}

static int64_t ms_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t cli_now_ms(void) {
  return ms_of(CLOCK_REALTIME);
}

int64_t cli_steady_ms(void) {
  return ms_of(CLOCK_MONOTONIC);
}

/* usleep() counts in 32 bits: an hour and a quarter would be over at once. */
void cli_sleep(double seconds) {
  struct timespec t = {.tv_sec = (time_t)seconds};
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  nanosleep(&t, NULL);
}

/* ---- bytes of unknown origin ------------------------------------------------------ */

/* The length of the well-formed UTF-8 sequence there, of a character that only shows
 * itself; 0: none. */
static size_t printable(const unsigned char *s, size_t size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7f;
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
  if (!n || n > size || s[0] > 0xf4) return 0;
  uint32_t c = s[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | (s[i] & 0x3f);
  }
  /* Bytes that look like UTF-8 may still be overlong, or halves of a pair: terminals differ in
   * what they make of those. */
  bool surrogate = c >= 0xd800 && c < 0xe000;
  bool control = c < 0xa0;
  /* They turn the direction of what follows, or separate lines. */
  bool tricky =
      (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return c >= least[n] && c <= 0x10ffff && !surrogate && !control && !tricky ? n : 0;
}

void cli_put_text(FILE *to, nxc_slice text) {
  const unsigned char *s = text.data;
  size_t begin = 0; /* of what is printable and not yet written */
  for (size_t i = 0; i < text.size;) {
    size_t n = printable(s + i, text.size - i);
    if (!n) {
      fwrite(s + begin, 1, i - begin, to);
      fprintf(to, "\\x%02x", s[i]);
      begin = i + 1;
    }
    i += n ? n : 1;
  }
  if (text.size > begin) fwrite(s + begin, 1, text.size - begin, to);
}

void cli_put_line(FILE *to, const char *text) {
  cli_put_text(to, (nxc_slice){text, strlen(text)});
  fputc('\n', to);
}

json_t *cli_json_text(nxc_slice text) {
  /* jansson takes UTF-8 alone and answers NULL to anything else. */
  json_t *value = json_stringn(text.size ? text.data : "", text.size);
  if (value) return value;
  char *escaped;
  size_t size;
  FILE *to = open_memstream(&escaped, &size);
  if (!to) exit(cli_fail(CLI_UNREADABLE, "out of memory"));
  cli_put_text(to, text);
  fclose(to);
  value = json_stringn(escaped, size);
  free(escaped);
  return value;
}

size_t cli_json_flags(void) {
  return JSON_PRESERVE_ORDER | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0);
}

int cli_put_json(json_t *value) {
  size_t indent = isatty(STDOUT_FILENO) ? 2 : 0;
  int failed = !value || json_dumpf(value, stdout, cli_json_flags() | JSON_INDENT(indent));
  putchar('\n');
  json_decref(value);
  return failed ? cli_fail(CLI_UNREADABLE, "the JSON could not be written") : CLI_OK;
}
