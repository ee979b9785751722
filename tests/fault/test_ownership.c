/* test_ownership.c - whose directory it is, and what its parents allow: the ways in
 * which container platforms hand a directory to a process, and two containers that
 * share one. Each test runs processes with another uid, or in namespaces of their
 * own; where that is forbidden it is skipped, and says so.
 *
 * Promised: the subdirectory is the owner's alone, whatever the parent's mode; a
 * directory that cannot be used costs the disk tier and one message, never a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define APP 1000   /* who runs the application */
#define OTHER 2000 /* a stranger */
#define GROUP 5000 /* of the volume */
#define FORBIDDEN 77

/* In a child: what does not hold is told, and ends it. */
#define NEED(condition)                                                       \
  do {                                                                        \
    if (!(condition)) {                                                       \
      (void)fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      return 1;                                                               \
    }                                                                         \
  } while (0)

/* ---- processes of another kind ---------------------------------------------------------- */

typedef struct identity {
  uid_t uid;
  gid_t gid, group; /* group: a supplementary one; 0: none */
} identity;

static const identity root = {0, 0, 0}, app = {APP, APP, 0}, other = {OTHER, OTHER, 0};
static const identity app_in_group = {APP, APP, GROUP}, other_in_group = {OTHER, OTHER, GROUP};

/* In a child, which ends with its parent: the kernel forgets that with every change of
 * uid, so it is said afterwards. */
static bool become(const identity *who) {
  bool changed = who->uid == 0 || (setgroups(who->group ? 1 : 0, &who->group) == 0 &&
                                   setgid(who->gid) == 0 && setuid(who->uid) == 0);
  (void)umask(022);
  return changed && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

/* What `work` returns in a child with that identity. */
static int run_as(const identity *who, int (*work)(const char *dir), const char *dir) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(become(who) ? work(dir) : FORBIDDEN);
  return test_wait(child);
}

static void need_root(void) {
  if (geteuid() == 0) return;
  print_message("# skipped: only root can be somebody else\n");
  skip();
}

/* ---- what can be asked of a directory ------------------------------------------------------ */

static bool is_private(const char *path, mode_t kind) {
  struct stat st;
  return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind && st.st_uid == geteuid() &&
         (st.st_mode & 077) == 0;
}

static int uses_the_disk(const char *dir) {
  char path[256];
  nxc_cache *c = test_open(dir);
  NEED(test_put(c, "k", "v", (const char *const[]){"t", NULL}) == NXC_OK);
  nxc_close(c);
  c = test_open(dir);
  NEED(strcmp(test_get(c, "k").value, "v") == 0);
  NEED(test_stats(c).disk == 1);
  NEED(test_mark(c, "t", 0) == NXC_OK);
  NEED(test_get(c, "k").result == NXC_MISS);
  nxc_close(c);
  (void)snprintf(path, sizeof path, "%s/v1", dir);
  NEED(is_private(path, S_IFDIR));
  (void)snprintf(path, sizeof path, "%s/v1/index", dir);
  NEED(is_private(path, S_IFREG));
  NEED(test_error_count == 0);
  return 0;
}

/* It works, alone; somebody is told, once; and no promise is made for others. */
static int lives_in_memory(const char *dir) {
  nxc_cache *c = test_open(dir);
  for (unsigned i = 0; i < 10; i++) {
    NEED(test_put(c, "k", "v", (const char *const[]){"t", NULL}) == NXC_MEMORY_ONLY);
    NEED(strcmp(test_get(c, "k").value, "v") == 0);
  }
  NEED(test_stats(c).disk == 0);
  NEED(test_mark(c, "t", 0) == NXC_E_IO);
  NEED(test_get(c, "k").result == NXC_MISS);
  NEED(test_error_count == 1);
  nxc_close(c);
  return 0;
}

static int is_told_whose_it_is(const char *dir) {
  char text[64];
  NEED(lives_in_memory(dir) == 0);
  (void)snprintf(text, sizeof text, "runs as uid %u", (unsigned)geteuid());
  NEED(strstr(test_error_last, dir));
  NEED(strstr(test_error_last, "belongs to uid") && strstr(test_error_last, text));
  return 0;
}

