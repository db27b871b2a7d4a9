// SPDX-License-Identifier: MIT
// Machine code that keeps other things right below its stack pointer, as the code does that Erlang makes (there it is the heap
// of the running process): the ends of turns and signals leave them alone, as each handler has an alternate stack.
#include <signal.h>

#include "check.h"

enum { BELOW = 64 * 1024, ALTERNATE = 64 * 1024, ROUNDS = 20 };

struct bare {
  char below[BELOW]; /* nothing may be written here */
  long stack[8];
  int go_on;
  int signals;
  pthread_t thread;
};

static __thread struct bare* mine;
static void count(int number) {
  (void)number;
  ADD(mine->signals, 1);
}

/* With its stack pointer at `stack`, until `go_on` is set. */
static void spin_on_bare_stack(struct bare* b) {
  __asm__ volatile(
      "mov %%rsp, %%rbx\n\t"
      "mov %0, %%rsp\n"
      "1: pause\n\t"
      "cmpl $0, (%1)\n\t"
      "je 1b\n\t"
      "mov %%rbx, %%rsp"
      :
      : "r"(b->stack), "r"(&b->go_on)
      : "rbx", "memory", "cc");
}

/* On a hub of its own or not, it comes to this only when the spinning thread's turn has ended, again and again. */
static void* disturb(void* arg) {
  struct bare* b = (struct bare*)arg;
  for (int i = 1; i <= ROUNDS; i++) {
    nap();
    CHECK_RC(pthread_kill(b->thread, SIGUSR1), 0);
    AWAIT(LOAD(b->signals) == i);
  }
  STORE(b->go_on, 1);
  return NULL;
}

static void* run(void* arg) {
  struct bare* b = (struct bare*)calloc(1, sizeof *b);
  stack_t stack = {.ss_sp = malloc(ALTERNATE), .ss_size = ALTERNATE};
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  b->thread = pthread_self();
  mine = b;
  pthread_t other = start(disturb, b);
  spin_on_bare_stack(b);
  finish(other);
  int changed = 0;
  for (int i = 0; i < BELOW; i++) changed += b->below[i] != 0;
  CHECK_EQ(changed, 0);
  CHECK_EQ(b->signals, ROUNDS);
  void* const alternate = stack.ss_sp;
  stack.ss_flags = SS_DISABLE;
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  free(alternate);
  free(b);
  return arg;
}

int main(void) {
  begin();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  run(NULL);
  FACT("main");
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(run, NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("threads");
  return end();
}
