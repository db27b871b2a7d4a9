// SPDX-License-Identifier: MIT
// A program with coroutines of its own (makecontext, swapcontext) inside its threads: they block and are taken off the processor anywhere.
#include <stdint.h>
#include <ucontext.h>

#include "check.h"

enum { COROUTINES = 4, STACK = 64 * 1024 };
struct coroutines {
  ucontext_t main, each[COROUTINES];
  char* stacks[COROUTINES];
  int current, steps, fds[2];
};
static __thread struct coroutines* mine;

static void coroutine(void) {
  struct coroutines* c = mine;
  int me = c->current;
  char text[100];
  for (int i = 0; i < 20; i++) {
    snprintf(text, sizeof text, "%d %d", me, i);
    if (i % 5 == me) nap();
    if (i % 5 == (me + 1) % 5) {
      char byte;
      CHECK_EQ(write(c->fds[1], "x", 1), 1);
      CHECK_EQ(read(c->fds[0], &byte, 1), 1);
    }
    volatile unsigned busy = 0;
    while (busy < 20000) busy++;
    c->steps++;
    swapcontext(&c->each[me], &c->main);
    CHECK(mine == c && c->current == me);
  }
}

static void* run(void* arg) {
  struct coroutines c = {0};
  mine = &c;
  CHECK_EQ(pipe(c.fds), 0);
  for (int i = 0; i < COROUTINES; i++) {
    c.stacks[i] = (char*)malloc(STACK);
    getcontext(&c.each[i]);
    c.each[i].uc_stack.ss_sp = c.stacks[i];
    c.each[i].uc_stack.ss_size = STACK;
    c.each[i].uc_link = &c.main;
    makecontext(&c.each[i], coroutine, 0);
  }
  for (int round = 0; round < 20; round++)
    for (c.current = 0; c.current < COROUTINES; c.current++) swapcontext(&c.main, &c.each[c.current]);
  for (int i = 0; i < COROUTINES; i++) free(c.stacks[i]);
  close(c.fds[0]);
  close(c.fds[1]);
  (void)arg;
  return (void*)(intptr_t)c.steps;
}

int main(void) {
  begin();
  long sum = 0;
  pthread_t t[10];
  for (int i = 0; i < 10; i++) t[i] = start(run, NULL);
  sum += (long)(intptr_t)run(NULL);
  for (int i = 0; i < 10; i++) sum += (long)(intptr_t)finish(t[i]);
  FACT("steps %ld", sum);
  return end();
}