static int makes_v1(const char *dir) {
  char path[256];
  (void)snprintf(path, sizeof path, "%s/v1", dir);
  return mkdir(path, 0777);
}

/* A directory `<test>/cache` of that owner and mode, in a place that all may enter. */
static char *place(uid_t uid, gid_t gid, mode_t mode) {
  char *parent = test_dir_make(), *dir = malloc(strlen(parent) + 8);
  assert_non_null(dir);
  (void)sprintf(dir, "%s/cache", parent);
  assert_int_equal(chmod(parent, 0755), 0);
  assert_int_equal(mkdir(dir, 0700), 0);
  assert_int_equal(chown(dir, uid, gid), 0);
  assert_int_equal(chmod(dir, mode), 0);
  free(parent);
  return dir;
}

static void place_remove(char *dir) {
  *strrchr(dir, '/') = '\0';
  test_dir_remove(dir);
}

/* ---- owners and modes ------------------------------------------------------------------------ */

/* An image whose build ran as root, and whose server does not. */
static void a_tree_that_root_built(void **state) {
  (void)state;
  need_root();
  char *dir = place(0, 0, 0755);
  assert_int_equal(run_as(&app, lives_in_memory, dir), 0); /* may not write there */
  assert_int_equal(run_as(&root, uses_the_disk, dir), 0);
  assert_int_equal(chmod(dir, 0777), 0);
  assert_int_equal(run_as(&app, is_told_whose_it_is, dir), 0); /* may, but v1 is root's */
  assert_int_equal(run_as(&root, uses_the_disk, dir), 0);      /* and nothing was broken */
  place_remove(dir);
}

/* A Kubernetes volume with an fsGroup. */
static void a_volume_of_a_group(void **state) {
  (void)state;
  need_root();
  char *dir = place(0, GROUP, 02775);
  assert_int_equal(run_as(&app_in_group, uses_the_disk, dir), 0);
  assert_int_equal(run_as(&app_in_group, uses_the_disk, dir), 0);
  assert_int_equal(run_as(&other_in_group, is_told_whose_it_is, dir), 0);
  assert_int_equal(run_as(&app, uses_the_disk, dir), 0); /* the owner needs no group any more */
  place_remove(dir);
}

/* An emptyDir, or /tmp. */
static void a_volume_of_everybody(void **state) {
  static const mode_t modes[] = {0777, 01777};
  (void)state;
  need_root();
  for (size_t i = 0; i < COUNT_OF(modes); i++) {
    char *dir = place(0, 0, modes[i]);
    assert_int_equal(run_as(&app, uses_the_disk, dir), 0);
    assert_int_equal(run_as(&other, is_told_whose_it_is, dir), 0);
    place_remove(dir);
  }
}

/* There a stranger may come first, with a directory or with a link to one. */
static void a_stranger_who_came_first(void **state) {
  (void)state;
  need_root();
  char *dir = place(0, 0, 0777), elsewhere[256], link[256];
  assert_int_equal(run_as(&other, makes_v1, dir), 0);
  assert_int_equal(run_as(&app, is_told_whose_it_is, dir), 0);
  place_remove(dir);

  dir = place(0, 0, 0777);
  (void)snprintf(elsewhere, sizeof elsewhere, "%s/../elsewhere", dir);
  (void)snprintf(link, sizeof link, "%s/v1", dir);
  assert_int_equal(mkdir(elsewhere, 0700), 0);
  assert_int_equal(chown(elsewhere, APP, APP), 0);
  assert_int_equal(symlink(elsewhere, link), 0);
  assert_int_equal(run_as(&app, lives_in_memory, dir), 0);
  assert_int_equal(rmdir(elsewhere), 0); /* nothing was written there */
  place_remove(dir);
}

