/* test_stops.c - a process that stops inside an operation, at every place where it
 * touches what is shared, blocks nobody; and what it left behind, killed or resumed,
 * breaks no promise.
 *
 *   dry run    the operation is single-stepped, and each instruction that changes a
 *              word atomically, or calls the kernel, is noted
 *   then       for each of them, the first and the last time that the operation gets
 *              there: a new victim runs to just before it and is held there; others
 *              get, put, remove, mark, clear and open; the victim is killed, or goes on
 *
 * So "every" means each such instruction, not each of the times it is executed. Short
 * runs take a part of the places, kill at one half of them and resume at the other;
 * NXC_TEST_LONG does both everywhere. Only x86-64 code is understood here: elsewhere it
 * is skipped.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "engine.h"

#define PLACES 2000    /* at most */
#define SHORT_STOPS 24 /* of an operation, in a short run */
#define WATCHDOG_S 30
#define MOST_RETRIES 64 /* of all that the others do while the victim stands */
#define T(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- the world ---------------------------------------------------------------------------- */

/* Under "k", tagged "t", is "old"; "gone" was invalidated by the mark of "m0". */
typedef struct world {
  char *dir;
  nxc_cache *others; /* theirs, in this process */
} world;

typedef struct operation {
  const char *name;
  void (*prepare)(world *w); /* by the others, before */
  void (*run)(const world *w, nxc_cache *mine);
  bool opens; /* the victim begins without a handle */
  bool alone; /* and the others too */
} operation;

static struct seen { /* by the victim, when it went on */
  int result;
  char value[16];
} * seen;

static nxc_options options_of(const world *w) {
  nxc_options o = test_options(w->dir);
  o.tag_rows = 8; /* one bucket: the ninth tag takes a row from another */
  return o;
}

static nxc_cache *open_of(const world *w) {
  nxc_options o = options_of(w);
  return test_open_with(&o);
}

static void world_make(world *w, const operation *op) {
  w->dir = test_dir_make();
  w->others = open_of(w);
  assert_int_equal(test_put(w->others, "k", "old", T("t")), NXC_OK);
  assert_int_equal(test_put(w->others, "gone", "gone", T("m0")), NXC_OK);
  assert_int_equal(test_mark(w->others, "m0", 0), NXC_OK);
  op->prepare(w);
  if (!op->alone) return;
  nxc_close(w->others);
  w->others = NULL;
}

static void world_end(world *w) {
  nxc_close(w->others);
  test_dir_remove(w->dir);
}

/* ---- the operations ------------------------------------------------------------------------- */

static void nothing(world *w) {
  (void)w;
}

static void fill_rows(world *w) {
  for (unsigned i = 1; i < 8; i++) {
    char tag[8];
    (void)snprintf(tag, sizeof tag, "m%u", i);
    assert_int_equal(test_mark(w->others, tag, 0), NXC_OK);
  }
}

/* What it would copy, or not yet, is a matter of luck. */
static void no_mover(nxc_cache *c) {
  atomic_store(&c->engine->mover_busy, true);
}

/* The last segment is all but full, and what stands in the one that goes next was used. */
static void fill_ring(world *w) {
  static char body[200 << 10];
  no_mover(w->others);
  nxc_slice part = slice_of(body, sizeof body);
  for (unsigned i = 0; i < 40; i++) {
    char key[8];
    (void)snprintf(key, sizeof key, "f%u", i);
    nxc_record r = test_record(slice(key), &part);
    assert_int_equal(nxc_put(w->others, &r), NXC_OK);
  }
  (void)test_get(w->others, "k");
}

static void remove_all(world *w) {
  test_remove_tree(w->dir);
}

static void run_open(const world *w, nxc_cache *mine) {
  (void)mine;
  (void)open_of(w);
}

static void run_open_bound(const world *w, nxc_cache *mine) {
  nxc_options o = options_of(w);
  nxc_cache *c = NULL;
  (void)mine;
  o.disk_bytes = 12 * MB;
  seen->result = nxc_open(&c, &o);
}

static void run_get(const world *w, nxc_cache *mine) {
  (void)w;
  seen->result = test_get(mine, "k").result;
}

static void run_put(const world *w, nxc_cache *mine) {
  (void)w;
  seen->result = test_put(mine, "k", "new", T("t"));
}

