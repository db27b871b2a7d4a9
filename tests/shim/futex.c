// SPDX-License-Identifier: MIT
// The futex system call itself: every operation but the PI family, timeouts, errors, and waits shared with other processes.
#include <linux/futex.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static long futex(void* word, int op, unsigned value, const void* timeout, void* second, unsigned value3) {
  return syscall(SYS_futex, word, op, value, timeout, second, value3);
}

struct waiter {
  unsigned* word;
  int op;
  unsigned value, bits;
  long result;
  int error, done;
};

/* Waits until woken for good; a spurious EINTR is not expected as nobody sends signals. */
static void* wait_on(void* arg) {
  struct waiter* w = (struct waiter*)arg;
  errno = 0;
  w->result = futex(w->word, w->op, w->value, NULL, NULL, w->bits);
  w->error = errno;
  STORE(w->done, 1);
  return NULL;
}

static int flags;

static void wake_counts(void) {
  static unsigned word;
  struct waiter w[10];
  pthread_t t[10];
  for (int i = 0; i < 10; i++) {
    w[i] = (struct waiter){&word, FUTEX_WAIT | flags, 0, 0, -2, 0, 0};
    t[i] = start(wait_on, &w[i]);
  }
  int woken = 0;
  AWAIT((woken += (int)futex(&word, FUTEX_WAKE | flags, 3, NULL, NULL, 0)) >= 3);
  AWAIT((woken += (int)futex(&word, FUTEX_WAKE | flags, INT32_MAX, NULL, NULL, 0)) == 10);
  for (int i = 0; i < 10; i++) {
    finish(t[i]);
    CHECK_EQ(w[i].result, 0);
  }
  CHECK_EQ(futex(&word, FUTEX_WAKE | flags, 1, NULL, NULL, 0), 0);
  FACT("wake: %d", woken);
}

static void bitsets(void) {
  static unsigned word;
  struct waiter w[4];
  pthread_t t[4];
  for (unsigned i = 0; i < 4; i++) {
    w[i] = (struct waiter){&word, FUTEX_WAIT_BITSET | flags, 0, 1u << i, -2, 0, 0};
    t[i] = start(wait_on, &w[i]);
  }
  for (unsigned i = 4; i-- > 0;) {
    AWAIT(futex(&word, FUTEX_WAKE_BITSET | flags, 10, NULL, NULL, 1u << i) == 1);
    finish(t[i]);
    CHECK_EQ(w[i].result, 0);
    for (unsigned j = 0; j < i; j++) CHECK_EQ(LOAD(w[j].done), 0);
  }
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags, 0, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET | flags, 1, NULL, NULL, 0), EINVAL);
  FACT("bitsets");
}

static void requeue(void) {
  static unsigned first, second;
  struct waiter w[6];
  pthread_t t[6];
  for (int i = 0; i < 6; i++) {
    w[i] = (struct waiter){&first, FUTEX_WAIT | flags, 0, 0, -2, 0, 0};
    t[i] = start(wait_on, &w[i]);
  }
  /* CMP_REQUEUE counts the woken and the moved: nothing is woken until all six were moved. */
  int moved = 0;
  AWAIT((moved += (int)futex(&first, FUTEX_CMP_REQUEUE | flags, 0, (void*)10, &second, 0)) == 6);
  CHECK_EQ(futex(&first, FUTEX_WAKE | flags, 10, NULL, NULL, 0), 0);
  for (int i = 0; i < 6; i++) CHECK_EQ(LOAD(w[i].done), 0);
  CHECK_ERR(futex(&first, FUTEX_CMP_REQUEUE | flags, 1, (void*)10, &second, 77), EAGAIN);
  CHECK_EQ(futex(&second, FUTEX_CMP_REQUEUE | flags, 2, (void*)1, &first, 0), 3);
  CHECK_EQ(futex(&second, FUTEX_REQUEUE | flags, 1, (void*)1, &first, 0), 2);
  CHECK_EQ(futex(&second, FUTEX_WAKE | flags, 10, NULL, NULL, 0), 1);
  CHECK_EQ(futex(&first, FUTEX_WAKE | flags, 10, NULL, NULL, 0), 2);
  for (int i = 0; i < 6; i++) {
    finish(t[i]);
    CHECK_EQ(w[i].result, 0);
  }
  FACT("requeue");
}

static void wake_op(void) {
  static unsigned first, second;
  struct waiter w[2] = {{&first, FUTEX_WAIT | flags, 0, 0, -2, 0, 0}, {&second, FUTEX_WAIT | flags, 5, 0, -2, 0, 0}};
  second = 5;
  pthread_t t[2] = {start(wait_on, &w[0]), start(wait_on, &w[1])};
  int woken = 0;
  /* second += 0, and its waiter is woken if it was 5 */
  unsigned op = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 5);
  AWAIT((woken += (int)futex(&first, FUTEX_WAKE_OP | flags, 1, (void*)1, &second, op)) == 2);
  finish(t[0]);
  finish(t[1]);
  struct {
    unsigned op, argument, before, after;
  } cases[] = {{FUTEX_OP_SET, 9, 3, 9},    {FUTEX_OP_ADD, 2, 3, 5}, {FUTEX_OP_OR, 4, 3, 7},
               {FUTEX_OP_ANDN, 1, 3, 2},   {FUTEX_OP_XOR, 5, 3, 6}, {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, 3, 19},
               {FUTEX_OP_ADD, 0xfff, 3, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    second = cases[i].before;
    CHECK_EQ(futex(&first, FUTEX_WAKE_OP | flags, 1, (void*)1, &second,
                   FUTEX_OP(cases[i].op, cases[i].argument, FUTEX_OP_CMP_GT, 0)),
             0);
    CHECK_EQ(second, cases[i].after);
  }
  FACT("wake_op");
}