/* OpenShift: a uid that nobody knows, in the group of root. */
static void a_random_uid_in_group_0(void **state) {
  static const identity random_uid = {1000650000, 0, 0}, next_uid = {1000660000, 0, 0};
  (void)state;
  need_root();
  char *dir = place(0, 0, 0775);
  assert_int_equal(run_as(&random_uid, uses_the_disk, dir), 0);
  assert_int_equal(run_as(&random_uid, uses_the_disk, dir), 0);
  assert_int_equal(run_as(&next_uid, is_told_whose_it_is, dir), 0);
  place_remove(dir);
}

/* ---- root beside the owner --------------------------------------------------------------------- */

typedef struct load {
  atomic_uint rounds, hits, failures;
  atomic_bool over;
} load;

static load *shared_load;

/* Puts and gets until it is told to end; nothing may go wrong meanwhile. */
static int works_all_the_time(const char *dir) {
  nxc_cache *c = test_open(dir);
  for (unsigned i = 0; !atomic_load(&shared_load->over); i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "%u", i % 50);
    int rc = test_put(c, key, key, NULL);
    if (rc != NXC_OK && rc != NXC_BORN_DEAD) atomic_fetch_add(&shared_load->failures, 1);
    test_answer a = test_get(c, key);
    if (a.result == NXC_OK) atomic_fetch_add(&shared_load->hits, 1);
    if (a.result == NXC_OK && strcmp(a.value, key) != 0)
      atomic_fetch_add(&shared_load->failures, 1);
    atomic_fetch_add(&shared_load->rounds, 1);
  }
  NEED(test_error_count == 0);
  NEED(test_stats(c).disk == 1);
  nxc_close(c);
  return 0;
}

static int clears_in_vain(const char *dir) {
  nxc_cache *c = test_open(dir);
  NEED(strstr(test_error_last, "belongs to uid"));
  NEED(nxc_clear(c) == NXC_E_IO); /* says that it reached nobody */
  nxc_close(c);
  return 0;
}

static int clears(const char *dir) {
  nxc_cache *c = test_open(dir);
  NEED(nxc_clear(c) == NXC_OK);
  NEED(test_get(c, "kept").result == NXC_MISS);
  nxc_close(c);
  return 0;
}

static int puts_what_is_cleared(const char *dir) {
  nxc_cache *c = test_open(dir);
  NEED(test_put(c, "kept", "v", NULL) == NXC_OK);
  nxc_close(c);
  return 0;
}

static int still_has_it(const char *dir) {
  nxc_cache *c = test_open(dir);
  NEED(test_get(c, "kept").result == NXC_OK);
  nxc_close(c);
  return 0;
}

static void wait_for_rounds(unsigned more) {
  unsigned from = atomic_load(&shared_load->rounds);
  for (unsigned ms = 0; atomic_load(&shared_load->rounds) - from < more; ms++) {
    assert_true(ms < 30000);
    usleep(1000);
  }
}

/* Root is not the owner either: what it made would lock the owner out. So the library
 * refuses, and whoever clears as root takes the owner's uid first. */
