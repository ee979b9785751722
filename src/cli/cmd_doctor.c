/* cmd_doctor.c - nextcache doctor: looks at everything that a cache depends on.
 *
 * Each finding is a line: what was looked at, what was found, and where it is wrong
 * what to do. With --symptom only those that can be its cause.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "build_check.h"
#include "commands.h"
#include "servers.h"

/* Findings have the symptoms that they can cause, and not the other way round: so a new finding
 * needs a line in one place. */
enum { BUILD = 1, MODULE = 2, STALE = 4, MEMORY = 8, ALL = 15 }; /* symptoms, as bits */

typedef enum state { FINE, NOTE, BAD } state;

typedef struct report {
  unsigned symptoms; /* wanted ones */
  bool json;
  json_t *findings;
  bool bad;
} report;

/* `remedy` is for what is not fine; NULL else. */
static void find(report *r, unsigned symptoms, state s, const char *what, const char *remedy,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));

static void find(report *r, unsigned symptoms, state s, const char *what, const char *remedy,
                 const char *format, ...) {
  static const char *const names[] = {"fine", "note", "problem"};
  static const cli_style styles[] = {CLI_GREEN, CLI_YELLOW, CLI_RED};
  char text[1024];
  va_list arguments;
  if (!(r->symptoms & symptoms)) return;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  r->bad = r->bad || s == BAD;
  if (r->json) {
    json_array_append_new(
        r->findings, json_pack("{s:s, s:s, s:o, s:s?}", "what", what, "state", names[s], "text",
                               cli_json_text((nxc_slice){text, strlen(text)}), "remedy", remedy));
    return;
  }
  printf("%s%-8s%s %-11s ", cli_style_of(styles[s]), names[s], cli_style_of(CLI_RESET), what);
  cli_put_text(stdout, (nxc_slice){text, strlen(text)});
  printf("%s%s\n", remedy ? "; " : "", remedy ? remedy : "");
}

/* ---- versions and settings ----------------------------------------------------------- */

/* Of the Next.js that the project gets: in a monorepo it may lie above. New. */
static json_t *package_of_next(void) {
  char *at = cli_strdup(cli_where()->root), *slash;
  /* Upwards, as Node.js looks for it. */
  json_t *package = NULL;
  while (!(package = cli_json_file(at, "node_modules/next/package.json")) &&
         (slash = strrchr(at, '/'))) {
    *slash = '\0';
  }
  free(at);
  return package;
}

static void look_at_versions(report *r) {
  json_t *package = package_of_next();
  const char *version = json_string_value(json_object_get(package, "version"));
  int major = 0, minor = 0, patch = 0;
  find(r, ALL, FINE, "nextcache", NULL, "%s", nxc_version());
  if (version && sscanf(version, "%d.%d.%d", &major, &minor, &patch) == 3) {
    bool scoped = major > 16 || (major == 16 && (minor > 3 || (minor == 3 && patch >= 8))) ||
                  (major == 15 && minor == 5 && patch >= 27);
    find(r, BUILD | MODULE | STALE, FINE, "Next.js", NULL, "%s, with keys %s", version,
         scoped ? "scoped by route" : "that are paths");
  } else {
    find(r, BUILD | MODULE, NOTE, "Next.js", "npm ci", "is not installed in %s", cli_where()->root);
  }
  json_decref(package);
}

static void look_at_settings(report *r) {
  static const char *const sizes[] = {"NEXT_CACHE_MAX_MEMORY_SIZE", "NEXT_CACHE_MAX_DISK_SIZE"};
  const char *source, *value;
  uint64_t bytes;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    value = cli_setting(sizes[i], &source);
    if (!value) continue;
    if (cli_parse_size(value, &bytes)) {
      find(r, MEMORY, FINE, "setting", NULL, "%s=%s, from %s", sizes[i], value, source);
    } else {
      find(r, ALL, BAD, "setting", "it should be a size such as 64MB", "%s=%s, from %s", sizes[i],
           value, source);
    }
  }
  value = cli_setting("NEXT_CACHE_ENGINE", &source);
  if (value && strcmp(value, "next") == 0) {
    find(r, ALL, NOTE, "engine", "remove NEXT_CACHE_ENGINE=next to use nextcache",
         "engine=next, from %s: Next's own cache is in use", source);
  }
  value = getenv("NODE_ENV");
  if (value && strcmp(value, "production") != 0) {
    find(r, BUILD | STALE, NOTE, "NODE_ENV", "leave it unset for next build and next start",
         "is \"%s\" in this shell", value);
  }
}

