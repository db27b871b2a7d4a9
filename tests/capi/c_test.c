// SPDX-License-Identifier: MIT
// The C interface, by a program in C. Says which check failed, and exits with 1 then.
#include "weft/c.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ++failures;                                                     \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                 \
  } while (0)

static const int64_t ms = 1000000;
static weft_fiber* const nobody = NULL;

static void* add_one(void* number) {
  ++*(int*)number;
  return number;
}

static void results_come_by_join(void) {
  int number = 41;
  void* result = NULL;
  weft_fiber* fiber = nobody;
  const struct weft_attributes attributes = {.name = "adder", .stack_size = 1 << 20};
  CHECK(weft_spawn(&fiber, add_one, &number, &attributes) == 0);
  CHECK(number == 41);  // not before the caller waits
  CHECK(weft_join(fiber, &result, WEFT_NEVER) == 0);
  CHECK(result == &number && number == 42);
  CHECK(weft_run(add_one, &number, &result) == 0);
  CHECK(result == &number && number == 43);
  CHECK(weft_run(add_one, &number, NULL) == 0);
  CHECK(weft_spawn(NULL, add_one, &number, NULL) == 0);  // detached
  CHECK(weft_spawn(&fiber, add_one, &number, NULL) == 0);
  weft_detach(fiber);
  CHECK(weft_yield() == 0);
  CHECK(number == 46);
}

static void what_makes_no_sense_is_refused(void) {
  weft_fiber* fiber = nobody;
  CHECK(weft_spawn(&fiber, NULL, NULL, NULL) == -EINVAL);
  CHECK(fiber == nobody);
  CHECK(weft_run(NULL, NULL, NULL) == -EINVAL);
  const struct weft_attributes deep = {.stack_size = 1 << 30};
  int number = 0;
  CHECK(weft_spawn(&fiber, add_one, &number, &deep) == -EINVAL);
  CHECK(weft_spawn(&fiber, add_one, &number, &(struct weft_attributes){.stack_size = SIZE_MAX}) == -EINVAL);
  CHECK(fiber == nobody);
  CHECK(weft_spawn(&fiber, add_one, &number, &(struct weft_attributes){.stack_size = 1}) == 0);
  CHECK(weft_join(fiber, NULL, WEFT_NEVER) == 0);
  CHECK(number == 1);
  fiber = nobody;
  CHECK(weft_wait_fd(-1, POLLIN, WEFT_NEVER) == -EBADF);
  CHECK(weft_wait_fd(987654, POLLIN, WEFT_NEVER) == -EBADF);
  CHECK(weft_close(987654) == -EBADF);
  void* result = &result;
  CHECK(weft_join(NULL, &result, WEFT_NEVER) == -EINVAL);
  CHECK(result == &result);
  weft_cancel(NULL);
  weft_detach(NULL);
}

static void deadlines_are_points_and_never_overflow(void) {
  const weft_deadline before = weft_after(0);
  CHECK(before > 0);
  CHECK(weft_after(5 * ms) >= before + 5 * ms);
  CHECK(weft_after(INT64_MAX) == WEFT_NEVER);
  CHECK(weft_sleep(weft_after(2 * ms)) == 0);
  CHECK(weft_after(0) >= before + 2 * ms);
  CHECK(weft_sleep(0) == 0);  // long past
}

// What its calls have said, for the test to see.
struct sleeper {
  weft_fiber* self;
  int join_of_itself;
  int first;
  int second;
};

static void* sleep_twice(void* at) {
  struct sleeper* s = at;
  s->join_of_itself = weft_join(s->self, NULL, WEFT_NEVER);
  s->first = weft_sleep(WEFT_NEVER);
  s->second = weft_sleep(weft_after(ms));
  return s;
}

static void a_cancelled_call_says_so_once(void) {
  struct sleeper s = {.self = nobody, .first = 1, .second = 1};
  void* result = NULL;
  CHECK(weft_spawn(&s.self, sleep_twice, &s, NULL) == 0);
  do CHECK(weft_join(s.self, NULL, weft_after(ms)) == -ETIMEDOUT);
  while (s.join_of_itself == 0);
  CHECK(s.join_of_itself == -EDEADLK);
  weft_cancel(s.self);
  CHECK(weft_join(s.self, &result, WEFT_NEVER) == 0);
  CHECK(result == &s);
  CHECK(s.first == -ECANCELED && s.second == 0);
}

static void* yield_until_told(void* at) {
  int* const said = at;
  do {
    *said = weft_yield();
  } while (*said == 0);
  return NULL;
}

