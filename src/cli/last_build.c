/* last_build.c - what is known of the build output that is there.
 *
 * How long it took is in Next's own trace file, which a standalone tree does not have;
 * when it began also in the record that the handlers leave (bindings/node/lib/
 * build-record.js), which travels with the output.
 */
#include "last_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "build_check.h"

static json_t *number_of(const json_t *object, const char *name, double scale) {
  const json_t *value = json_object_get(object, name);
  if (!json_is_number(value)) return json_null();
  return json_integer((json_int_t)llround(json_number_value(value) * scale));
}

static json_t *find_event(const json_t *events, const char *name) {
  size_t i;
  json_t *event;
  json_array_foreach(events, i, event) {
    const char *own = json_string_value(json_object_get(event, "name"));
    if (own && strcmp(own, name) == 0) return json_incref(event);
  }
  return NULL;
}

/* Each line of the trace is an array of events; only the one in question is parsed. */
static json_t *next_build_event(const char *dist) {
  char *path = cli_format("%s/trace", dist), *line = NULL;
  size_t room = 0;
  json_t *event = NULL;
  FILE *f = fopen(path, "re");
  free(path);
  while (f && getline(&line, &room, f) > 0) {
    /* A trace has megabytes, and this event is on one of its last lines. */
    if (!strstr(line, "\"next-build\"")) continue;
    json_t *events = json_loads(line, 0, NULL), *found = find_event(events, "next-build");
    json_decref(events);
    if (!found) continue;
    json_decref(event); /* the last one is that of the build that is there */
    event = found;
  }
  free(line);
  if (f) fclose(f);
  return event;
}

static json_t *build_id(const char *dist) {
  char *path = cli_format("%s/BUILD_ID", dist), id[128] = "";
  FILE *f = fopen(path, "re");
  free(path);
  bool read = f && fgets(id, sizeof id, f);
  if (f) fclose(f);
  id[strcspn(id, "\r\n")] = '\0';
  return read ? cli_json_text((nxc_slice){id, strlen(id)}) : json_null();
}

json_t *cli_last_build(const char *dist) {
  json_t *event = next_build_event(dist);
  json_t *record = cli_json_file(dist, "server/pages/nextcache-build.json");
  json_t *manifest = cli_json_file(dist, "prerender-manifest.json");
  const json_t *routes = json_object_get(manifest, "routes");
  json_t *facts = json_pack(
      "{s:o, s:o, s:o, s:o}", "id", build_id(dist), "started_ms",
      event ? number_of(event, "startTime", 1) : number_of(record, "startedMs", 1), "duration_ms",
      number_of(event, "duration", 1e-3), "prerendered",
      json_is_object(routes) ? json_integer((json_int_t)json_object_size(routes)) : json_null());
  json_decref(event);
  json_decref(record);
  json_decref(manifest);
  return facts;
}