static void clearing_as_root_under_load(void **state) {
  (void)state;
  need_root();
  char *dir = place(APP, APP, 0755);
  shared_load =
      mmap(NULL, sizeof *shared_load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(shared_load != MAP_FAILED);
  assert_int_equal(run_as(&app, puts_what_is_cleared, dir), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(become(&app) ? works_all_the_time(dir) : FORBIDDEN);
  wait_for_rounds(50);
  assert_int_equal(run_as(&root, clears_in_vain, dir), 0);
  assert_int_equal(run_as(&app, still_has_it, dir), 0);
  for (unsigned i = 0; i < 5; i++) {
    wait_for_rounds(20);
    assert_int_equal(run_as(&app, puts_what_is_cleared, dir), 0);
    assert_int_equal(run_as(&app, clears, dir), 0);
  }
  wait_for_rounds(100);
  atomic_store(&shared_load->over, true);
  assert_int_equal(test_wait(child), 0);
  assert_int_equal(atomic_load(&shared_load->failures), 0);
  assert_true(atomic_load(&shared_load->hits) * 2 > atomic_load(&shared_load->rounds));
  assert_int_equal(run_as(&app, uses_the_disk, dir), 0); /* nothing of root's is left there */
  assert_int_equal(munmap(shared_load, sizeof *shared_load), 0);
  place_remove(dir);
}

/* ---- a read-only root ----------------------------------------------------------------------------- */

static int on_a_read_only_root(const char *dir) {
  char path[256];
  if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      mount("volume", dir, "tmpfs", 0, "size=64m") ||
      mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)) {
    return FORBIDDEN;
  }
  NEED(mkdir("/nextcache-test", 0755) < 0 && errno == EROFS); /* it is one */
  NEED(lives_in_memory("/nextcache-test/cache") == 0);
  NEED(strstr(test_error_last, "Read-only"));
  (void)snprintf(path, sizeof path, "%s/some/cache", dir);
  NEED(uses_the_disk(path) == 0);
  /* And the writable one turned read-only, between two starts. */
  NEED(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  NEED(lives_in_memory(path) == 0);
  return 0;
}

static void skip_if_forbidden(int code, const char *what) {
  if (code != FORBIDDEN) return;
  print_message("# skipped: the kernel forbids %s\n", what);
  skip();
}

static void a_read_only_root_with_one_volume(void **state) {
  (void)state;
  need_root();
  char *dir = place(0, 0, 0755);
  int code = run_as(&root, on_a_read_only_root, dir);
  place_remove(dir);
  skip_if_forbidden(code, "mount namespaces");
  assert_int_equal(code, 0);
}

/* ---- two containers, one volume ----------------------------------------------------------------------- */

typedef struct message {
  char what; /* o)pen p)ut g)et r)emove m)ark s)tats */
  char key[16], value[16];
  uint64_t bound;
  int result;
  uint64_t puts;
  int told;
} message;

typedef struct container {
  pid_t outside; /* the process that waits for number 1 of the namespace */
  int socket;
} container;

static void obey(nxc_cache **cache, const char *dir, message *m) {
  switch (m->what) {
  case 'o': {
    nxc_options options = test_options(dir);
    options.disk_bytes = m->bound;
    nxc_close(*cache);
    m->result = nxc_open(cache, &options);
    m->told = test_error_count;
    break;
  }
  case 'p': m->result = test_put(*cache, m->key, m->value, (const char *const[]){"t", NULL}); break;
  case 'g': {
    test_answer answer = test_get(*cache, m->key);
    m->result = answer.result;
    (void)snprintf(m->value, sizeof m->value, "%.15s", answer.value);
    break;
  }
  case 'r': m->result = nxc_remove(*cache, slice(m->key)); break;
  case 'm': m->result = test_mark(*cache, "t", 0); break;
  default: {
    nxc_stats stats = test_stats(*cache);
    m->puts = test_sum(stats.puts);
    m->bound = stats.disk_limit_bytes;
  }
  }
}

static _Noreturn void live_in_container(const char *dir, int socket) {
  message m;
  nxc_cache *cache = NULL;
  if (getpid() != 1) _exit(1);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (read(socket, &m, sizeof m) == (ssize_t)sizeof m) {
    obey(&cache, dir, &m);
    if (write(socket, &m, sizeof m) != (ssize_t)sizeof m) break;
  }
  _exit(0);
}

/* A process that is number 1 of a namespace of its own. */
static container container_start(const char *dir) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  container c = {.outside = fork(), .socket = ends[0]};
  assert_true(c.outside >= 0);
  if (c.outside == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    if (unshare(CLONE_NEWPID)) _exit(FORBIDDEN);
    pid_t first = fork();
    if (first == 0) live_in_container(dir, ends[1]);
    _exit(first < 0 ? FORBIDDEN : test_wait(first));
  }
  close(ends[1]);
  return c;
}

static message ask(const container *c, message m) {
  assert_int_equal(write(c->socket, &m, sizeof m), sizeof m);
  assert_int_equal(read(c->socket, &m, sizeof m), sizeof m);
  return m;
}

