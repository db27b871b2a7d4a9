// SPDX-License-Identifier: MIT
// Threads that each do a long random sequence of everything: whatever the order, the totals are the same and nothing is left behind.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

enum { THREADS = 16 };
static int operations, handled, wrong, lived;
static long done_by_kind[20];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, pair_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static sem_t slots;
static long guarded;
static __thread volatile int signals_here;

static void on_signal(int number) {
  (void)number;
  signals_here++;
  ADD(handled, 1);
}
static void* echo_argument(void* arg) { return arg; }

static void pass_through(int in, int out, unsigned* seed) {
  unsigned sent = (unsigned)rand_r(seed), got = 0;
  if (write(out, &sent, sizeof sent) != sizeof sent) ADD(wrong, 1);
  if (rand_r(seed) % 2) {
    struct pollfd p = {in, POLLIN, 0};
    while (poll(&p, 1, 60000) != 1) CHECK_EQ(errno, EINTR);
  }
  ssize_t n;
  while ((n = read(in, &got, sizeof got)) < 0 && errno == EINTR) {
  }
  if (n != sizeof got || got != sent) ADD(wrong, 1);
  close(in);
  close(out);
}

static void one(int kind, unsigned* seed) {
  int fds[2];
  struct timespec t = {0, rand_r(seed) % 300000}, until;
  switch (kind) {
    case 0:
      pthread_mutex_lock(&lock);
      guarded++;
      if (rand_r(seed) % 8 == 0) sched_yield();
      guarded--;
      if (guarded != 0) ADD(wrong, 1);
      pthread_mutex_unlock(&lock);
      break;
    case 1:
      until = in_ms(CLOCK_REALTIME, 1);
      pthread_mutex_lock(&pair_lock);
      if (rand_r(seed) % 2) pthread_cond_broadcast(&cond);
      pthread_cond_timedwait(&cond, &pair_lock, &until);
      pthread_mutex_unlock(&pair_lock);
      break;
    case 2:
      while (sem_wait(&slots) != 0) CHECK_EQ(errno, EINTR);
      if (rand_r(seed) % 4 == 0) nanosleep(&t, NULL);
      sem_post(&slots);
      break;
    case 3:
      CHECK_EQ(pipe(fds), 0);
      pass_through(fds[0], fds[1], seed);
      break;
    case 4:
      CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
      pass_through(fds[0], fds[1], seed);
      break;
    case 5:
      nanosleep(&t, NULL);
      break;
    case 6:
      if (finish(start(echo_argument, seed)) != seed) ADD(wrong, 1);
      break;
    case 7: {
      int before = signals_here;
      pthread_kill(pthread_self(), SIGUSR1);
      if (signals_here == before) ADD(wrong, 1);
      break;
    }
    case 8: {
      char* block = (char*)malloc((size_t)rand_r(seed) % 20000 + 1);
      block[0] = 1;
      if (rand_r(seed) % 8 == 0) sched_yield();
      free(block);
      break;
    }
    case 9: {
      struct timeval short_time = {0, t.tv_nsec / 1000};
      select(0, NULL, NULL, NULL, &short_time);
      break;
    }
    case 10: {
      int ep = epoll_create1(0), event = eventfd(rand_r(seed) % 2, 0);
      struct epoll_event e = {.events = EPOLLIN, .data = {.fd = event}};
      CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, event, &e), 0);
      int n = epoll_wait(ep, &e, 1, 1);
      CHECK(n >= 0 || errno == EINTR);
      close(event);
      close(ep);
      break;
    }
    case 11:
      pthread_rwlock_rdlock(&rw);
      if (rand_r(seed) % 8 == 0) sched_yield();
      pthread_rwlock_unlock(&rw);
      break;
    case 12:
      pthread_rwlock_wrlock(&rw);
      pthread_rwlock_unlock(&rw);
      break;
    case 13: {
      if (rand_r(seed) % 20) break;
      pid_t pid = fork();
      if (pid == 0) _exit(3);
      int status = 0;
      while (waitpid(pid, &status, 0) < 0) CHECK_EQ(errno, EINTR);
      if (WEXITSTATUS(status) != 3) ADD(wrong, 1);
      break;
    }
    case 14:
      for (volatile unsigned n = 0; n < 30000; n++) {
      }
      break;
    default: {
      char text[60];
      snprintf(text, sizeof text, "%d %u", kind, *seed);
      int fd = open("/proc/self/stat", O_RDONLY);
      CHECK(read(fd, text, sizeof text) > 0);
      close(fd);
    }
  }
}

static void* live(void* arg) {
  unsigned seed = (unsigned)(uintptr_t)arg * 7919 + 1;
  for (int i = 0; i < operations; i++) {
    int kind = rand_r(&seed) % 16;
    unsigned own = (unsigned)rand_r(&seed);
    one(kind, &own);
    __atomic_add_fetch(&done_by_kind[kind], 1, __ATOMIC_RELAXED);
  }
  ADD(lived, 1);
  return NULL;
}
static int stop;
static pthread_t all[THREADS];
static void* disturb(void* arg) {
  for (int i = 0; !LOAD(stop); i++) {
    pthread_kill(all[i % THREADS], SIGUSR1);
    nap();
  }
  return arg;
}

int main(int argc, char** argv) {
  operations = argc > 1 && strcmp(argv[1], "long") == 0 ? 20000 : 600;
  begin();
  sem_init(&slots, 0, 3);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, NULL);
  for (intptr_t i = 0; i < THREADS; i++) all[i] = start(live, (void*)i);
  pthread_t disturber = start(disturb, NULL);
  AWAIT(LOAD(handled) > 10);
  while (LOAD(lived) < THREADS) nap();
  STORE(stop, 1);
  finish(disturber);
  for (int i = 0; i < THREADS; i++) finish(all[i]);
  for (int i = 0; i < 16; i++) printf("%ld ", done_by_kind[i]);
  FACT(": wrong %d", wrong);
  CHECK_EQ(wrong, 0);
  FACT("next fd %d", dup(0));
  return end();
}
