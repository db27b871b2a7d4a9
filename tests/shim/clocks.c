// SPDX-License-Identifier: MIT
// The processor time of other threads.
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

int main(void) {
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
  own_clock(NULL);
  finish(start(own_clock, NULL));
  FACT("own");
  STORE(stop, 1);
  finish(spinner);
  struct timespec gone;
  AWAIT(clock_gettime(clock, &gone) == -1); /* the kernel's thread ends a moment after it was joined */
  CHECK_ERR(clock_gettime(clock, &gone), EINVAL);
  CHECK_RC(clock_nanosleep(clock, 0, &some, NULL), EINVAL);
  FACT("gone");
  return end();
}