static int container_end(container *c, int signal) {
  if (signal) kill(c->outside, signal); /* number 1 dies with it: PR_SET_PDEATHSIG */
  close(c->socket);
  return test_wait(c->outside);
}

static const char *value_in(const container *c, const char *key) {
  static message m;
  m = (message){.what = 'g'};
  (void)snprintf(m.key, sizeof m.key, "%s", key);
  m = ask(c, m);
  return m.result == NXC_MISS ? "" : m.value;
}

static message put_in(const container *c, const char *key, const char *value) {
  message m = {.what = 'p'};
  (void)snprintf(m.key, sizeof m.key, "%s", key);
  (void)snprintf(m.value, sizeof m.value, "%s", value);
  return ask(c, m);
}

static bool namespaces_are_allowed(void) {
  pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWPID) ? FORBIDDEN : 0);
  return test_wait(child) == 0;
}

/* Both are process number 1: nothing here may rest on process ids. */
static void two_containers_and_one_volume(void **state) {
  (void)state;
  need_root();
  if (!namespaces_are_allowed()) skip_if_forbidden(FORBIDDEN, "pid namespaces");
  char *dir = place(0, 0, 0755);
  container a = container_start(dir), b = container_start(dir);
  message opened = {.what = 'o', .bound = 8 * MB};
  assert_int_equal(ask(&a, opened).result, NXC_OK);
  assert_int_equal(ask(&b, opened).result, NXC_OK);
  for (unsigned i = 0; i < 200; i++) {
    const container *writer = i % 2 ? &a : &b, *reader = i % 2 ? &b : &a;
    char key[16], value[16];
    (void)snprintf(key, sizeof key, "%u", i % 7);
    (void)snprintf(value, sizeof value, "%u", i);
    assert_int_equal(put_in(writer, key, value).result, NXC_OK);
    assert_string_equal(value_in(reader, key), value); /* into its memory tier */
    message m = {.what = i % 3 ? 'm' : 'r'};
    if (i % 5 == 0) {
      (void)snprintf(m.key, sizeof m.key, "%s", key);
      assert_int_equal(ask(writer, m).result, NXC_OK);
      assert_string_equal(value_in(reader, key), "");
    }
  }
  /* Each counts in a row of its own, so nothing is lost, nor counted twice. */
  assert_int_equal(ask(&a, (message){.what = 's'}).puts, 200);
  assert_int_equal(ask(&b, (message){.what = 's'}).puts, 200);
  /* One that is alive is seen to be: the bound that it has open holds. */
  message wanted = {.what = 'o', .bound = 16 * MB};
  assert_int_equal(ask(&b, wanted).told, 1);
  assert_int_equal(ask(&b, (message){.what = 's'}).bound, 8 * MB);
  assert_string_equal(value_in(&b, "3"), value_in(&a, "3"));
  /* And one that was killed is not. */
  assert_int_equal(put_in(&a, "last", "word").result, NXC_OK);
  assert_int_equal(container_end(&a, SIGKILL), 128 + SIGKILL);
  for (unsigned ms = 0; ask(&b, wanted).told; ms++) { /* the kernel is taking it down */
    assert_true(ms < 30000);
    usleep(1000);
  }
  assert_int_equal(ask(&b, (message){.what = 's'}).bound, 16 * MB);
  assert_int_equal(ask(&b, (message){.what = 's'}).puts, 201);
  assert_int_equal(container_end(&b, 0), 0);
  place_remove(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tree_that_root_built),
      cmocka_unit_test(a_volume_of_a_group),
      cmocka_unit_test(a_volume_of_everybody),
      cmocka_unit_test(a_stranger_who_came_first),
      cmocka_unit_test(a_random_uid_in_group_0),
      cmocka_unit_test(clearing_as_root_under_load),
      cmocka_unit_test(a_read_only_root_with_one_volume),
      cmocka_unit_test(two_containers_and_one_volume),
  };
  world_in_memory();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
