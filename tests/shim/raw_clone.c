// SPDX-License-Identifier: MIT
// Threads that a program makes by clone(2) itself, on stacks of its own, and with thread-local storage of its own or with their maker's
// (no CLONE_SETTLS); and a process that shares its memory and the maker's storage, as tracers of sanitizers do.
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { count = 20, stack_size = 1 << 16, storage = 1 << 16, turns = 50 };

// A child has no libc: it makes its system calls itself, from this program's text.
static long raw(long nr, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}

enum { own_storage = CLONE_SETTLS, makers_storage = 0 };

struct child {
  int told_parent, cleared; /* CLONE_PARENT_SETTID; CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID */
  int own, process, seen;
  unsigned ping, pong;
  long slept;
  char* memory;
};

static void wait_while(unsigned* word, unsigned value) {
  while (LOAD(*word) == value) raw(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, 0);
}
static void set(unsigned* word, unsigned value) {
  STORE(*word, value);
  raw(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0);
}

static int child_main(void* arg) {
  struct child* c = arg;
  c->own = (int)raw(SYS_gettid, 0, 0, 0, 0);
  c->process = (int)raw(SYS_getpid, 0, 0, 0, 0);
  c->seen = LOAD(c->cleared);
  struct timespec moment = {0, 1000000};
  c->slept = raw(SYS_nanosleep, (long)&moment, 0, 0, 0);
  for (unsigned turn = 1; turn <= turns; turn++) {
    wait_while(&c->ping, turn - 1);
    set(&c->pong, turn);
  }
  return 0;
}

static void make(struct child* c, int whose_storage) {
  c->memory = mmap(NULL, stack_size + storage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* What libc's own code behind the thread pointer reads there: the pointer to itself. */
  char* pointer = c->memory + stack_size + storage / 2;
  *(void**)pointer = pointer;
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | whose_storage |
                    CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  int tid = clone(child_main, c->memory + stack_size, flags, c, &c->told_parent, pointer, &c->cleared);
  CHECK(tid > 0);
  CHECK_EQ(c->told_parent, tid);
}

static void await_end(struct child* c) {
  for (int tid; (tid = LOAD(c->cleared)) != 0;) syscall(SYS_futex, &c->cleared, FUTEX_WAIT, tid, NULL);
  CHECK_EQ(c->own, c->told_parent);
  CHECK_EQ(c->seen, c->told_parent);
  CHECK_EQ(c->process, getpid());
  CHECK_EQ(c->slept, 0);
  CHECK_EQ(c->pong, turns);
  CHECK_EQ(munmap(c->memory, stack_size + storage), 0);
}

/* One of pthread's plays against each of the others. */
static void* play(void* arg) {
  struct child* c = arg;
  for (unsigned turn = 1; turn <= turns; turn++) {
    set(&c->ping, turn);
    wait_while(&c->pong, turn - 1);
  }
  return NULL;
}

/* Its stack and storage are given back to the system when it is joined: libc keeps no more than 40 MB. */
static void* make_and_end(void* arg) {
  make(arg, makers_storage);
  return NULL;
}

static void outlive_the_maker(void) {
  static struct child c;
  pthread_attr_t large;
  pthread_t maker;
  CHECK_RC(pthread_attr_init(&large), 0);
  CHECK_RC(pthread_attr_setstacksize(&large, 128 << 20), 0);
  CHECK_RC(pthread_create(&maker, &large, make_and_end, &c), 0);
  CHECK_RC(pthread_join(maker, NULL), 0);
  pthread_attr_destroy(&large);
  play(&c);
  await_end(&c);
  FACT("outlived its maker");
}

static int pipe_of_process[2];
static int process_main(void* arg) {
  struct child* c = arg;
  c->process = (int)raw(SYS_getpid, 0, 0, 0, 0);
  struct timespec moment = {0, 1000000};
  for (int i = 0; i < turns; i++) c->slept |= (int)raw(SYS_nanosleep, (long)&moment, 0, 0, 0);
  raw(SYS_write, pipe_of_process[1], (long)"done", 4, 0);
  return 7;
}

static void share_with_a_process(void) {
  static struct child c;
  char text[4];
  int status;
  c.memory = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(pipe(pipe_of_process), 0);
  pid_t pid = clone(process_main, c.memory + stack_size, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, &c);
  CHECK(pid > 0);
  CHECK_EQ(read(pipe_of_process[0], text, sizeof text), sizeof text);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(WEXITSTATUS(status), 7);
  CHECK_EQ(c.process, pid);
  CHECK_EQ(c.slept, 0);
  CHECK_EQ(munmap(c.memory, stack_size), 0);
  FACT("shared with a process");
}

int main(void) {
  static struct child children[count];
  static pthread_t players[count];
  begin();
  for (int round = 0; round < 3; round++) {
    memset(children, 0, sizeof children);
    for (int i = 0; i < count; i++) make(&children[i], i % 2 == 0 ? own_storage : makers_storage);
    for (int i = 0; i < count; i++) CHECK_EQ(syscall(SYS_tgkill, getpid(), children[i].told_parent, 0), 0);
    for (int i = 0; i < count; i++) players[i] = start(play, &children[i]);
    for (int i = 0; i < count; i++) finish(players[i]);
    for (int i = 0; i < count; i++) await_end(&children[i]);
    FACT("round %d", round);
  }
  CHECK_ERR(syscall(SYS_tgkill, getpid(), children[0].told_parent, 0), ESRCH);
  outlive_the_maker();
  share_with_a_process();
  return end();
}
