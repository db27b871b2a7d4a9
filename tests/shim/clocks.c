// SPDX-License-Identifier: MIT
// The processor time of other threads.
#include <signal.h>

#include "check.h"

static int stop;

static void* spin(void* arg) {
  while (!LOAD(stop)) {
  }
  return arg;
}

static long long read_clock(clockid_t clock) {
  struct timespec t = {-1, 0};
  CHECK_EQ(clock_gettime(clock, &t), 0);
  return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void* own_clock(void* arg) {
  clockid_t own;
  CHECK_RC(pthread_getcpuclockid(pthread_self(), &own), 0);
  long long before = read_clock(CLOCK_THREAD_CPUTIME_ID);
  long long now = read_clock(own);
  CHECK(before <= now && now <= read_clock(CLOCK_THREAD_CPUTIME_ID));
  struct timespec little = {0, 1000000};
  CHECK_RC(clock_nanosleep(own, 0, &little, NULL), EINVAL);
  return arg;
}

static int rung;
static void ring(int number) {
  (void)number;
  ADD(rung, 1);
}

/* A timer that counts the processor time of `clock`, and tells the process of it, or the thread `tid`. */
static void await_timer(clockid_t clock, int notify, pid_t tid) {
  struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGRTMIN};
  event._sigev_un._tid = tid;
  timer_t timer;
  STORE(rung, 0);
  if (timer_create(clock, &event, &timer) != 0) return check_failed(__FILE__, __LINE__, "timer_create: %m");
  struct itimerspec after = {.it_value = {0, 10000000}}, left;
  long long before = read_clock(clock);
  CHECK_EQ(timer_settime(timer, 0, &after, NULL), 0);
  AWAIT(LOAD(rung) == 1);
  CHECK(read_clock(clock) >= before + 10000000);
  CHECK_EQ(timer_gettime(timer, &left), 0);
  CHECK_EQ(left.it_value.tv_nsec, 0);
  CHECK_EQ(timer_delete(timer), 0);
}

int main(void) {
  struct sigaction action = {.sa_handler = ring, .sa_flags = SA_RESTART};
  sigaction(SIGRTMIN, &action, NULL);
  begin();
  pthread_t spinner = start(spin, NULL);
  clockid_t clock;
  CHECK_RC(pthread_getcpuclockid(spinner, &clock), 0);
  struct timespec resolution;
  CHECK_EQ(clock_getres(clock, &resolution), 0);
  long long first = read_clock(clock);
  AWAIT(read_clock(clock) > first);
  FACT("goes on");
  struct timespec some = {0, 20000000};
  long long before = read_clock(clock);
  CHECK_OTHERS_RAN(CHECK_RC(clock_nanosleep(clock, 0, &some, NULL), 0));
  CHECK(read_clock(clock) >= before + 20000000);
  FACT("slept");
  await_timer(clock, SIGEV_SIGNAL, 0);
  await_timer(clock, SIGEV_THREAD_ID, gettid());
  FACT("timers");
  own_clock(NULL);
  finish(start(own_clock, NULL));
  FACT("own");
  STORE(stop, 1);
  finish(spinner);
  struct timespec gone;
  AWAIT(clock_gettime(clock, &gone) == -1); /* the kernel's thread ends a moment after it was joined */
  CHECK_ERR(clock_gettime(clock, &gone), EINVAL);
  CHECK_RC(clock_nanosleep(clock, 0, &some, NULL), EINVAL);
  timer_t timer;
  CHECK_ERR(timer_create(clock, NULL, &timer), EINVAL);
  FACT("gone");
  return end();
}