/* ---- the directory --------------------------------------------------------------------- */

/* By the numbers of statfs(2): names of mounts say nothing about what is behind them. */
static const char *file_system_name(const char *dir) {
  static const struct {
    unsigned long magic;
    const char *name;
  } known[] = {{0xef53, "ext4"},      {0x58465342, "XFS"},     {0x9123683e, "btrfs"},
               {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x2fc12fc1, "ZFS"},
               {0x6969, "NFS"},       {0x65735546, "FUSE"},    {0x01021997, "9p"},
               {0xfe534d42, "SMB"},   {0xff534d42, "CIFS"}};
  struct statfs s;
  if (statfs(dir, &s)) return "unknown";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if ((unsigned long)(unsigned)s.f_type == known[i].magic) return known[i].name;
  }
  return "another";
}

static bool is_unusable(const char *file_system) {
  static const char *const network[] = {"NFS", "FUSE", "9p", "SMB", "CIFS"};
  for (size_t i = 0; i < sizeof network / sizeof *network; i++) {
    if (strcmp(file_system, network[i]) == 0) return true;
  }
  return false;
}

static void look_at_place(report *r) {
  const cli_place *place = cli_where();
  find(r, ALL, FINE, "root", NULL, "%s", place->root);
  find(r, ALL, FINE, "directory", NULL, "%s, from %s", place->dir, place->source);
  if (access(place->dir, F_OK)) return; /* the view tells */
  const char *fs = file_system_name(place->dir);
  if (is_unusable(fs)) {
    find(r, STALE | MEMORY, BAD, "file system", "set NEXT_CACHE_DIR to a local disk",
         "%s: the cache lives in memory only, and not across processes", fs);
  } else {
    find(r, STALE | MEMORY, FINE, "file system", NULL, "%s", fs);
  }
}

static void look_at_space(report *r, const nxc_shape *shape) {
  struct statvfs s;
  if (statvfs(cli_where()->dir, &s)) return;
  uint64_t space = (uint64_t)s.f_bavail * s.f_frsize,
           wanted = shape->limit_bytes - shape->held_bytes;
  /* Segments are allocated when they are first entered, so a cache that has been round once
   * needs no more space than it has. */
  if (shape->held_bytes < shape->limit_bytes && space < wanted) {
    find(r, ALL, NOTE, "space", "free some, or set a smaller NEXT_CACHE_MAX_DISK_SIZE",
         "%s free, and the cache may still take %s: the ring will be shorter",
         cli_bytes(space).text, cli_bytes(wanted).text);
  } else {
    find(r, ALL, FINE, "space", NULL, "%s held of %s, %s free", cli_bytes(shape->held_bytes).text,
         cli_bytes(shape->limit_bytes).text, cli_bytes(space).text);
  }
}

/* ---- the counters ------------------------------------------------------------------------ */

static void look_at_counters(report *r, const nxc_stats *s, const nxc_shape *shape) {
  uint64_t hits = cli_sum(s->memory_hits) + cli_sum(s->disk_hits), misses = cli_sum(s->misses);
  find(r, STALE | MEMORY, FINE, "look-ups", NULL, "%s, of them %s hits",
       cli_count(hits + misses).text, cli_ratio((double)hits, (double)(hits + misses)).text);
  find(r, STALE, FINE, "changes", NULL, "%s tags marked, %s misses of invalidated entries",
       cli_count(s->marks).text, cli_count(s->dead_by_tag).text);
  if (s->corrupt) {
    find(r, STALE | BUILD, BAD, "damage", "nextcache recover; look at the disk", "%s found damaged",
         cli_things(s->corrupt, "entry", "entries").text);
  }
  if (s->disk_errors) {
    find(r, STALE | MEMORY, BAD, "disk errors", "free space, or look at dmesg", "%s so far",
         cli_count(s->disk_errors).text);
  }
  if (s->floor_raises || shape->tag_rows_used > shape->tag_rows / 10 * 9) {
    find(r, STALE | MEMORY, NOTE, "tags", "use fewer different tags",
         "%s of %s rows in use, %s marks forgotten early: older entries died with them",
         cli_count(shape->tag_rows_used).text, cli_count(shape->tag_rows).text,
         cli_count(s->floor_raises).text);
  }
  if (s->refused) {
    find(r, MEMORY, NOTE, "size", "a larger disk tier has larger segments",
         "%s entries were too large (the largest that fits: %s)", cli_count(s->refused).text,
         cli_bytes(shape->record_bytes).text);
  }
}

