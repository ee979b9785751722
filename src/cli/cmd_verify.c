/* cmd_verify.c - nextcache verify: reads every record and lets it prove itself.
 *
 * The checksum, the position and the key of each record are looked at by the view; what is left
 * here is to count and to name. It repairs nothing: `recover` does.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "commands.h"

typedef struct outcome {
  uint64_t intact, bytes, damaged, unreadable;
} outcome;

static int check(void *arg, const nxc_seen *seen) {
  outcome *o = arg;
  cli_progress("verifying", seen->number, seen->count);
  o->intact += seen->entry != NULL;
  o->bytes += seen->disk_bytes;
  o->damaged += seen->result == NXC_E_FORMAT;
  o->unreadable += seen->result == NXC_E_IO;
  return 1;
}

int cli_cmd_verify(const cli_command *self, int argc, char **argv) {
  bool json = false;
  outcome o = {0};
  int code;
  nxc_view *view;
  const cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "as JSON"}, {0}};

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  int rc = nxc_view_each(view, check, &o);
  nxc_view_close(view);
  cli_progress_end();
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "out of memory");
  if (json) {
    cli_put_json(json_pack("{s:I, s:I, s:I, s:I}", "intact", (json_int_t)o.intact, "bytes",
                           (json_int_t)o.bytes, "damaged", (json_int_t)o.damaged, "unreadable",
                           (json_int_t)o.unreadable));
  } else {
    printf("%s intact, %s\n", cli_things(o.intact, "entry", "entries").text,
           cli_bytes(o.bytes).text);
    if (o.damaged) {
      printf("%s damaged: a look-up drops them; nextcache recover does it now\n",
             cli_count(o.damaged).text);
    }
    if (o.unreadable) {
      printf("%s could not be read: the disk answers with errors, see dmesg\n",
             cli_count(o.unreadable).text);
    }
  }
  return o.damaged || o.unreadable ? CLI_PROBLEM : CLI_OK;
}
