// SPDX-License-Identifier: MIT
// futex_waitv (Linux 5.16) and the calls of Linux 6.7: which word woke, time-outs, errors, words of other processes.
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { nr_waitv = 449, nr_wake = 454, nr_wait = 455, nr_requeue = 456, size_32 = 2 };

static unsigned flags = size_32 | FUTEX_PRIVATE_FLAG;
static int op_flags = FUTEX_PRIVATE_FLAG;

static long waitv(struct futex_waitv* words, unsigned count, const struct timespec* until, clockid_t clock) {
  return syscall(nr_waitv, words, count, 0, until, clock);
}
static long wake(unsigned* word, int count) {
  return syscall(SYS_futex, word, FUTEX_WAKE | op_flags, count, NULL, NULL, 0);
}
static struct futex_waitv at(unsigned* word, unsigned value) {
  return (struct futex_waitv){.val = value, .uaddr = (uintptr_t)word, .flags = flags};
}

static unsigned words[FUTEX_WAITV_MAX + 1];
static long woken_index;
static int woken_error, woken_count;
static void* wait_for_all(void* arg) {
  struct futex_waitv v[FUTEX_WAITV_MAX];
  unsigned count = (unsigned)(uintptr_t)arg;
  for (unsigned i = 0; i < count; i++) v[i] = at(&words[i], 0);
  errno = 0;
  woken_index = waitv(v, count, NULL, 0);
  woken_error = errno;
  ADD(woken_count, 1);
  return NULL;
}

static void one_of_many(unsigned count) {
  const unsigned chosen[] = {0, count / 2, count - 1};
  for (size_t i = 0; i < 3; i++) {
    pthread_t t = start(wait_for_all, (void*)(uintptr_t)count);
    AWAIT(wake(&words[chosen[i]], 5) == 1);
    finish(t);
    CHECK_EQ(woken_index, chosen[i]);
    for (unsigned k = 0; k < count; k++) CHECK_EQ(wake(&words[k], 5), 0); /* it waits nowhere any more */
  }
  FACT("one of %u", count);
}

/* Each wake is for one of them, and none is lost: as many wakes that found somebody as waits that ended. */
static void* several(void* arg) {
  for (int i = 0; i < 200; i++) wait_for_all((void*)3);
  return arg;
}
static void counted(void) {
  STORE(woken_count, 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(several, NULL);
  long wakes = 0;
  long long end = now_ms() + 60000;
  for (unsigned i = 0; LOAD(woken_count) < 800 && now_ms() < end; i++) {
    wakes += wake(&words[i % 3], 1);
    if (i % 16 == 0) sched_yield();
  }
  for (int i = 0; i < 4; i++) finish(t[i]);
  CHECK(wakes >= 800); /* two of its words may be woken before it has left */
  FACT("counted %d", woken_count);
}

static void moved(void) {
  static unsigned other;
  pthread_t t = start(wait_for_all, (void*)2);
  AWAIT(syscall(SYS_futex, &words[1], FUTEX_CMP_REQUEUE | op_flags, 0, (void*)1, &other, 0) == 1);
  CHECK_EQ(wake(&words[1], 1), 0);
  CHECK_EQ(wake(&other, 1), 1);
  finish(t);
  FACT("moved: %ld", woken_index);
}

static void timeouts(void) {
  struct futex_waitv v[2] = {at(&words[0], 0), at(&words[1], 0)};
  struct timespec past = {1, 0}, bad = {0, 1000000000}, until = in_ms(CLOCK_MONOTONIC, 20);
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(waitv(v, 2, &until, CLOCK_MONOTONIC), ETIMEDOUT));
  CHECK_TOOK(began, 19);
  began = now_us();
  until = in_ms(CLOCK_REALTIME, 20);
  CHECK_ERR(waitv(v, 2, &until, CLOCK_REALTIME), ETIMEDOUT);
  CHECK_TOOK(began, 19);
  CHECK_ERR(waitv(v, 2, &past, CLOCK_MONOTONIC), ETIMEDOUT);
  CHECK_ERR(waitv(v, 2, &past, CLOCK_BOOTTIME), EINVAL);
  CHECK_ERR(waitv(v, 2, &bad, CLOCK_MONOTONIC), EINVAL);
  words[1] = 1;
  CHECK_ERR(waitv(v, 2, NULL, 0), EAGAIN);
  words[1] = 0;
  CHECK_EQ(wake(&words[0], 1), 0);
  FACT("timeouts");
}

static void errors(void) {
  void* page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct futex_waitv v[2] = {at(&words[0], 0), at(&words[1], 0)};
  CHECK_ERR(waitv(v, 0, NULL, 0), EINVAL);
  CHECK_ERR(waitv(v, FUTEX_WAITV_MAX + 1, NULL, 0), EINVAL);
  CHECK_ERR(waitv(NULL, 1, NULL, 0), EINVAL);
  CHECK_ERR(waitv(page, 1, NULL, 0), EFAULT);
  CHECK_ERR(waitv(v, 2, page, CLOCK_MONOTONIC), EFAULT);
  CHECK_ERR(syscall(nr_waitv, v, 2, 1, NULL, 0), EINVAL);
  v[1].uaddr++;
  CHECK_ERR(waitv(v, 2, NULL, 0), EINVAL);
  v[1].uaddr = (uintptr_t)page;
  CHECK_ERR(waitv(v, 2, NULL, 0), EFAULT);
  v[1] = at(&words[1], 0);
  v[1].flags = FUTEX_PRIVATE_FLAG | 64;
  CHECK_ERR(waitv(v, 2, NULL, 0), EINVAL);
  v[1] = at(&words[1], 0);
  v[1].__reserved = 1;
  CHECK_ERR(waitv(v, 2, NULL, 0), EINVAL);
  CHECK_EQ(wake(&words[0], 1), 0);
  munmap(page, 4096);
  FACT("errors");
}

