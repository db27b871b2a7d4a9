// SPDX-License-Identifier: MIT
// Stacks: small, big, the program's own; deep recursion; stacks that come back; what lies beyond them.
#include <alloca.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "check.h"

static volatile int always = 1;
static long recurse(long left) {
  volatile char frame[1000];
  frame[0] = (char)left;
  if (left <= 1200) return frame[0];
  if (left % 500000 < 1100) sched_yield();
  return always ? recurse(left - 1200) + frame[0] : 0;
}
static void* deep(void* arg) {
  recurse((long)(intptr_t)arg);
  return arg;
}
static void* sleeper(void* arg) {
  nap();
  char text[200];
  snprintf(text, sizeof text, "%p", arg);
  return arg;
}

static void with_size(size_t size, long depth) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  CHECK_RC(pthread_attr_setstacksize(&attr, size), 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK_RC(pthread_create(&t[i], &attr, depth ? deep : sleeper, (void*)depth), 0);
  for (int i = 0; i < 4; i++) CHECK_EQ((intptr_t)finish(t[i]), depth);
  pthread_attr_destroy(&attr);
  FACT("%zu bytes", size);
}

static char* own;
static size_t own_size = 256 * 1024;
static int gate;
static void* on_own(void* arg) {
  char here;
  CHECK(&here > own && &here < own + own_size);
  AWAIT(LOAD(gate));
  recurse(100000);
  return arg;
}
// Pages that a program gives back are zero, also those of its own stack. (nptl's own call at a thread's end is left undone.)
static void* give_back(void* arg) {
  memset(own, 1, 3 * 4096);
  CHECK_EQ(madvise(own, 2 * 4096, MADV_DONTNEED), 0);
  CHECK_EQ(own[0] + own[4096], 0);
  CHECK_EQ(own[2 * 4096], 1);
  return arg;
}
static void own_stack(void) {
  own = (char*)mmap(NULL, own_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 20; i++) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    CHECK_RC(pthread_attr_setstack(&attr, own, own_size), 0);
    pthread_t t;
    STORE(gate, i % 2);
    CHECK_RC(pthread_create(&t, &attr, on_own, NULL), 0);
    if (i % 2 == 0) {
      settle();
      STORE(gate, 1);
    }
    finish(t);
    memset(own, 0xee, own_size); /* it is ours again at once */
    pthread_attr_destroy(&attr);
  }
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  CHECK_RC(pthread_attr_setstack(&attr, own, own_size), 0);
  pthread_t t;
  CHECK_RC(pthread_create(&t, &attr, give_back, NULL), 0);
  finish(t);
  pthread_attr_destroy(&attr);
  munmap(own, own_size);
  FACT("own stack");
}

/* A guard of the asked size lies below; a fault in it is a SIGSEGV that a handler on another stack survives. */
static sigjmp_buf back;
static void on_fault(int number) { siglongjmp(back, number); }
static long bottomless(long n) {
  volatile char frame[2000];
  frame[n % 2000] = 1;
  return always ? bottomless(n + 1) + frame[0] : 0;
}
static void* overflow(void* arg) {
  stack_t alternate = {.ss_sp = malloc((size_t)SIGSTKSZ * 4), .ss_size = (size_t)SIGSTKSZ * 4};
  CHECK_EQ(sigaltstack(&alternate, NULL), 0);
  int number = sigsetjmp(back, 1);
  if (number == 0) bottomless(0);
  CHECK_EQ(number, SIGSEGV);
  alternate.ss_flags = SS_DISABLE;
  sigaltstack(&alternate, NULL);
  free(alternate.ss_sp);
  return arg;
}
static void overflows(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_fault;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, NULL);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 128 * 1024);
  for (int i = 0; i < 5; i++) {
    pthread_t t;
    CHECK_RC(pthread_create(&t, &attr, overflow, NULL), 0);
    finish(t);
  }
  finish(start(overflow, NULL));
  signal(SIGSEGV, SIG_DFL);
  FACT("overflows");
}

/* Stacks are clean enough: what a thread leaves is never somebody else's live data. */
static void* scribble(void* arg) {
  size_t size = 100000 + 1000 * (size_t)(intptr_t)arg;
  unsigned char* p = (unsigned char*)alloca(size);
  memset(p, (int)(intptr_t)arg, size);
  nap();
  for (size_t i = 0; i < size; i++)
    if (p[i] != (unsigned char)(intptr_t)arg) {
      CHECK(!"my own bytes");
      break;
    }
  return NULL;
}
static void reuse(void) {
  pthread_t t[32];
  for (int round = 0; round < 10; round++) {
    for (intptr_t i = 0; i < 32; i++) t[i] = start(scribble, (void*)i);
    for (int i = 0; i < 32; i++) finish(t[i]);
  }
  FACT("reuse");
}

int main(void) {
  begin();
  with_size((size_t)PTHREAD_STACK_MIN, 0);
  with_size((size_t)PTHREAD_STACK_MIN + 4096, 0);
  with_size(64 * 1024, 30000);
  with_size(1 << 20, 1000000);
  with_size(64 << 20, 60000000);
  finish(start(deep, (void*)(intptr_t)(8 * 1024 * 1024 - 200000)));
  recurse(6000000);
  FACT("deep");
  own_stack();
  reuse();
  overflows();
  return end();
}