/* ---- the tier that machines share ----------------------------------------------------------- */

static void look_at_shared(report *r, const nxc_view *view) {
  nxc_remote remote;
  nxc_view_remote(view, &remote);
  if (!remote.processes) return;
  bool well = remote.ready == remote.processes;
  find(r, STALE, well ? FINE : BAD, "shared tier",
       well ? NULL : "look at the network, and at the Valkey or Redis; the log has the reason",
       "%s; its log was read to the end %s ago", cli_shared_state(&remote).text,
       cli_duration((int64_t)remote.unsure_ms).text);
  if (remote.unsent) {
    find(r, STALE, BAD, "shared tier", "they are sent when it can be reached again",
         "%s invalidations are not known to other machines", cli_count(remote.unsent).text);
  }
}

/* ---- the processes ------------------------------------------------------------------------ */

/* NEXT_CACHE_* of a process that differ from ours, as text; "" when none do. */
static void compare_settings(long pid, char *out, size_t size) {
  static const char *const names[] = {"NEXT_CACHE_DIR", "NEXT_CACHE_MAX_MEMORY_SIZE",
                                      "NEXT_CACHE_MAX_DISK_SIZE", "NEXT_CACHE_ENGINE"};
  char *path = cli_format("/proc/%ld/environ", pid), *line = NULL;
  size_t room = 0;
  out[0] = '\0';
  FILE *f = fopen(path, "re");
  free(path);
  while (f && getdelim(&line, &room, '\0', f) > 0) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      size_t n = strlen(names[i]), used = strlen(out);
      if (strncmp(line, names[i], n) != 0 || line[n] != '=') continue;
      /* As text: that 64MB and 65536KB are the same is not looked for. */
      const char *ours = cli_setting(names[i], NULL);
      if (ours && strcmp(ours, line + n + 1) == 0) continue;
      snprintf(out + used, size - used, "%s%s", used ? ", " : "", line);
    }
  }
  free(line);
  if (f) fclose(f);
}

/* What a process may write into one file, by its limits; UINT64_MAX: as much as it wants. */
static uint64_t largest_file(long pid) {
  static const char name[] = "Max file size";
  char *path = cli_format("/proc/%ld/limits", pid), line[256];
  uint64_t most = UINT64_MAX;
  FILE *f = fopen(path, "re");
  free(path);
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, name, sizeof name - 1) != 0) continue;
    sscanf(line + sizeof name - 1, "%" SCNu64, &most); /* or "unlimited" */
  }
  if (f) fclose(f);
  return most;
}

static void look_at_limits(report *r, long pid, const nxc_shape *shape) {
  uint64_t most = largest_file(pid);
  if (most >= shape->limit_bytes) return;
  find(r, STALE | MEMORY, BAD, "limits",
       "raise ulimit -f, or set a smaller NEXT_CACHE_MAX_DISK_SIZE",
       "files of process %ld may have %s, and the ring has %s: what is beyond is not stored", pid,
       cli_bytes(most).text, cli_bytes(shape->limit_bytes).text);
}

/* A server without the cache open has its own, or none: the usual cause of "stale here, fresh
 * there". */
static const nxc_process *who_has_open(const nxc_process *list, size_t count, long pid) {
  for (size_t i = 0; i < count; i++) {
    if (list[i].pid == pid) return &list[i];
  }
  return NULL;
}

/* The heap is not to be seen from outside: it is most of what is left. */
static void look_at_memory(report *r, long pid, const nxc_process *has) {
  cli_memory m = cli_memory_of(pid);
  uint64_t entries = has ? has->stats.memory_bytes + has->stats.pinned_bytes : 0;
  uint64_t rest = m.own_bytes > entries ? m.own_bytes - entries : 0;
  find(r, MEMORY, FINE, "memory", NULL,
       "process %ld takes %s: %s of entries, %s of heap and buffers, %s of files that are mapped",
       pid, cli_bytes(m.resident_bytes).text, cli_bytes(entries).text, cli_bytes(rest).text,
       cli_bytes(m.resident_bytes - m.own_bytes).text);
}