static void timeouts(void) {
  static unsigned word;
  struct timespec relative = {0, 20000000}, bad = {0, 1000000000}, negative = {-1, 0}, zero = {0, 0}, past = {1, 0};
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(futex(&word, FUTEX_WAIT | flags, 0, &relative, NULL, 0), ETIMEDOUT));
  CHECK_TOOK(began, 20);
  CHECK_ERR(futex(&word, FUTEX_WAIT | flags, 0, &zero, NULL, 0), ETIMEDOUT);
  CHECK_ERR(futex(&word, FUTEX_WAIT | flags, 0, &bad, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAIT | flags, 0, &negative, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAIT | flags, 1, &relative, NULL, 0), EAGAIN);
  began = now_us();
  struct timespec until = in_ms(CLOCK_MONOTONIC, 20);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags, 0, &until, NULL, ~0u), ETIMEDOUT);
  CHECK_TOOK(began, 19);
  began = now_us();
  until = in_ms(CLOCK_REALTIME, 20);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags | FUTEX_CLOCK_REALTIME, 0, &until, NULL, ~0u), ETIMEDOUT);
  CHECK_TOOK(began, 19);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags, 0, &past, NULL, ~0u), ETIMEDOUT);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0u), ETIMEDOUT);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | flags, 3, &past, NULL, ~0u), EAGAIN);
  FACT("timeouts");
}

static void errors(void) {
  static unsigned words[2];
  char* page = (char*)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_ERR(futex((char*)words + 1, FUTEX_WAIT | flags, 0, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex((char*)words + 2, FUTEX_WAKE | flags, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex(page, FUTEX_WAIT | flags, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERR(futex(NULL, FUTEX_WAIT | flags, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERR(futex(words, FUTEX_WAIT | flags, 0, page, NULL, 0), EFAULT);
  CHECK_ERR(futex(words, FUTEX_CMP_REQUEUE | flags, 1, (void*)1, (char*)words + 1, 0), EINVAL);
  CHECK_ERR(futex(words, FUTEX_CMP_REQUEUE | flags, (unsigned)-1, (void*)1, words + 1, 0), EINVAL);
  CHECK_ERR(futex(words, FUTEX_WAKE_OP | flags, 1, (void*)1, page, 0), EFAULT);
  CHECK_ERR(futex(words, 100, 1, NULL, NULL, 0), ENOSYS);
  munmap(page, 4096);
  FACT("errors");
}

/* One word in a shared mapping: the waiter is in the other process, then here. */
static void across_processes(void) {
  unsigned* shared = (unsigned*)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    while (LOAD(shared[0]) == 0) futex(&shared[0], FUTEX_WAIT, 0, NULL, NULL, 0);
    STORE(shared[1], 1);
    long n = 0;
    for (long long stop = now_ms() + 60000; n < 2 && now_ms() < stop; nap())
      n += futex(&shared[1], FUTEX_WAKE, 2, NULL, NULL, 0);
    _exit((int)n);
  }
  settle();
  STORE(shared[0], 1);
  futex(&shared[0], FUTEX_WAKE, 1, NULL, NULL, 0);
  AWAIT(LOAD(shared[1]) == 1);
  struct waiter w[2];
  pthread_t t[2];
  for (int i = 0; i < 2; i++) {
    w[i] = (struct waiter){&shared[1], FUTEX_WAIT, 1, 0, -2, 0, 0};
    t[i] = start(wait_on, &w[i]);
  }
  finish(t[0]);
  finish(t[1]);
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(w[0].result + w[1].result, 0);
  FACT("across processes: status %x", status);
  munmap(shared, 4096);
}

static int turn;
static void* ping(void* arg) {
  unsigned me = (unsigned)(uintptr_t)arg;
  for (int i = 0; i < 20000; i++) {
    unsigned seen;
    while ((seen = (unsigned)LOAD(turn)) != me) futex(&turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    STORE(turn, (int)!me);
    futex(&turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
  return NULL;
}

static void* group(void* arg) {
  wake_counts();
  bitsets();
  requeue();
  wake_op();
  timeouts();
  errors();
  return arg;
}

int main(void) {
  begin();
  group(NULL);
  flags = FUTEX_PRIVATE_FLAG;
  group(NULL);
  finish(start(group, NULL));
  across_processes();
  pthread_t t[2] = {start(ping, (void*)0), start(ping, (void*)1)};
  finish(t[0]);
  finish(t[1]);
  FACT("ping-pong");
  return end();
}