static void on_signal(int number) { (void)number; }
static void interrupted(void) {
  for (int restarts = 0; restarts < 2; restarts++) {
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0};
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    STORE(woken_count, 0);
    pthread_t t = start(wait_for_all, (void*)2);
    /* Those that come before it waits are handled and forgotten. */
    long long end = now_ms() + 60000;
    for (int i = 0; !LOAD(woken_count) && (restarts ? i < 10 : now_ms() < end); i++) {
      CHECK_RC(pthread_kill(t, SIGUSR1), 0);
      settle();
    }
    AWAIT(LOAD(woken_count) || wake(&words[1], 1) == 1);
    finish(t);
    FACT("a signal: %ld %s", woken_index, check_error_name(woken_error));
  }
}

/* Words that another process wakes. */
static void across_processes(void) {
  unsigned* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  static unsigned mine;
  pid_t pid = fork();
  if (pid == 0) {
    long n = 0;
    for (long long stop = now_ms() + 60000; n < 1 && now_ms() < stop; nap())
      n += syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0);
    _exit((int)n);
  }
  struct futex_waitv v[2] = {at(&mine, 0), at(shared, 0)};
  v[1].flags = size_32;
  CHECK_EQ(waitv(v, 2, NULL, 0), 1);
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("across processes: status %x", status);
  munmap(shared, 4096);
}

static int ended;
static void* wait_alone(void* arg) {
  CHECK_EQ(syscall(nr_wait, &words[0], 0ul, (unsigned long)(uintptr_t)arg, flags, NULL, 0), 0);
  ADD(ended, 1);
  return NULL;
}
static void single_calls(void) {
  struct timespec until = in_ms(CLOCK_MONOTONIC, 20), late = in_ms(CLOCK_REALTIME, 20);
  CHECK_ERR(syscall(nr_wait, words, 1ul, ~0u + 0ul, flags, NULL, 0), EAGAIN);
  CHECK_ERR(syscall(nr_wait, words, 0ul, 0ul, flags, NULL, 0), EINVAL);
  CHECK_ERR(syscall(nr_wait, words, 1ul << 32, 1ul, flags, NULL, 0), EINVAL);
  CHECK_ERR(syscall(nr_wait, words, 0ul, 1ul, flags & ~(unsigned)size_32, NULL, 0), EINVAL);
  CHECK_OTHERS_RAN(CHECK_ERR(syscall(nr_wait, words, 0ul, 1ul, flags, &until, CLOCK_MONOTONIC), ETIMEDOUT));
  CHECK_ERR(syscall(nr_wait, words, 0ul, 1ul, flags, &late, CLOCK_REALTIME), ETIMEDOUT);
  CHECK_ERR(syscall(nr_wake, words, 0ul, 1, flags), EINVAL);
  CHECK_ERR(syscall(nr_wake, (char*)words + 1, 1ul, 1, flags), EINVAL);
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start(wait_alone, (void*)2);
  static unsigned other;
  struct futex_waitv both[2] = {at(&words[0], 0), at(&other, 0)};
  int moves = 0;
  AWAIT((moves += (int)syscall(nr_requeue, both, 0, 0, 3)) == 3);
  both[0].val = 1;
  CHECK_ERR(syscall(nr_requeue, both, 0, 0, 3), EAGAIN);
  CHECK_ERR(syscall(nr_requeue, both, 1, 0, 3), EINVAL);
  CHECK_EQ(syscall(nr_wake, words, 2ul, 3, flags), 0);
  CHECK_EQ(syscall(nr_wake, &other, 1ul, 3, flags), 0); /* no bit in common */
  CHECK_EQ(syscall(nr_wake, &other, 2ul, 0, flags), 0);
  CHECK_EQ(syscall(nr_wake, &other, 3ul, 2, flags), 2);
  CHECK_EQ(wake(&other, 5), 1);
  for (int i = 0; i < 3; i++) finish(t[i]);
  CHECK_EQ(ended, 3);
}

static void* without_wait(void* arg) {
  one_of_many(1);
  one_of_many(5);
  one_of_many(FUTEX_WAITV_MAX);
  return arg;
}

int main(void) {
  begin();
  struct futex_waitv probe = at(&words[0], 1);
  if (waitv(&probe, 1, NULL, 0) == -1 && errno == ENOSYS) return 77;
  without_wait(NULL);
  counted();
  moved();
  timeouts();
  errors();
  interrupted();
  across_processes();
  flags &= ~(unsigned)FUTEX_PRIVATE_FLAG;
  op_flags = 0;
  without_wait(NULL);
  interrupted();
  flags |= FUTEX_PRIVATE_FLAG;
  op_flags = FUTEX_PRIVATE_FLAG;
  int has_single_calls = syscall(nr_wake, words, 1ul, 1, flags) == 0 || errno != ENOSYS;
  if (has_single_calls) single_calls();
  return end();
}