static void a_yield_is_a_cancellation_point(void) {
  int said = 0;
  weft_fiber* fiber = nobody;
  CHECK(weft_spawn(&fiber, yield_until_told, &said, NULL) == 0);
  CHECK(weft_yield() == 0);
  CHECK(said == 0);
  weft_cancel(fiber);
  CHECK(weft_join(fiber, NULL, WEFT_NEVER) == 0);
  CHECK(said == -ECANCELED);
}

static void one_cancelled_before_it_began_never_runs(void) {
  int number = 0;
  void* result = NULL;
  weft_fiber* fiber = nobody;
  CHECK(weft_spawn(&fiber, add_one, &number, NULL) == 0);
  weft_cancel(fiber);
  CHECK(weft_join(fiber, &result, WEFT_NEVER) == 0);
  CHECK(result == WEFT_CANCELED && number == 0);
}

struct waiter {
  weft_fiber* other;
  int fd;
  int said;
};

static void* wait_for_input(void* at) {
  struct waiter* w = at;
  w->said = weft_wait_fd(w->fd, POLLIN, WEFT_NEVER);
  return NULL;
}
static void* join_other(void* at) {
  struct waiter* w = at;
  w->said = weft_join(w->other, NULL, WEFT_NEVER);
  return NULL;
}

static void waits_for_descriptors(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  CHECK(weft_wait_fd(ends[0], POLLIN, weft_after(ms)) == -ETIMEDOUT);
  CHECK(weft_wait_fd(ends[1], POLLOUT, WEFT_NEVER) == POLLOUT);
  struct waiter two[2] = {{nobody, ends[0], 0}, {nobody, ends[0], 0}};
  weft_fiber* fibers[2];
  for (int i = 0; i < 2; ++i) CHECK(weft_spawn(&fibers[i], wait_for_input, &two[i], NULL) == 0);
  CHECK(weft_yield() == 0);
  CHECK(write(ends[1], "x", 1) == 1);
  for (int i = 0; i < 2; ++i) {
    CHECK(weft_join(fibers[i], NULL, WEFT_NEVER) == 0);
    CHECK(two[i].said == POLLIN);
  }
  CHECK(close(ends[1]) == 0);
  char c;
  CHECK(read(ends[0], &c, 1) == 1);
  CHECK((weft_wait_fd(ends[0], POLLIN, WEFT_NEVER) & POLLHUP) != 0);
  CHECK(close(ends[0]) == 0);
}

static void a_close_and_a_cancel_end_them(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct waiter w = {nobody, ends[0], 0};
  weft_fiber* fiber = nobody;
  CHECK(weft_spawn(&fiber, wait_for_input, &w, NULL) == 0);
  CHECK(weft_yield() == 0);
  weft_cancel(fiber);
  CHECK(weft_join(fiber, NULL, WEFT_NEVER) == 0);
  CHECK(w.said == -ECANCELED);
  CHECK(weft_spawn(&fiber, wait_for_input, &w, NULL) == 0);
  CHECK(weft_yield() == 0);
  CHECK(weft_close(ends[0]) == 0);
  CHECK(weft_join(fiber, NULL, WEFT_NEVER) == 0);
  CHECK(w.said == -EBADF);
  CHECK(close(ends[1]) == 0);
}

static void a_cancelled_join_leaves_the_other_alone(void) {
  struct sleeper s = {.self = nobody};
  CHECK(weft_spawn(&s.self, sleep_twice, &s, NULL) == 0);
  struct waiter w = {s.self, -1, 0};
  weft_fiber* joiner = nobody;
  CHECK(weft_spawn(&joiner, join_other, &w, NULL) == 0);
  CHECK(weft_yield() == 0);
  weft_cancel(joiner);
  CHECK(weft_join(joiner, NULL, WEFT_NEVER) == 0);
  CHECK(w.said == -ECANCELED);
  weft_cancel(s.self);
  CHECK(weft_join(s.self, NULL, WEFT_NEVER) == 0);
  CHECK(s.first == -ECANCELED);
}

int main(void) {
  results_come_by_join();
  what_makes_no_sense_is_refused();
  deadlines_are_points_and_never_overflow();
  a_cancelled_call_says_so_once();
  a_yield_is_a_cancellation_point();
  one_cancelled_before_it_began_never_runs();
  waits_for_descriptors();
  a_close_and_a_cancel_end_them();
  a_cancelled_join_leaves_the_other_alone();
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