/* Into a segment that has to be entered, and recycled, first. */
static void run_put_advancing(const world *w, nxc_cache *mine) {
  static char body[30 << 10];
  nxc_slice part = slice_of(body, sizeof body);
  nxc_record r = test_record(slice("k"), &part);
  (void)w;
  (void)memcpy(body, "new", 4);
  no_mover(mine);
  seen->result = nxc_put(mine, &r);
}

static void run_remove(const world *w, nxc_cache *mine) {
  (void)w;
  seen->result = nxc_remove(mine, slice("k"));
}

static void run_mark(const world *w, nxc_cache *mine) {
  (void)w;
  seen->result = test_mark(mine, "t", 0);
}

static void run_clear(const world *w, nxc_cache *mine) {
  (void)w;
  seen->result = nxc_clear(mine);
}

static bool keeps_all(void *arg, const nxc_entry *entry) {
  (void)arg;
  (void)entry;
  return true;
}

static void run_move(const world *w, nxc_cache *mine) {
  (void)w;
  nxc__ring_move(&mine->engine->store->ring, keeps_all, NULL);
}

static const operation operations[] = {
    {"open", nothing, run_open, true, false},
    {"open in an empty place", remove_all, run_open, true, true},
    {"open with another bound", nothing, run_open_bound, true, true},
    {"get", nothing, run_get, false, false},
    {"put", nothing, run_put, false, false},
    {"put into a new segment", fill_ring, run_put_advancing, false, false},
    {"remove", nothing, run_remove, false, false},
    {"mark", nothing, run_mark, false, false},
    {"mark that takes a row", fill_rows, run_mark, false, false},
    {"clear", nothing, run_clear, false, false},
    {"move", fill_ring, run_move, false, false},
};

/* ---- the victim ------------------------------------------------------------------------------- */

/* The tracer knows the operation's ends by their addresses. */
__attribute__((noinline)) static void begins(void) {
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void ends(void) {
  __asm__ volatile("nop" ::: "memory");
}

static _Noreturn void be_victim(const world *w, const operation *op) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  nxc_cache *mine = op->opens ? NULL : open_of(w);
  if (mine) (void)test_get(mine, "k"); /* something in its memory tier */
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(77);
  raise(SIGSTOP);
  begins();
  op->run(w, mine);
  ends();
  raise(SIGSTOP);
  /* A second handle of the same engine, where the operation opened one. */
  nxc_cache *again = open_of(w);
  test_answer a = test_get(again, "k");
  (void)snprintf(seen->value, sizeof seen->value, "%.15s", a.value);
  _exit(0);
}

/* ---- holding it ----------------------------------------------------------------------------------- */

static char context[200];

static void on_alarm(int unused) {
  (void)unused;
  (void)!write(STDERR_FILENO, "# hangs: ", 9);
  (void)!write(STDERR_FILENO, context, strlen(context));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(1);
}

#if defined(__x86_64__)

#include <sys/user.h>

typedef struct place {
  uintptr_t at;
  unsigned times;
} place;

static place places[PLACES];
static size_t place_count;

/* lock <anything>, xchg with memory, syscall. The victim was forked from here: its
 * code is where ours is. */
static bool touches_what_is_shared(uintptr_t at) {
  const unsigned char *code = (const unsigned char *)at;
  for (unsigned i = 0; i < 4; i++, code++) {
    if (*code == 0xf0) return true;
    bool prefix = *code == 0x66 || *code == 0xf2 || *code == 0xf3 || (*code & 0xf0) == 0x40;
    if (!prefix) break;
  }
  if (code[0] == 0x0f && code[1] == 0x05) return true;
  return (code[0] == 0x86 || code[0] == 0x87) && code[1] >> 6 != 3;
}

static void note_place(uintptr_t at) {
  size_t i = 0;
  while (i < place_count && places[i].at != at) i++;
  assert_true(i < PLACES);
  if (i == place_count) places[place_count++] = (place){at, 0};
  places[i].times++;
}

