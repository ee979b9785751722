/* cmd_clear.c - nextcache clear: the cache, a part of it, or the build output.
 *
 * The build output is a directory of the project that looks like one of Next.js. It
 * is opened without following a link, and emptied below that descriptor alone; while
 * a process serves it, it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "servers.h"
#include "tree.h"

typedef struct wish {
  bool build, app, all, dry_run, force;
  const char *dist;
  cli_selection selection;
} wish;

/* A path may have any name. */
static void tell(const wish *w, const char *what, cli_text things, uint64_t bytes,
                 const char *where) {
  printf("%s: %s%s, %s, in ", what, w->dry_run ? "would remove " : "removed ", things.text,
         cli_bytes(bytes).text);
  cli_put_line(stdout, where);
}

/* ---- the build output ------------------------------------------------------------------ */

typedef struct output {
  char *path;
  int parent, dir; /* descriptors */
  const char *name;
  struct stat st;
} output;

/* A slip such as --dist src must not cost anybody their source. */
static bool has_any(int dir) {
  static const char *const marks[] = {
      "BUILD_ID", "build-manifest.json", "server", "static", "cache",
      "trace",    "standalone",          "types",  "dev"};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    if (faccessat(dir, marks[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
  }
  return false;
}

/* Opens it as a directory inside of the project. CLI_OK; CLI_ABSENT, silently. */
static int open_output(const wish *w, output *o) {
  char parent[PATH_MAX];
  const char *root = cli_where()->root;
  *o = (output){.path = cli_below(root, w->dist), .parent = -1, .dir = -1};
  /* A shell completes "out" to "out/". */
  for (size_t n = strlen(o->path); n > 1 && o->path[n - 1] == '/';) o->path[--n] = '\0';
  char *slash = strrchr(o->path, '/');
  o->name = slash + 1;
  *slash = '\0';
  char *real = realpath(o->path, parent);
  *slash = '/';
  size_t n = strlen(root);
  if (!real) return CLI_ABSENT;
  bool inside = strncmp(real, root, n) == 0 && (real[n] == '/' || real[n] == '\0');
  bool plain = *o->name && strcmp(o->name, ".") != 0 && strcmp(o->name, "..") != 0;
  if (!inside || !plain) {
    return cli_fail(CLI_USAGE, "clear: %s is not a directory inside of the project %s", w->dist,
                    root);
  }
  o->parent = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (o->parent < 0 || fstatat(o->parent, o->name, &o->st, AT_SYMLINK_NOFOLLOW)) return CLI_ABSENT;
  if (!S_ISDIR(o->st.st_mode)) {
    return cli_fail(CLI_UNREADABLE, "%s is not a directory but a link or a file; remove it by hand",
                    o->path);
  }
  o->dir = openat(o->parent, o->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (o->dir < 0) return cli_fail(CLI_UNREADABLE, "%s: %s", o->path, strerror(errno));
  if (has_any(o->dir) || w->force) return CLI_OK;
  return cli_fail(CLI_PROBLEM, "%s does not look like build output; --force removes it anyway",
                  o->path);
}

static void close_output(output *o) {
  if (o->dir >= 0) close(o->dir);
  if (o->parent >= 0) close(o->parent);
  free(o->path);
}

/* A server reads chunks and pages of its build as they are asked for: without them it answers
 * with errors until it is started again. */
static int refuse_if_served(const wish *w, const output *o) {
  cli_server *list;
  size_t n = cli_servers(cli_where()->root, o->path, &list);
  for (size_t i = 0; i < n; i++) {
    cli_warn("process %ld works with this build: %s", list[i].pid, list[i].command);
  }
  free(list);
  if (!n || w->force || w->dry_run) return CLI_OK;
  return cli_fail(CLI_PROBLEM, "%s stays: stop it first, or use --force", o->path);
}

static int remove_output(const output *o) {
  cli_tree tree;
  int code = cli_become(o->st.st_uid, o->st.st_gid);
  if (code != CLI_OK) return code;
  cli_tree_walk(o->dir, true, &tree);
  /* Its parent may belong to somebody else, who keeps an empty directory then. */
  bool gone = unlinkat(o->parent, o->name, AT_REMOVEDIR) == 0 || errno == EACCES;
  if (tree.failed || !gone) {
    return cli_fail(CLI_UNREADABLE, "%s: %llu files could not be removed", o->path,
                    (unsigned long long)tree.failed);
  }
  return CLI_OK;
}

/* In a child, because the cache may have another owner. */
static int remove_as_owner(const output *o) {
  int status;
  /* What is buffered would be written by both. */
  fflush(NULL);
  pid_t child = fork();
  if (child < 0) return cli_fail(CLI_UNREADABLE, "fork: %s", strerror(errno));
  if (child == 0) _exit(remove_output(o));
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_UNREADABLE;
}

static int clear_build(const wish *w) {
  output o;
  cli_tree tree;
  int code = open_output(w, &o);
  if (code == CLI_ABSENT) {
    printf("build output: there is none: ");
    cli_put_line(stdout, o.path);
    code = CLI_OK;
  } else if (code == CLI_OK) {
    cli_tree_walk(o.dir, false, &tree);
    code = refuse_if_served(w, &o);
    if (code == CLI_OK && !w->dry_run) code = remove_as_owner(&o);
    if (code == CLI_OK) {
      tell(w, "build output", cli_things(tree.files, "file", "files"), tree.bytes, o.path);
    }
  }
  close_output(&o);
  return code;
}

/* ---- the cache ------------------------------------------------------------------------------ */

typedef struct victims {
  const cli_selection *selection;
  nxc_slice *keys; /* ours */
  size_t count, room;
  uint64_t bytes;
} victims;

static int collect(void *arg, const nxc_seen *seen) {
  victims *v = arg;
  nxc_record r;
  cli_progress("reading", seen->number, seen->count);
  if (!seen->entry || !cli_selects(v->selection, seen)) return 1;
  nxc_entry_read(seen->entry, &r);
  if (v->count == v->room) {
    v->room = v->room ? 2 * v->room : 256;
    v->keys = cli_alloc(v->keys, v->room * sizeof *v->keys);
  }
  char *key = cli_alloc(NULL, r.key.size);
  if (r.key.size) memcpy(key, r.key.data, r.key.size);
  v->keys[v->count++] = (nxc_slice){key, r.key.size};
  v->bytes += seen->disk_bytes;
  return 1;
}

/* Goes on after a failure: what can be removed is. */
static int remove_keys(nxc_cache *cache, const victims *v) {
  int worst = NXC_OK;
  for (size_t i = 0; i < v->count; i++) {
    cli_progress("removing", i, v->count);
    int rc = nxc_remove(cache, v->keys[i]);
    if (rc < 0) worst = rc;
  }
  cli_progress_end();
  return worst;
}

/* Clearing all is one step that nothing survives; key by key, what is put meanwhile stays. */
static bool is_whole(const cli_selection *s) {
  return !s->classes && !s->tags.count && !s->prefix && !s->stale;
}

/* 1: it is cleared, and there is no room for the new one as long as this process holds the old. */
static int clear_whole(nxc_cache *cache) {
  nxc_stats stats;
  int rc = nxc_clear(cache);
  if (nxc_stats_get(cache, &stats) == NXC_OK && !stats.disk) return 1;
  return rc < 0 ? cli_fail(CLI_UNREADABLE, "%s", nxc_strerror(rc)) : CLI_OK;
}

/* Clearing all leaves an index which knows that nothing from before is to be believed. One that
 * finds no room at first is made when the old one is gone, and cleared as well: a new index
 * alone would believe what the build prerendered, and the tool has just removed its marks. */
static int clear_all(nxc_view *view) {
  nxc_shape shape;
  nxc_cache *cache;
  nxc_view_shape(view, &shape);
  nxc_view_close(view);
  int code = CLI_OK, rc = 1;
  for (int turn = 0; turn < 2 && code == CLI_OK && rc == 1; turn++) {
    code = cli_cache(&shape, &cache);
    if (code != CLI_OK) return code;
    rc = clear_whole(cache);
    nxc_close(cache);
  }
  return rc == 1 ? cli_fail(CLI_PROBLEM,
                            "%s: there is no room for the new index; free some, and do it again",
                            cli_where()->dir)
                 : rc;
}

static int clear_some(nxc_view *view, const victims *v) {
  nxc_shape shape;
  nxc_cache *cache;
  nxc_view_shape(view, &shape);
  nxc_view_close(view);
  int code = cli_cache(&shape, &cache);
  if (code != CLI_OK) return code;
  int rc = remove_keys(cache, v);
  nxc_close(cache);
  return rc < 0 ? cli_fail(CLI_UNREADABLE, "%s", nxc_strerror(rc)) : CLI_OK;
}

static int clear_app(const wish *w) {
  nxc_view *view;
  victims v = {.selection = &w->selection};
  int code = cli_view(&view);
  if (code != CLI_OK) return code;
  if (nxc_view_each(view, collect, &v) != NXC_OK) {
    code = cli_fail(CLI_UNREADABLE, "out of memory");
  }
  cli_progress_end();
  if (code != CLI_OK || w->dry_run) {
    nxc_view_close(view);
  } else {
    cli_warn_of_others(view);
    code = is_whole(&w->selection) ? clear_all(view) : clear_some(view, &v);
  }
  if (code == CLI_OK) {
    tell(w, "cache", cli_things(v.count, "entry", "entries"), v.bytes, cli_where()->dir);
  }
  for (size_t i = 0; i < v.count; i++) free((void *)(uintptr_t)v.keys[i].data);
  free(v.keys);
  return code;
}

/* ---- the command ------------------------------------------------------------------------------ */

/* Without a word about what: says it and asks. */
static int ask(wish *w) {
  wish shown = *w;
  shown.build = shown.app = shown.dry_run = true;
  int build = clear_build(&shown), app = clear_app(&shown);
  if (build != CLI_OK && app != CLI_OK) return app;
  w->build = build == CLI_OK;
  w->app = app == CLI_OK;
  fflush(stdout);
  if (w->force || cli_ask("Remove all this?")) return CLI_OK;
  return cli_fail(CLI_USAGE, "clear: nothing was removed; say --app, --build or --all");
}

int cli_cmd_clear(const cli_command *self, int argc, char **argv) {
  wish w = {.dist = ".next"};
  int code;
  const cli_option options[] = {
      {"app", CLI_FLAG, &w.app, NULL, "the cache of the application"},
      {"build", CLI_FLAG, &w.build, NULL, "the build output (.next)"},
      {"all", CLI_FLAG, &w.all, NULL, "both"},
      CLI_SELECT_OPTIONS(w.selection),
      {"stale", CLI_FLAG, &w.selection.stale, NULL, "only what is stale or dead"},
      {"dist", CLI_TEXT, &w.dist, "DIR", "the build output, where distDir is another"},
      {"dry-run", CLI_FLAG, &w.dry_run, NULL, "say what would be removed, and remove nothing"},
      {"force", CLI_FLAG, &w.force, NULL, "do not ask, and do not mind processes that serve it"},
      {0},
  };

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  if (w.all) w.app = w.build = true;
  /* Whoever chooses entries means the cache. */
  if (!is_whole(&w.selection)) w.app = true;
  if (!w.app && !w.build) {
    if (w.dry_run) {
      w.app = w.build = true;
    } else if ((code = ask(&w)) != CLI_OK) {
      return code;
    }
  }
  code = w.build ? clear_build(&w) : CLI_OK;
  /* What is not there is as clear as it can be, when more than it was asked for. */
  int app = w.app ? clear_app(&w) : CLI_OK;
  if (app == CLI_ABSENT && w.build) app = CLI_OK;
  return code != CLI_OK ? code : app;
}
