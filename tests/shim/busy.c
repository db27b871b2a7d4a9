// SPDX-License-Identifier: MIT
// Threads that use the processor without ever calling anything, beside others that must get their turn.
#include <sched.h>
#include <signal.h>
#include <stdint.h>

#include "check.h"

static volatile int flag;
static int stop, ready;
static volatile unsigned long sink;

static void* raise_flag(void* arg) {
  if (arg) settle();
  flag = 1;
  return NULL;
}
static void spin_on_a_flag(void) {
  for (int i = 0; i < 5; i++) {
    flag = 0;
    pthread_t t = start(raise_flag, (void*)(intptr_t)(i % 2));
    while (!flag) {
    }
    finish(t);
  }
  FACT("spin on a flag");
}

static pthread_spinlock_t spin;
static void* spin_lock(void* arg) {
  pthread_spin_lock(&spin); /* held by a thread that sleeps */
  pthread_spin_unlock(&spin);
  return arg;
}
static void spin_locks(void) {
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_lock(&spin);
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start(spin_lock, NULL);
  for (int i = 0; i < 3; i++) settle();
  pthread_spin_unlock(&spin);
  for (int i = 0; i < 3; i++) finish(t[i]);
  FACT("spin locks");
}

static void* compute(void* arg) {
  double x = 1.0 + (double)(intptr_t)arg, wanted = 0;
  unsigned long n = 0;
  ADD(ready, 1);
  while (!LOAD(stop)) {
    double y = x; /* registers of the vector unit must survive being taken off the processor anywhere */
    for (int i = 0; i < 1000; i++) y = y * 0.5 + x;
    if (n++ == 0) wanted = y;
    if (y != wanted) CHECK(!"the same sum");
  }
  sink = n;
  return (void*)(intptr_t)(n > 0);
}
static void beside_sleepers(void) {
  STORE(stop, 0);
  STORE(ready, 0);
  pthread_t t[6];
  for (intptr_t i = 0; i < 6; i++) t[i] = start(compute, (void*)i);
  AWAIT(LOAD(ready) == 6);
  long beats = LOAD(check_beats);
  AWAIT(LOAD(check_beats) > beats + 3);
  int fds[2];
  char c;
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(read(fds[0], &c, 1), 1);
  close(fds[0]);
  close(fds[1]);
  STORE(stop, 1);
  for (int i = 0; i < 6; i++) CHECK_EQ((intptr_t)finish(t[i]), 1);
  FACT("beside sleepers");
}

static int turn;
static void* yielding(void* arg) {
  int me = (int)(intptr_t)arg;
  for (int i = 0; i < 1000; i++) {
    while (LOAD(turn) % 4 != me) sched_yield();
    ADD(turn, 1);
  }
  return NULL;
}
static void yields(void) {
  pthread_t t[4];
  for (intptr_t i = 0; i < 4; i++) t[i] = start(yielding, (void*)i);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("turns by sched_yield: %d", turn);
  STORE(flag, 0);
  pthread_t setter = start(raise_flag, (void*)1);
  while (!flag) sched_yield(); /* the setter sleeps: yields must let time pass for it */
  finish(setter);
  FACT("yield until a sleeper is back");
}

/* Busy in code that calls into libc but never blocks there. */
static void* libc_busy(void* arg) {
  char text[100];
  unsigned n = 0;
  ADD(ready, 1);
  while (!LOAD(stop)) {
    char* p = (char*)malloc(50 + n % 1000);
    snprintf(text, sizeof text, "%u %s %f", n, "text", n * 0.5);
    memcpy(p, text, 20);
    free(p);
    getpid();
    now_us();
    n++;
  }
  return arg;
}
static void in_libc(void) {
  STORE(stop, 0);
  STORE(ready, 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(libc_busy, NULL);
  AWAIT(LOAD(ready) == 4);
  for (int i = 0; i < 20; i++) {
    char* p = (char*)malloc(100);
    nap();
    free(p);
  }
  STORE(stop, 1);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("in libc");
}

/* A handler that spins until another thread has run. */
static int in_handler;
static void spin_in_handler(int number) {
  (void)number;
  STORE(in_handler, 1);
  while (!flag) {
  }
}
static void* flag_when_in_handler(void* arg) {
  AWAIT(LOAD(in_handler));
  flag = 1;
  return arg;
}
static void in_a_handler(void) {
  signal(SIGUSR1, spin_in_handler);
  flag = 0;
  pthread_t t = start(flag_when_in_handler, NULL);
  raise(SIGUSR1);
  finish(t);
  FACT("in a handler");
}

/* A lock that a thread computes under and gives up only when somebody has waited 5 ms for it in vain, and then sees taken
   before it asks again: CPython's way. Whoever waits for it must get it some day, beside two that compute without end. */
static struct {
  pthread_mutex_t m;
  pthread_cond_t free, taken;
  int locked, wanted, holder;
  unsigned long changes;
} interpreter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0};
static void take_interpreter(int me) {
  pthread_mutex_lock(&interpreter.m);
  while (interpreter.locked) {
    unsigned long before = interpreter.changes;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 5000000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
    if (pthread_cond_timedwait(&interpreter.free, &interpreter.m, &until) == ETIMEDOUT && interpreter.locked &&
        interpreter.changes == before) {
      STORE(interpreter.wanted, 1);
    }
  }
  interpreter.locked = 1;
  STORE(interpreter.wanted, 0);
  if (interpreter.holder != me) {
    interpreter.holder = me;
    interpreter.changes++;
  }
  pthread_cond_signal(&interpreter.taken);
  pthread_mutex_unlock(&interpreter.m);
}
static void drop_interpreter(int me) {
  pthread_mutex_lock(&interpreter.m);
  interpreter.locked = 0;
  pthread_cond_signal(&interpreter.free);
  while (LOAD(interpreter.wanted) && interpreter.holder == me) pthread_cond_wait(&interpreter.taken, &interpreter.m);
  pthread_mutex_unlock(&interpreter.m);
}
static void* interpret(void* arg) {
  int me = (int)(intptr_t)arg;
  take_interpreter(me);
  ADD(ready, 1);
  while (!LOAD(stop)) {
    if (LOAD(interpreter.wanted)) {
      drop_interpreter(me);
      take_interpreter(me);
    }
  }
  STORE(interpreter.wanted, 0);
  drop_interpreter(me);
  return arg;
}
static void one_more_interpreter(void) {
  STORE(stop, 0);
  STORE(ready, 0);
  pthread_t t[2];
  for (intptr_t i = 0; i < 2; i++) t[i] = start(interpret, (void*)(i + 1));
  AWAIT(LOAD(ready) == 2);
  for (int i = 0; i < 20; i++) {
    take_interpreter(3);
    drop_interpreter(3);
  }
  STORE(stop, 1);
  for (int i = 0; i < 2; i++) finish(t[i]);
  FACT("one more interpreter");
}

int main(void) {
  begin();
  spin_on_a_flag();
  spin_locks();
  beside_sleepers();
  yields();
  in_libc();
  in_a_handler();
  one_more_interpreter();
  return end();
}