/* The signal that stopped it; 0: it ended. */
static int wait_for(pid_t victim) {
  int status;
  assert_int_equal(waitpid(victim, &status, 0), victim);
  return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static uintptr_t where_is(pid_t victim) {
  return (uintptr_t)ptrace(PTRACE_PEEKUSER, victim, offsetof(struct user_regs_struct, rip), NULL);
}

static void move_to(pid_t victim, uintptr_t at) {
  ptrace(PTRACE_POKEUSER, victim, offsetof(struct user_regs_struct, rip), at);
}

static pid_t start(const world *w, const operation *op) {
  pid_t victim = fork();
  assert_true(victim >= 0);
  if (victim == 0) be_victim(w, op);
  if (wait_for(victim) == SIGSTOP) return victim;
  print_message("# skipped: a process may not be traced here\n");
  skip();
  return 0;
}

static void finish(pid_t victim) {
  kill(victim, SIGKILL);
  while (wait_for(victim)) {}
}

/* Fills `places`. */
static void dry_run(const operation *op) {
  world w;
  bool inside = false;
  world_make(&w, op);
  place_count = 0;
  pid_t victim = start(&w, op);
  for (;;) {
    ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL);
    if (wait_for(victim) != SIGTRAP) break;
    uintptr_t at = where_is(victim);
    if (at == (uintptr_t)ends) break;
    if (inside && touches_what_is_shared(at)) note_place(at);
    inside |= at == (uintptr_t)begins;
  }
  finish(victim);
  world_end(&w);
}

/* Runs the victim to the n-th time that it comes to a place; false: it does not. */
static bool hold_at(pid_t victim, uintptr_t at, unsigned n) {
  long code = ptrace(PTRACE_PEEKTEXT, victim, at, NULL);
  long trap = (code & ~0xffL) | 0xcc;
  for (unsigned times = 0;;) {
    ptrace(PTRACE_POKETEXT, victim, at, trap);
    ptrace(PTRACE_CONT, victim, NULL, NULL);
    int signal = wait_for(victim);
    ptrace(PTRACE_POKETEXT, victim, at, code);
    if (signal != SIGTRAP || where_is(victim) != at + 1) return false;
    move_to(victim, at);
    if (++times == n) return true;
    ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL);
    if (wait_for(victim) != SIGTRAP) return false;
  }
}

/* ---- the others -------------------------------------------------------------------------------------- */

static bool is_one_of(const char *value, const char *const *allowed) {
  for (; *allowed; allowed++) {
    if (strcmp(value, *allowed) == 0) return true;
  }
  return false;
}

static void key_holds(nxc_cache *c, const char *key, const char *const *allowed) {
  test_answer a = test_get(c, key);
  const char *value = a.result == NXC_MISS ? "" : a.value;
  if (is_one_of(value, allowed)) return;
  fail_msg("%s: under %s is '%s'", context, key, value);
}

/* A mark that is under way may still hit what is born now, once. */
static void put_surely(nxc_cache *c, const char *key, const char *value, const char *tag) {
  int rc = test_put(c, key, value, T(tag));
  if (rc == NXC_BORN_DEAD) rc = test_put(c, key, value, T(tag));
  if (rc != NXC_OK) fail_msg("%s: put of %s: %s", context, key, nxc_strerror(rc));
}

static void expect_ok(const char *what, int rc) {
  if (rc != NXC_OK) fail_msg("%s: %s: %s", context, what, nxc_strerror(rc));
}

/* A process that arrives now finds what was put before it came. */
static void newcomer(const world *w) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    nxc_cache *c = open_of(w);
    bool good = strcmp(test_get(c, "k").value, "mine") == 0;
    good = good && test_put(c, "n", "newcomer", NULL) == NXC_OK;
    nxc_close(c);
    _exit(good ? 0 : 1);
  }
  if (test_wait(child)) fail_msg("%s: a newcomer failed", context);
}

/* Everything, while the victim stands; how often they had to try again. */
static uint64_t use_all(world *w, bool clears, const char *const *before) {
  if (!w->others) w->others = open_of(w);
  nxc_cache *c = w->others;
  uint64_t retries = test_stats(c).retries;
  key_holds(c, "k", before);
  key_holds(c, "gone", T(""));
  put_surely(c, "k", "mine", "t");
  key_holds(c, "k", T("mine"));
  put_surely(c, "r", "r", "x");
  expect_ok("remove", nxc_remove(c, slice("r")));
  key_holds(c, "r", T(""));
  put_surely(c, "x", "x", "x");
  expect_ok("mark", test_mark(c, "x", 0));
  key_holds(c, "x", T(""));
  if (clears) {
    expect_ok("clear", nxc_clear(c));
    key_holds(c, "k", T(""));
    put_surely(c, "k", "mine", "t");
  }
  newcomer(w);
  key_holds(c, "n", T("newcomer"));
  key_holds(c, "k", T("mine"));
  key_holds(c, "gone", T(""));
  retries = test_stats(c).retries - retries;
  if (retries > MOST_RETRIES) fail_msg("%s: %u retries", context, (unsigned)retries);
  return retries;
}

