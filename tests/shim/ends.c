// SPDX-License-Identifier: MIT
// How a threaded process ends: run once for each argument; exit status, signal and what was still said are compared.
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "check.h"

static void said(void) { FACT("exit handler"); }

static void* sleeper(void* arg) {
  for (;;) sleep(1000);
  return arg;
}

static void* do_exit(void* arg) {
  settle();
  FACT("leaving");
  exit((int)(intptr_t)arg);
}
static void* do_quick(void* arg) { _exit((int)(intptr_t)arg); }
static void* do_abort(void* arg) {
  (void)arg;
  abort();
}
static void* do_fault(void* arg) {
  *(volatile int*)arg = 1;
  return NULL;
}
static void* do_raise(void* arg) {
  raise((int)(intptr_t)arg);
  return NULL;
}
static void* do_kill(void* arg) {
  kill(getpid(), (int)(intptr_t)arg);
  for (;;) pause();
  return NULL;
}
static void* do_divide(void* arg) {
  volatile int zero = arg != NULL, number = 7;
  return (void*)(intptr_t)(number / zero);
}
static void* do_trap(void* arg) {
  (void)arg;
  __builtin_trap();
}
static void* do_exit_thread(void* arg) {
  syscall(SYS_exit, 5);
  return arg;
}
static volatile int bottomless = 1;
static int deep(volatile char* above) {
  volatile char here[4096];
  here[0] = above[0];
  return bottomless ? deep(here) + here[0] : 0;
}
static void* do_overflow(void* arg) {
  (void)arg;
  volatile char c = 0;
  return (void*)(intptr_t)deep(&c);
}

/* However high the limit is: there is something below. */
static void do_blocked_overflow(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_STACK, &limit);
  uintptr_t below = ((uintptr_t)&limit - (2 << 20)) & ~(uintptr_t)4095;
  if (mmap((void*)below, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
    perror("mmap");
    _exit(5);
  }
  do_overflow(NULL);
}

static volatile int handled;
static void handle(int number) {
  handled = number;
  FACT("handled %d", number);
  signal(number, SIG_DFL);
}
static void leave_from_handler(int number) { _exit(number + 50); }

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "return";
  begin();
  atexit(said);
  start(sleeper, NULL);
  FACT("%s", how);
  if (!strcmp(how, "return")) return 3;
  if (!strcmp(how, "exit")) exit(4);
  if (!strcmp(how, "exit_group")) syscall(SYS_exit_group, 6);
  if (!strcmp(how, "thread_exits")) start(do_exit, (void*)7);
  if (!strcmp(how, "thread_quick")) start(do_quick, (void*)8);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "thread_aborts")) start(do_abort, NULL);
  if (!strcmp(how, "fault")) do_fault(NULL);
  if (!strcmp(how, "thread_faults")) start(do_fault, (void*)16);
  if (!strcmp(how, "thread_raises_term")) start(do_raise, (void*)SIGTERM);
  if (!strcmp(how, "thread_kills_int")) start(do_kill, (void*)SIGINT);
  if (!strcmp(how, "kill")) start(do_kill, (void*)SIGKILL);
  if (!strcmp(how, "usr1")) kill(getpid(), SIGUSR1);
  if (!strcmp(how, "divide")) start(do_divide, NULL);
  if (!strcmp(how, "trap")) start(do_trap, NULL);
  if (!strcmp(how, "overflow")) start(do_overflow, NULL);
  if (!strcmp(how, "main_overflow")) do_overflow(NULL);
  if (!strcmp(how, "blocked_overflow")) do_blocked_overflow();
  if (!strcmp(how, "handled_then_default")) {
    signal(SIGHUP, handle);
    raise(SIGHUP);
    CHECK_EQ(handled, SIGHUP);
    start(do_raise, (void*)SIGHUP);
  }
  if (!strcmp(how, "exit_in_handler")) {
    signal(SIGTERM, leave_from_handler);
    start(do_kill, (void*)SIGTERM);
  }
  if (!strcmp(how, "alarm")) alarm(1);
  if (!strcmp(how, "cpu_limit")) {
    struct rlimit limit = {1, 1};
    setrlimit(RLIMIT_CPU, &limit);
    for (volatile long i = 0;; i++) {
    }
  }
  if (!strcmp(how, "raw_thread_exit")) {
    finish(start(do_exit_thread, NULL));
    exit(9);
  }
  for (;;) pause();
}
