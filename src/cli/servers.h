/* servers.h - which live processes serve, or make, a build. */
#ifndef NXC_SERVERS_H
#define NXC_SERVERS_H

#include "cli.h"

typedef struct cli_server {
  long pid;
  char command[128];
} cli_server;

/* The processes of Next.js that work in the project, or inside its build output: new
 * memory. To be called before cli_become(): another user's are then not to be seen. */
size_t cli_servers(const char *root, const char *dist, cli_server **out);

typedef struct cli_memory {
  uint64_t resident_bytes;
  uint64_t own_bytes; /* of it: heap, buffers and entries; the rest are files that are mapped */
} cli_memory;

cli_memory cli_memory_of(long pid);

#endif
