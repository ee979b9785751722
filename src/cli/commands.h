/* commands.h - the commands: name, function, operands, what it does. */
#ifndef NXC_COMMANDS_H
#define NXC_COMMANDS_H

#include "cli.h"

/* clang-format off */
#define CLI_COMMANDS(X)                                                                                  \
  X("stats", cli_cmd_stats, "", "Shows hits, misses, sizes and processes")                               \
  X("ls", cli_cmd_ls, "", "Lists entries, the newest first")                                             \
  X("show", cli_cmd_show, "KEY", "Shows one entry: lifetime, tags, why it would be a miss")              \
  X("tags", cli_cmd_tags, "", "Lists tags: how many entries carry them, when they were marked")          \
  X("invalidate", cli_cmd_invalidate, "[TAG...]", "Marks tags, as revalidateTag and revalidatePath do")  \
  X("clear", cli_cmd_clear, "", "Removes the cache, a part of it, or the build output")                  \
  X("verify", cli_cmd_verify, "", "Reads every entry and checks that it is intact")                      \
  X("resize", cli_cmd_resize, "SIZE", "Gives the disk tier another bound")                               \
  X("metrics", cli_cmd_metrics, "", "Prints the counters for Prometheus, or serves them over HTTP")      \
  X("dashboard", cli_cmd_dashboard, "", "Serves a page that shows what the cache does")                  \
  X("check-build", cli_cmd_check_build, "[DIR]", "Checks that a build is whole before it goes live")     \
  X("doctor", cli_cmd_doctor, "", "Looks at all that a cache depends on, and tells what to do")          \
  X("recover", cli_cmd_recover, "", "The emergency procedure: finds what is wrong and removes it")       \
  X("warm", cli_cmd_warm, "", "Requests the pages that should be in the cache")
/* clang-format on */

#define CLI_DECLARE(name, function, operands, summary) \
  int function(const cli_command *self, int argc, char **argv);
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