static uint64_t number_in(const char *file) {
  char text[64] = "";
  uint64_t number = 0;
  FILE *f = fopen(file, "re");
  if (f && fgets(text, sizeof text, f)) sscanf(text, "%" SCNu64, &number); /* or "max" */
  if (f) fclose(f);
  return number;
}

static void look_at_container(report *r) {
  uint64_t most = number_in("/sys/fs/cgroup/memory.max");
  uint64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (!most) return;
  find(r, MEMORY, FINE, "container", NULL, "takes %s of %s, page cache included",
       cli_bytes(used).text, cli_bytes(most).text);
}

static void look_at_processes(report *r, const nxc_view *view) {
  nxc_process *list = NULL;
  size_t count = 0;
  cli_server *servers;
  char differ[512];
  char *dist = cli_format("%s/.next", cli_where()->root);
  size_t n = cli_servers(cli_where()->root, dist, &servers);
  nxc_shape shape;
  if (view && nxc_view_processes(view, &list, &count) != NXC_OK) count = 0;
  if (view) nxc_view_shape(view, &shape);
  for (size_t i = 0; i < count; i++) {
    look_at_limits(r, (long)list[i].pid, &shape);
    find(r, STALE | MEMORY, FINE, "process", NULL, "%lld has the cache open: %s",
         (long long)list[i].pid, list[i].command);
    compare_settings((long)list[i].pid, differ, sizeof differ);
    if (*differ) {
      find(r, STALE | MEMORY, NOTE, "process", "give all processes the same settings",
           "%lld has others than this shell: %s", (long long)list[i].pid, differ);
    }
  }
  look_at_container(r);
  for (size_t i = 0; i < n; i++) {
    const nxc_process *has = who_has_open(list, count, servers[i].pid);
    look_at_memory(r, servers[i].pid, has);
    if (has) continue;
    find(r, STALE | MODULE, NOTE, "process", "see its log for lines of nextcache",
         "%ld works in this project without this cache: %s", servers[i].pid, servers[i].command);
  }
  free(list);
  free(servers);
  free(dist);
}

/* ---- the build ------------------------------------------------------------------------------ */

/* Results of 'use cache', in a build that has some; its switch has had several names. */
static void look_at_use_cache(report *r, const json_t *config) {
  static const char *const names[] = {"cacheComponents", "useCache", "dynamicIO"};
  const json_t *experimental = json_object_get(config, "experimental");
  const json_t *early = json_object_get(experimental, "cacheHandlers"); /* where 15 has them */
  bool used = false;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    used = used || json_is_true(json_object_get(config, names[i])) ||
           json_is_true(json_object_get(experimental, names[i]));
  }
  if (!used || json_object_size(early) ||
      json_object_size(json_object_get(config, "cacheHandlers")))
    return;
  find(r, MODULE | STALE, NOTE, "handler",
       early ? "experimental: { cacheHandlers: { default, remote } } in next.config"
             : "cacheHandlers: { default, remote } in next.config",
       "the build has no cacheHandlers: results of 'use cache' stay in each process");
}

static bool is_external(const json_t *config) {
  const json_t *in_14 =
      json_object_get(json_object_get(config, "experimental"), "serverComponentsExternalPackages");
  return cli_json_has(json_object_get(config, "serverExternalPackages"), "nextcache") ||
         cli_json_has(in_14, "nextcache");
}

static void look_at_config(report *r, const char *dist) {
  json_t *required = cli_json_file(dist, "required-server-files.json");
  const json_t *config = json_object_get(required, "config");
  if (!config) {
    json_decref(required);
    return;
  }
  const char *handler = json_string_value(json_object_get(config, "cacheHandler"));
  if (handler) {
    find(r, MODULE | STALE, FINE, "handler", NULL, "cacheHandler is %s", handler);
  } else {
    find(r, MODULE | STALE | MEMORY, NOTE, "handler",
         "cacheHandler: require.resolve('nextcache/cache-handler') in next.config",
         "the build has no cacheHandler: Next's own cache is in use");
  }
  look_at_use_cache(r, config);
  /* A second copy inside of a bundle has settings of its own; the engine they share. */
  if (handler && !is_external(config)) {
    find(r, MODULE, NOTE, "bundler", "serverExternalPackages: ['nextcache'] in next.config",
         "nextcache is bundled into server code that imports it");
  }
  const json_t *memory = json_object_get(config, "cacheMaxMemorySize");
  if (json_is_integer(memory) && json_integer_value(memory) == 0) {
    find(r, MEMORY, NOTE, "memory", "leave cacheMaxMemorySize out of next.config",
         "cacheMaxMemorySize: 0 turns the memory tier off");
  }
  json_decref(required);
}

