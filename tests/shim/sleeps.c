// SPDX-License-Identifier: MIT
// Sleeping on every clock, what is left of an interrupted sleep, yields, and timers that send signals or make threads.
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "check.h"

static void plain(void) {
  struct timespec t = {0, 20000000}, bad = {0, 1000000000}, negative = {-1, 0}, zero = {0, 0}, past = {1, 0};
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(nanosleep(&t, NULL), 0));
  CHECK_TOOK(began, 20);
  CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
  CHECK_ERR(nanosleep(&negative, NULL), EINVAL);
  CHECK_EQ(nanosleep(&zero, NULL), 0);
  began = now_us();
  CHECK_EQ(usleep(15000), 0);
  CHECK_TOOK(began, 15);
  clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
  for (int i = 0; i < 4; i++) {
    began = now_us();
    CHECK_OTHERS_RAN(CHECK_RC(clock_nanosleep(clocks[i], 0, &t, NULL), 0));
    CHECK_TOOK(began, 20);
    began = now_us();
    struct timespec until;
    CHECK_OTHERS_RAN(until = in_ms(clocks[i], 20);
                     CHECK_RC(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL), 0));
    CHECK_TOOK(began, 19);
    CHECK_RC(clock_nanosleep(clocks[i], TIMER_ABSTIME, &past, NULL), 0);
    CHECK_RC(clock_nanosleep(clocks[i], 0, &bad, NULL), EINVAL);
  }
  CHECK_RC(clock_nanosleep(99, 0, &t, NULL), EINVAL);
  CHECK_RC(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EINVAL);
  for (int i = 0; i < 1000; i++) CHECK_EQ(sched_yield(), 0);
  FACT("plain");
}

static void* sleep_beside_others(void* arg) {
  struct timespec t = {0, (long)(intptr_t)arg * 1000000};
  long long began = now_us();
  CHECK_EQ(nanosleep(&t, NULL), 0);
  CHECK_TOOK(began, (intptr_t)arg);
  return NULL;
}

static int caught, ready, stop;
static void note(int number) {
  (void)number;
  ADD(caught, 1);
}
static void* interrupted(void* arg) {
  struct timespec t = {1000, 500}, left = {-1, -1};
  int kind = (int)(intptr_t)arg;
  errno = 0;
  ADD(ready, 1);
  long result = 0;
  if (kind == 0) result = nanosleep(&t, &left);
  if (kind == 1) result = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left);
  if (kind == 2) result = (long)sleep(1000);
  if (kind == 3) result = usleep(999000000);
  if (kind == 4) {
    t = in_ms(CLOCK_REALTIME, 1000000);
    result = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, &left);
    CHECK_EQ(left.tv_sec, -1);
  }
  if (kind < 2) CHECK(left.tv_sec >= 900 && left.tv_sec <= 1000);
  if (kind == 2) CHECK(result >= 900 && result <= 1000);
  FACT("kind %d interrupted: %ld %s", kind, kind == 2 ? 0 : result, check_error_name(errno));
  STORE(stop, 1);
  return NULL;
}
static void interruptions(void) {
  struct sigaction action = {0};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART; /* sleeps never restart */
  sigaction(SIGUSR1, &action, NULL);
  for (intptr_t kind = 0; kind < 5; kind++) {
    STORE(stop, 0);
    STORE(ready, 0);
    pthread_t t = start(interrupted, (void*)kind);
    AWAIT(LOAD(ready));
    AWAIT(({
      if (!LOAD(stop)) pthread_kill(t, SIGUSR1);
      LOAD(stop);
    }));
    finish(t);
  }
}

static void itimers(void) {
  STORE(caught, 0);
  signal(SIGALRM, note);
  struct itimerval every = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}}, now;
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
  AWAIT(LOAD(caught) >= 5);
  CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
  CHECK_EQ(now.it_interval.tv_usec, 5000);
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
  alarm(1000);
  CHECK(alarm(0) >= 900);
  FACT("itimers");
}

static int threads_made;
static void in_thread(union sigval value) {
  CHECK(!pthread_equal(pthread_self(), *(pthread_t*)value.sival_ptr));
  ADD(threads_made, 1);
}
static int value_seen, tid_seen;
static void with_info(int number, siginfo_t* info, void* context) {
  (void)context;
  if (number == SIGUSR2 && info->si_code == SI_TIMER) STORE(value_seen, info->si_value.sival_int);
  STORE(tid_seen, gettid());
}
static int target_tid;
static void* be_target(void* arg) {
  STORE(target_tid, gettid());
  AWAIT(LOAD(stop));
  return arg;
}
static void posix_timers(void) {
  pthread_t me = pthread_self();
  struct sigaction action = {0};
  action.sa_sigaction = with_info;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR2, &action, NULL);
  struct itimerspec every = {{0, 5000000}, {0, 5000000}}, once = {{0, 0}, {0, 5000000}}, left;
  timer_t timer;
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR2;
  event.sigev_value.sival_int = 4711;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &once, NULL), 0);
  AWAIT(LOAD(value_seen) == 4711);
  CHECK_EQ(timer_gettime(timer, &left), 0);
  CHECK_EQ(left.it_value.tv_sec + left.it_value.tv_nsec, 0);
  CHECK_EQ(timer_delete(timer), 0);
  FACT("SIGEV_SIGNAL");

  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = in_thread;
  event.sigev_value.sival_ptr = &me;
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &every, NULL), 0);
  AWAIT(LOAD(threads_made) >= 5);
  CHECK_EQ(timer_delete(timer), 0);
  FACT("SIGEV_THREAD");

  STORE(stop, 0);
  pthread_t t = start(be_target, NULL);
  AWAIT(LOAD(target_tid));
  STORE(tid_seen, 0);
  STORE(value_seen, 0);
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR2;
  event.sigev_value.sival_int = 4712;
  event._sigev_un._tid = LOAD(target_tid);
  CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  CHECK_EQ(timer_settime(timer, 0, &once, NULL), 0);
  AWAIT(LOAD(value_seen) == 4712);
  CHECK_EQ(LOAD(tid_seen), LOAD(target_tid));
  CHECK_EQ(timer_delete(timer), 0);
  STORE(stop, 1);
  finish(t);
  FACT("SIGEV_THREAD_ID");
}

static void* all(void* arg) {
  plain();
  interruptions();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  pthread_t t[10];
  for (intptr_t i = 0; i < 10; i++) t[i] = start(sleep_beside_others, (void*)((10 - i) * 10));
  for (int i = 0; i < 10; i++) finish(t[i]);
  itimers();
  posix_timers();
  return end();
}
