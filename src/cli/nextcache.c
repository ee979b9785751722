/* nextcache.c - the command line tool: its commands, and the text about them.
 *
 * A command is found by its name alone: nothing is opened or looked for before it ran its own
 * cli_parse(), so help and version work in any directory, and as any user.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"

const cli_command cli_commands[] = {
#define ROW(name, function, operands, summary) {name, operands, summary, function},
    CLI_COMMANDS(ROW)
#undef ROW
        {0},
};

static void help(void) {
  puts("usage: nextcache COMMAND [options] [operands]\n\n"
       "Looks at and changes the cache of a Next.js project, while servers use it.\n");
  for (const cli_command *c = cli_commands; c->name; c++) {
    printf("  %-12s %s\n", c->name, c->summary);
  }
  puts("\nnextcache COMMAND --help tells a command's options; nextcache --version the version.\n"
       "The cache is that of the project here (NEXT_CACHE_DIR, or .cache/nextcache), or --dir.\n"
       "Exit codes: 0 fine, 1 a problem was found, 2 wrong arguments, 3 no cache or entry there,\n"
       "4 it cannot be read or changed.");
}

static int run(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "--help";
  if (strcmp(name, "--version") == 0) {
    printf("nextcache %s\n", nxc_version());
    return CLI_OK;
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    help();
    return argc > 1 ? CLI_OK : CLI_USAGE;
  }
  if (strcmp(name, "complete") == 0) return cli_complete(argc - 1, argv + 1);
  for (const cli_command *c = cli_commands; c->name; c++) {
    if (strcmp(c->name, name) == 0) return c->run(c, argc - 1, argv + 1);
  }
  return cli_fail(CLI_USAGE, "there is no command %s; see nextcache --help", name);
}

/* Where one of these three is closed, the next file that is opened gets its number: the index,
 * into which all that is printed would be written then. To /dev/null, as it is opened here, nothing
 * can be written, so that a listing which nobody gets is still a failure. */
static void occupy_standard_descriptors(void) {
  int fd = STDIN_FILENO;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd > STDERR_FILENO) close(fd);
}

int main(int argc, char **argv) {
  occupy_standard_descriptors();
  /* A limit of files (ulimit -f) is then an error of the write that meets it. */
  signal(SIGXFSZ, SIG_IGN);
  /* For the width of what is typed and shown; numbers stay as scripts expect them. */
  setlocale(LC_CTYPE, "");
  int code = run(argc, argv);
  /* A full disk or a reader that left shows here at the latest: a script must not take a
   * listing that was cut off for the whole. */
  errno = 0;
  if (fflush(stdout) || ferror(stdout)) {
    return cli_fail(CLI_UNREADABLE, "cannot write the output%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
  }
  return code;
}
