// SPDX-License-Identifier: MIT
// Guards of thread stacks: of each size, on stacks that had another one, with lightweight guards and without.
//
//     guards           as the kernel has it
//     guards mapped    as a kernel before 6.13: no lightweight guards; and many more threads than it could guard at one time
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "../no_lightweight_guards.h"
#include "check.h"

/* Asks the kernel, by a write from there. */
static int ask[2];
static int accessible(const char* at) {
  char byte;
  if (write(ask[1], at, 1) == 1) return (int)read(ask[0], &byte, 1);
  CHECK_EQ(errno, EFAULT);
  return 0;
}

static sigjmp_buf back;
static void on_fault(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static size_t wanted_guard;
static void* look(void* arg) {
  pthread_attr_t attr;
  void* bottom;
  size_t size, guard;
  CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
  CHECK_RC(pthread_attr_getstack(&attr, &bottom, &size), 0);
  CHECK_RC(pthread_attr_getguardsize(&attr, &guard), 0);
  CHECK_EQ(guard, wanted_guard);
  const char* lowest = bottom;
  for (size_t i = 0; i < (1u << 17); i += 4096) CHECK(accessible(lowest + i));
  for (size_t i = 4096; i <= guard; i += 4096) CHECK(!accessible(lowest - i));
  pthread_attr_destroy(&attr);
  if (guard != 0 && arg != NULL) {
    if (sigsetjmp(back, 1) == 0) {
      ((volatile char*)lowest)[-1] = 1;
      CHECK(!"a fault");
    }
  }
  return arg;
}

static void one(size_t size, size_t guard, void* (*run)(void*), void* arg) {
  pthread_attr_t attr;
  pthread_t t;
  pthread_attr_init(&attr);
  CHECK_RC(pthread_attr_setstacksize(&attr, size), 0);
  CHECK_RC(pthread_attr_setguardsize(&attr, guard), 0);
  wanted_guard = guard;
  CHECK_RC(pthread_create(&t, &attr, run, arg), 0);
  finish(t);
  pthread_attr_destroy(&attr);
}

static void* nothing(void* arg) { return arg; }

/* A program that protects some of its own stack for a while keeps what is in it. */
static void* protects(void* arg) {
  enum { page = 4096, pages = 8 };
  char room[page * (pages + 1)];
  char* mine = (char*)(((uintptr_t)room + page - 1) / page * page);
  memset(room, 7, sizeof room);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(mprotect(mine, page, i ? PROT_NONE : PROT_READ), 0);
    CHECK_EQ(accessible(mine), !i);
    CHECK_EQ(mprotect(mine, page, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(mine[0] + mine[page - 1], 14);
  }
  pthread_attr_t attr;
  void* bottom;
  size_t size;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &bottom, &size);
  pthread_attr_destroy(&attr);
  CHECK_EQ(mprotect(mine, (size_t)((char*)bottom + size - mine) / page * page, PROT_READ | PROT_WRITE), 0);
  CHECK_EQ(mine[0] + mine[page * pages - 1], 14);
  if (arg != NULL) CHECK_EQ(mprotect((char*)bottom + 10 * page, page, PROT_NONE), 0); /* and leaves it so */
  return arg;
}

int main(int argc, char** argv) {
  const int mapped = argc > 1 && strcmp(argv[1], "mapped") == 0;
  if (mapped) CHECK_EQ(refuse_lightweight_guards(), 0);
  begin();
  CHECK_EQ(pipe(ask), 0);
  CHECK(signal(SIGSEGV, on_fault) == SIG_DFL);
  /* libc keeps stacks of 40 MiB altogether for the next threads: the small ones are its to use anew, the large ones go back. */
  size_t sizes[] = {1 << 20, 64 << 20}, guards[] = {4096, 65536, 4096, 0, 16384, 8192, 1 << 18, 0, 4096};
  for (int turn = 0; turn < 3; turn++)
    for (int s = 0; s < 2; s++)
      for (size_t g = 0; g < sizeof guards / sizeof guards[0]; g++) {
        one(sizes[s], guards[g], look, &guards[g]);
        if (turn == 1) one(sizes[s], guards[g], protects, s ? &ask : NULL);
      }
  if (mapped)
    for (int i = 0; i < 30000; i++) one(64 << 20, 4096, nothing, NULL);
  for (int i = 0; i < 3; i++) one(64 << 20, 4096, look, &ask);
  FACT("guarded");
  return end();
}
