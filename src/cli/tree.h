/* tree.h - measuring and removing a directory tree. */
#ifndef NXC_TREE_H
#define NXC_TREE_H

#include "cli.h"

typedef struct cli_tree {
  uint64_t files, bytes;
  uint64_t failed; /* that could not be removed, or looked at */
} cli_tree;

/* Measures, or with `remove` removes, what is below the open directory; links are
 * taken as what they are, and other file systems are left alone. */
void cli_tree_walk(int dir, bool remove, cli_tree *tree);

#endif
