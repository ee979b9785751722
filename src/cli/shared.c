/* shared.c - what is known of the tier that machines share: as words, and as JSON.
 *
 * Each process tells it of itself once a second, so what is shown is at most that old, but
 * for the lag, which goes on growing when a process tells no more.
 */
#include <string.h>

#include "cli.h"

cli_text cli_shared_state(const nxc_remote *r) {
  cli_text t = {"-"};
  if (!r->processes) return t;
  if (r->processes > 1 && r->ready < r->processes) {
    snprintf(t.text, sizeof t.text, "%u of %u ready", (unsigned)r->ready, (unsigned)r->processes);
  } else {
    snprintf(t.text, sizeof t.text, "%s", r->breaker_open ? "open" : r->ready ? "ready" : "down");
  }
  return t;
}

cli_style cli_shared_style(const nxc_remote *r) {
  if (r->ready < r->processes) return CLI_RED;
  return r->behind || r->unsent ? CLI_YELLOW : CLI_GREEN;
}

void cli_warn_of_others(const nxc_view *view) {
  nxc_remote r;
  nxc_view_remote(view, &r);
  if (!r.processes && !cli_setting("NEXT_CACHE_VALKEY_URL", NULL)) return;
  cli_warn("this machine alone: other machines, and the tier that they share, keep what they have; "
           "revalidateTag() and clear() of the package reach them all");
}

json_t *cli_shared_json(const nxc_remote *r) {
  if (!r->processes) return json_null();
  json_t *object = json_pack("{s:s}", "state", cli_shared_state(r).text);
#define FIELD(field, kind, metric, help) \
  json_object_set_new(object, #field, json_integer((json_int_t)r->field));
  NXC_REMOTE_METRICS(FIELD)
#undef FIELD
  return object;
}
