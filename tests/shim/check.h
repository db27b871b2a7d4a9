// SPDX-License-Identifier: MIT
// check.h: what every program of this folder is written with.
//
// A program states facts on stdout, one line each, that are the same on every run (no time, pid, tid or address), and leaves
// with status 1 when one of its own checks fails. run_pair.py compares the run on the kernel's threads with the run on Weft's.
// Nothing waits for a fixed time: a thread that must see something polls for it with AWAIT, which gives up after ten seconds.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define ADD(x, v) __atomic_add_fetch(&(x), (v), __ATOMIC_SEQ_CST)

static int check_failures;

__attribute__((format(printf, 3, 4), unused)) static void check_failed(const char* file, int line, const char* format,
                                                                       ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const char* base = strrchr(file, '/');
  printf("FAILED %s:%d: %s\n", base ? base + 1 : file, line, text);
  fflush(stdout);
  ADD(check_failures, 1);
}

__attribute__((unused)) static const char* check_error_name(int error) {
  const char* name = error == 0 ? "0" : strerrorname_np(error);
  return name ? name : "?";
}

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) check_failed(__FILE__, __LINE__, "%s", #condition); \
  } while (0)

#define CHECK_EQ(got, wanted)                                                                                   \
  do {                                                                                                          \
    long long got_ = (long long)(got), wanted_ = (long long)(wanted);                                           \
    int error_ = errno;                                                                                         \
    if (got_ != wanted_)                                                                                        \
      check_failed(__FILE__, __LINE__, "%s is %lld (errno %s), not %lld", #got, got_, check_error_name(error_), \
                   wanted_);                                                                                    \
  } while (0)

/* A call that must fail with -1 and this errno. */
#define CHECK_ERR(call, wanted)                                                                             \
  do {                                                                                                      \
    errno = 0;                                                                                              \
    long long got_ = (long long)(call);                                                                     \
    int error_ = errno;                                                                                     \
    if (got_ != -1 || error_ != (wanted))                                                                   \
      check_failed(__FILE__, __LINE__, "%s gave %lld %s, not -1 %s", #call, got_, check_error_name(error_), \
                   check_error_name(wanted));                                                               \
  } while (0)

/* A call that returns its error (pthread_*). */
#define CHECK_RC(call, wanted)                                                                                         \
  do {                                                                                                                 \
    int got_ = (int)(call);                                                                                            \
    if (got_ != (wanted))                                                                                              \
      check_failed(__FILE__, __LINE__, "%s gave %s, not %s", #call, check_error_name(got_), check_error_name(wanted)); \
  } while (0)

__attribute__((unused)) static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

__attribute__((unused)) static long long now_ms(void) { return now_us() / 1000; }

__attribute__((unused)) static void nap(void) {
  struct timespec t = {0, 200000};
  nanosleep(&t, NULL);
}

/* Lets the other threads run for a while. Only to make it likely that a thread has got into its blocking call; no outcome
   may depend on it. */
__attribute__((unused)) static void settle(void) {
  struct timespec t = {0, 5000000};
  nanosleep(&t, NULL);
}

#define AWAIT(condition)                                                                        \
  ({                                                                                            \
    long long end_ = now_ms() + 60000;                                                          \
    int seen_;                                                                                  \
    while (!(seen_ = !!(condition)) && now_ms() < end_) nap();                                  \
    if (!seen_) check_failed(__FILE__, __LINE__, "waited a minute in vain for %s", #condition); \
    seen_;                                                                                      \
  })

/* A duration in ms that may be late (the machine is shared) but never early. */
#define CHECK_TOOK(started_us, at_least_ms)                                                        \
  do {                                                                                             \
    long long took_ = now_us() - (started_us), least_ = (long long)(at_least_ms)*1000;             \
    if (took_ < least_) check_failed(__FILE__, __LINE__, "took %lld us, not %lld", took_, least_); \
  } while (0)

#define FACT(...)        \
  do {                   \
    printf(__VA_ARGS__); \
    putchar('\n');       \
    fflush(stdout);      \
  } while (0)

__attribute__((unused)) static pthread_t start(void* (*run)(void*), void* arg) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, arg);
  if (error) {
    check_failed(__FILE__, __LINE__, "pthread_create: %s", check_error_name(error));
    exit(3);
  }
  return thread;
}

__attribute__((unused)) static void* finish(pthread_t thread) {
  void* result = NULL;
  int error = pthread_join(thread, &result);
  if (error) check_failed(__FILE__, __LINE__, "pthread_join: %s", check_error_name(error));
  return result;
}

/* Some time on the real clock, `ms` from now. */
__attribute__((unused)) static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_sec += ms / 1000;
  t.tv_nsec += ms % 1000 * 1000000;
  if (t.tv_nsec >= 1000000000) {
    t.tv_nsec -= 1000000000;
    t.tv_sec++;
  }
  return t;
}

/* A thread that only sleeps and counts: while it counts the process is not stuck. It also makes the process threaded. */
static long check_beats;
static int check_beat_stop;
static pthread_t check_beat_thread;

static void* check_beat(void* unused) {
  (void)unused;
  while (!LOAD(check_beat_stop)) {
    nap();
    ADD(check_beats, 1);
  }
  return NULL;
}

__attribute__((unused)) static void begin(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  check_beat_thread = start(check_beat, NULL);
}

/* That others run while `statement` blocks, which ends by its time alone: it is done again until one has, since a machine that
   is busy with other things may not give them a turn in so short a time. */
#define CHECK_OTHERS_RAN(...)                                 \
  do {                                                        \
    long long end_ = now_ms() + 60000;                        \
    long beats_;                                              \
    do {                                                      \
      beats_ = LOAD(check_beats);                             \
      __VA_ARGS__;                                            \
    } while (LOAD(check_beats) == beats_ && now_ms() < end_); \
    CHECK(LOAD(check_beats) != beats_);                       \
  } while (0)

__attribute__((unused)) static int end(void) {
  STORE(check_beat_stop, 1);
  finish(check_beat_thread);
  FACT(LOAD(check_failures) ? "failed" : "passed");
  return LOAD(check_failures) ? 1 : 0;
}
