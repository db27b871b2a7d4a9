// SPDX-License-Identifier: MIT
// Handlers that change the context they return to, and masks whose last change decides what the kernel may deliver.
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "check.h"

static int handled, gate, step;

static void fail_call(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  ucontext_t* at = context;
  at->uc_mcontext.gregs[REG_RAX] = -ECANCELED;
  ADD(handled, 1);
}
static void skip_instruction(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  ucontext_t* at = context;
  at->uc_mcontext.gregs[REG_RIP] += 2;
  at->uc_mcontext.gregs[REG_RBX] = 4711;
  ADD(handled, 1);
}
static void block_more(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  ucontext_t* at = context;
  sigaddset(&at->uc_sigmask, SIGHUP);
  ADD(handled, 1);
}

static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  CHECK_EQ(sigaction(number, &action, NULL), 0);
}
static void mask_of(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  CHECK_RC(pthread_sigmask(how, &set, NULL), 0);
}

static void* pausing(void* arg) {
  ADD(gate, 1);
  CHECK_ERR(syscall(SYS_pause), ECANCELED);
  return arg;
}
static void in_a_call(void) {
  install(SIGUSR1, fail_call, 0);
  STORE(gate, 0);
  STORE(handled, 0);
  pthread_t t = start(pausing, NULL);
  AWAIT(LOAD(gate) == 1);
  settle();
  CHECK_RC(pthread_kill(t, SIGUSR1), 0);
  finish(t);
  CHECK_EQ(handled, 1);
  FACT("in a call");
}

static void* trapping(void* arg) {
  uint64_t rbx = 0, others[4] = {1, 2, 3, 4};
  __asm__ volatile("ud2" : "+b"(rbx), "+r"(others[0]), "+r"(others[1]), "+x"(others[2]) : : "memory");
  CHECK_EQ(rbx, 4711);
  CHECK_EQ(others[0] + others[1] + others[2], 6);
  return arg;
}
static void at_a_fault(void) {
  install(SIGILL, skip_instruction, 0);
  STORE(handled, 0);
  finish(start(trapping, NULL));
  install(SIGILL, skip_instruction, SA_ONSTACK);
  static char room[64 * 1024];
  const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  trapping(NULL);
  const stack_t none = {.ss_flags = SS_DISABLE};
  CHECK_EQ(sigaltstack(&none, NULL), 0);
  CHECK_EQ(handled, 2);
  FACT("at a fault");
}

static void* is_blocked_now(void* arg) {
  sigset_t set;
  raise(SIGUSR2);
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGHUP), 1);
  CHECK_EQ(sigismember(&set, SIGUSR2), 0);
  return arg;
}
static void the_mask(void) {
  install(SIGUSR2, block_more, 0);
  finish(start(is_blocked_now, NULL));
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGHUP), 0);
  FACT("the mask");
}

/* SIGTERM would end the process: from the moment that the last thread blocks it, it must wait. */
static void* blocking_in_turn(void* arg) {
  mask_of(SIG_UNBLOCK, SIGTERM);
  ADD(gate, 1);
  for (int i = 1; i <= 200; i++) {
    AWAIT(LOAD(step) == 2 * i - 1);
    mask_of(SIG_BLOCK, SIGTERM);
    CHECK_EQ(kill(getpid(), SIGTERM), 0);
    sigset_t set;
    CHECK_EQ(sigpending(&set), 0);
    CHECK_EQ(sigismember(&set, SIGTERM), 1);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int number = 0;
    CHECK_RC(sigwait(&set, &number), 0);
    CHECK_EQ(number, SIGTERM);
    mask_of(SIG_UNBLOCK, SIGTERM);
    STORE(step, 2 * i);
  }
  return arg;
}
static void the_last_to_block(void) {
  STORE(gate, 0);
  mask_of(SIG_BLOCK, SIGTERM);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    STORE(step, 0);
    threads[i] = start(blocking_in_turn, NULL);
    AWAIT(LOAD(gate) == i + 1);
    for (int turn = 1; turn <= 200; turn++) {
      STORE(step, 2 * turn - 1);
      AWAIT(LOAD(step) == 2 * turn);
    }
    finish(threads[i]);
  }
  mask_of(SIG_UNBLOCK, SIGTERM);
  FACT("the last to block");
}

int main(void) {
  the_last_to_block(); /* before there is a thread that blocks nothing */
  begin();
  in_a_call();
  at_a_fault();
  the_mask();
  return end();
}
