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
  X("resize", cli_cmd_resize, "SIZE", "Gives the disk tier another bound")
/* clang-format on */

#define CLI_DECLARE(name, function, operands, summary) \
  int function(const cli_command *self, int argc, char **argv);
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
