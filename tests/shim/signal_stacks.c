// SPDX-License-Identifier: MIT
// Handlers on alternate stacks, of which each thread has its own, and handlers of faults that leave by siglongjmp.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "check.h"

static int ready;

static char* stack_low[3];
static int on_alternate;
static void where_am_i(int number) {
  char here;
  (void)number;
  for (int i = 0; i < 3; i++)
    if (stack_low[i] && &here > stack_low[i] && &here < stack_low[i] + SIGSTKSZ * 4) STORE(on_alternate, i + 1);
  stack_t now;
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK_EQ(now.ss_flags, SS_ONSTACK);
}
static void* use_alternate(void* arg) {
  int i = (int)(intptr_t)arg;
  stack_t none;
  CHECK_EQ(sigaltstack(NULL, &none), 0);
  CHECK_EQ(none.ss_flags, SS_DISABLE); /* not inherited */
  stack_low[i] = (char*)malloc((size_t)SIGSTKSZ * 4);
  stack_t stack = {.ss_sp = stack_low[i], .ss_size = (size_t)SIGSTKSZ * 4};
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  ADD(ready, 1);
  AWAIT(LOAD(ready) == 3);
  nap();
  static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&one);
  STORE(on_alternate, 0);
  pthread_kill(pthread_self(), SIGHUP);
  CHECK_EQ(LOAD(on_alternate), i + 1);
  pthread_mutex_unlock(&one);
  stack.ss_flags = SS_DISABLE;
  CHECK_EQ(sigaltstack(&stack, NULL), 0);
  return NULL;
}
static void alternates(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = where_am_i;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGHUP, &action, NULL);
  STORE(ready, 0);
  pthread_t t[3];
  for (intptr_t i = 0; i < 3; i++) t[i] = start(use_alternate, (void*)i);
  for (int i = 0; i < 3; i++) finish(t[i]);
  stack_t tiny = {.ss_sp = stack_low, .ss_size = 100};
  CHECK_ERR(sigaltstack(&tiny, NULL), ENOMEM);
  FACT("alternates");
}

static __thread sigjmp_buf out;
static __thread void* fault_address;
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)context;
  fault_address = info->si_addr;
  siglongjmp(out, number);
}
static void* fault_often(void* arg) {
  char* page = (char*)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (volatile int i = 0; i < 50; i++) {
    int number = sigsetjmp(out, 1);
    if (number == 0) {
      if (i % 10 == 9) nap();
      *(volatile char*)(page + i) = 1;
      CHECK(!"a fault");
    }
    CHECK_EQ(number, SIGSEGV);
    CHECK(fault_address == page + i);
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    CHECK_EQ(sigismember(&now, SIGSEGV), 0);
  }
  munmap(page, 4096);
  return arg;
}
static void faults(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, NULL);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(fault_often, NULL);
  fault_often(NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  signal(SIGSEGV, SIG_DFL);
  FACT("faults");
}

static void* all(void* arg) {
  faults();
  alternates();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  return end();
}