static void look_at_build(report *r) {
  cli_build build;
  size_t i;
  json_t *problem;
  if (!(r->symptoms & (BUILD | MODULE))) { /* it loads the handlers: not for nothing */
    char *dist = cli_format("%s/.next", cli_where()->root);
    look_at_config(r, dist);
    free(dist);
    return;
  }
  cli_build_check(cli_where()->root, ".next", &build);
  json_array_foreach(build.problems, i, problem) {
    find(r, BUILD | MODULE, BAD, "build", json_string_value(json_object_get(problem, "remedy")),
         "%s %s", json_string_value(json_object_get(problem, "file")),
         json_string_value(json_object_get(problem, "problem")));
  }
  if (!i) {
    find(r, BUILD | MODULE, FINE, "build", NULL, "%s is whole: %zu files", build.build_id,
         build.files);
  }
  look_at_config(r, build.dist);
  cli_build_release(&build);
}

/* ---- the command ------------------------------------------------------------------------------ */

/* Where no cache is yet: may this user make one? */
static void look_at_permissions(report *r) {
  char *at = cli_strdup(cli_where()->dir), *slash;
  while (access(at, F_OK) && (slash = strrchr(at, '/')) && slash != at) *slash = '\0';
  if (access(at, W_OK | X_OK)) {
    find(r, ALL, BAD, "permissions", "set NEXT_CACHE_DIR to a directory of the user that serves",
         "uid %u may not write in %s: the cache would live in memory only", (unsigned)geteuid(),
         at);
  }
  free(at);
}

static void look_at_cache(report *r) {
  const char *dir = cli_where()->dir;
  char problem[512];
  uint32_t uid, gid;
  nxc_view *view;
  nxc_stats stats;
  nxc_shape shape;
  if (nxc_view_owner(dir, &uid, &gid) == NXC_OK) {
    find(r, ALL, FINE, "owner", NULL, "uid %u", uid);
    if (cli_become(uid, gid) != CLI_OK) return;
  }
  int rc = nxc_view_open(&view, dir, problem, sizeof problem);
  /* The owner was taken above, so what fails now fails for the servers as well. */
  if (rc == NXC_OK) {
    nxc_view_stats(view, &stats);
    nxc_view_shape(view, &shape);
    look_at_space(r, &shape);
    look_at_counters(r, &stats, &shape);
    look_at_shared(r, view);
  } else {
    find(r, ALL, rc == NXC_MISS ? NOTE : BAD, "cache", cli_view_remedy(rc), "%s", problem);
    if (rc == NXC_MISS) look_at_permissions(r);
  }
  look_at_processes(r, view);
  nxc_view_close(view);
}

int cli_cmd_doctor(const cli_command *self, int argc, char **argv) {
  static const struct {
    const char *name;
    unsigned bit;
  } symptoms[] = {{"build", BUILD}, {"module", MODULE}, {"stale", STALE}, {"memory", MEMORY}};
  report r = {.symptoms = ALL};
  const char *symptom = NULL;
  int code;
  const cli_option options[] = {
      {"symptom", CLI_TEXT, &symptom, "build|module|stale|memory", "only its causes"},
      {"json", CLI_FLAG, &r.json, NULL, "as JSON"},
      {0},
  };
  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  for (size_t i = 0; symptom && i < sizeof symptoms / sizeof *symptoms; i++) {
    if (strcmp(symptom, symptoms[i].name) == 0) r.symptoms = symptoms[i].bit;
  }
  if (symptom && r.symptoms == ALL) {
    return cli_fail(CLI_USAGE,
                    "doctor: --symptom is \"%s\"; it should be build, module, stale or memory",
                    symptom);
  }
  r.findings = json_array();
  /* What needs the fewest rights first: the last becomes the owner of the cache for good. */
  look_at_versions(&r);
  look_at_settings(&r);
  look_at_place(&r);
  look_at_build(&r);
  look_at_cache(&r);
  if (r.json) {
    cli_put_json(r.findings);
  } else {
    json_decref(r.findings);
  }
  return r.bad ? CLI_PROBLEM : CLI_OK;
}