/* What the victim was about to do overlaps with what the others did: it may take effect
 * or not, but nothing from before both comes back. */
static void go_on(world *w, pid_t victim) {
  ptrace(PTRACE_CONT, victim, NULL, NULL);
  if (wait_for(victim) != SIGSTOP) fail_msg("%s: the victim does not end", context);
  if (seen->result < 0 && seen->result != NXC_E_IO) {
    fail_msg("%s: it answered: %s", context, nxc_strerror(seen->result));
  }
  key_holds(w->others, "k", T("mine", "new", ""));
  key_holds(w->others, "gone", T(""));
  put_surely(w->others, "k", "last", "t");
  ptrace(PTRACE_CONT, victim, NULL, NULL);
  if (wait_for(victim) != 0) fail_msg("%s: the victim stops", context);
  assert_string_equal(seen->value, "last"); /* it follows, and nobody waited for it */
}

static int64_t steady_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

typedef struct tally {
  unsigned held, missed;
  int64_t longest_ms;
  uint64_t retries; /* most */
} tally;

static void stop_once(const operation *op, const place *p, bool last, bool kills, tally *t) {
  world w;
  memset(seen, 0, sizeof *seen);
  (void)snprintf(context, sizeof context, "%s, stopped before %#lx for the %s time, then %s",
                 op->name, (unsigned long)p->at, last ? "last" : "first",
                 kills ? "killed" : "resumed");
  alarm(WATCHDOG_S);
  world_make(&w, op);
  pid_t victim = start(&w, op);
  bool held = hold_at(victim, p->at, last ? p->times : 1);
  if (!held) {
    t->missed++;
    finish(victim);
  } else {
    int64_t begin = steady_ms();
    t->held++;
    uint64_t retries = use_all(&w, t->held % 3 == 0, T("old", "new", ""));
    if (retries > t->retries) t->retries = retries;
    if (steady_ms() - begin > t->longest_ms) t->longest_ms = steady_ms() - begin;
    if (kills) {
      finish(victim);
      (void)use_all(&w, false, T("mine"));
    } else {
      go_on(&w, victim);
    }
  }
  world_end(&w);
  alarm(0);
}

static void an_operation_that_stops(void **state) {
  const operation *op = *state;
  bool is_long = getenv("NXC_TEST_LONG") != NULL;
  size_t stops = 0;
  tally t = {0};
  signal(SIGALRM, on_alarm);
  dry_run(op);
  for (size_t i = 0; i < place_count; i++) stops += places[i].times > 1 ? 2 : 1;
  size_t stride = is_long ? 1 : (stops + SHORT_STOPS - 1) / SHORT_STOPS, n = 0;
  for (size_t i = 0; i < place_count; i++) {
    for (unsigned last = 0; last < (places[i].times > 1 ? 2 : 1); last++, n++) {
      if (n % stride) continue;
      bool kills = n / stride % 2;
      stop_once(op, &places[i], last, kills, &t);
      if (is_long) stop_once(op, &places[i], last, !kills, &t);
    }
  }
  print_message("# %s: held %u times at %zu places, %u not reached again; the others took at most "
                "%d ms, and %u retries\n",
                op->name, t.held, place_count, t.missed, (int)t.longest_ms, (unsigned)t.retries);
  /* The clock decides some of them; most must come again, or this proves nothing. */
  assert_true(t.held > 2 && t.held > 4 * t.missed);
}

#else

static void an_operation_that_stops(void **state) {
  (void)state;
  (void)be_victim;
  (void)on_alarm;
  (void)world_end;
  print_message("# skipped: only x86-64 code is understood here\n");
  skip();
}

#endif

int main(void) {
  struct CMUnitTest tests[COUNT_OF(operations)];
  char *names[COUNT_OF(operations)];
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
  test_clock_set(TEST_EPOCH_MS);
  seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(seen != MAP_FAILED);
  for (size_t i = 0; i < COUNT_OF(operations); i++) {
    if (asprintf(&names[i], "stopped inside: %s", operations[i].name) < 0) return 2;
    tests[i] = (struct CMUnitTest){names[i], an_operation_that_stops, NULL, NULL,
                                   (void *)(uintptr_t)&operations[i]};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
