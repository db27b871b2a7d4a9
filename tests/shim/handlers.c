// SPDX-License-Identifier: MIT
// Handlers that do more than set a flag: they block, nest, write, fork, jump; profiling timers beside busy and blocked threads.
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "check.h"

static int fds[2], more[2], entered, left, ready;
static sem_t sem;

static void sleeping(int number) {
  int error = errno;
  (void)number;
  ADD(entered, 1);
  struct timespec t = {0, 10000000};
  CHECK_EQ(nanosleep(&t, NULL), 0);
  ADD(left, 1);
  errno = error;
}
static void reading(int number) {
  (void)number;
  char c;
  ADD(entered, 1);
  CHECK_EQ(read(more[0], &c, 1), 1);
  ADD(left, 1);
}
static void nesting(int number) {
  ADD(entered, 1);
  if (number == SIGUSR1) CHECK_EQ(raise(SIGUSR2), 0);
  if (number == SIGUSR2) nap();
  ADD(left, 1);
}
static void posting(int number) {
  (void)number;
  ADD(entered, 1);
  CHECK_EQ(sem_post(&sem), 0);
  ADD(left, 1);
}
static void forking(int number) {
  (void)number;
  pid_t pid = fork();
  if (pid == 0) _exit(5);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(WEXITSTATUS(status), 5);
  ADD(entered, 1);
  ADD(left, 1);
}

static void* blocked(void* arg) {
  char c;
  STORE(ready, 1);
  ssize_t n = read(fds[0], &c, 1);
  (void)arg;
  return (void*)n;
}
static void during_a_read(const char* name, void (*handler)(int), int times) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  STORE(entered, 0);
  STORE(left, 0);
  STORE(ready, 0);
  pthread_t t = start(blocked, NULL);
  AWAIT(LOAD(ready));
  int per = handler == nesting ? 2 : 1;
  for (int i = 0; i < times; i++) {
    pthread_kill(t, SIGUSR1);
    AWAIT(LOAD(entered) == (i + 1) * per);
    if (handler == reading) CHECK_EQ(write(more[1], "x", 1), 1);
    AWAIT(LOAD(left) == (i + 1) * per);
  }
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ((intptr_t)finish(t), 1);
  FACT("%s: %d", name, LOAD(left));
}

/* The data comes while the handler of the reader still sleeps. */
static void data_meanwhile(void) {
  signal(SIGUSR1, reading);
  STORE(entered, 0);
  STORE(ready, 0);
  pthread_t t = start(blocked, NULL);
  AWAIT(LOAD(ready));
  settle();
  pthread_kill(t, SIGUSR1);
  AWAIT(LOAD(entered));
  CHECK_EQ(write(fds[1], "x", 1), 1);
  settle();
  CHECK_EQ(write(more[1], "x", 1), 1);
  CHECK_EQ((intptr_t)finish(t), 1);
  FACT("data meanwhile");
}

/* Every handler runs with its own errno to spoil, and the mask comes back after a jump. */
static __thread sigjmp_buf back;
static void jumping(int number) { siglongjmp(back, number); }
static void* jumper(void* arg) {
  for (volatile int i = 0; i < 30; i++) {
    int number = sigsetjmp(back, 1);
    if (number == 0) {
      pthread_kill(pthread_self(), SIGUSR1);
      CHECK(!"a jump");
    }
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    CHECK_EQ(sigismember(&set, SIGUSR1), 0);
    if (i % 10 == 0) nap();
  }
  return arg;
}

static int profiled, stop, counted;
static void on_profile(int number) {
  (void)number;
  int error = errno;
  ADD(profiled, 1);
  errno = error;
}
static void* busy(void* arg) {
  volatile unsigned long n = 0;
  while (!LOAD(stop)) n++;
  return arg;
}
static void* talk(void* arg) {
  char c;
  int n = 0;
  while (!LOAD(stop)) {
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(read(fds[0], &c, 1), 1);
    n++;
  }
  ADD(counted, n > 0);
  return arg;
}
static void profiles(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_profile;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPROF, &action, NULL);
  sigaction(SIGVTALRM, &action, NULL);
  struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
  int timers[] = {ITIMER_PROF, ITIMER_VIRTUAL};
  for (int i = 0; i < 2; i++) {
    STORE(stop, 0);
    STORE(profiled, 0);
    CHECK_EQ(setitimer(timers[i], &every, NULL), 0);
    pthread_t t[3] = {start(busy, NULL), start(talk, NULL), start(busy, NULL)};
    AWAIT(LOAD(profiled) > 5);
    CHECK_EQ(setitimer(timers[i], &off, NULL), 0);
    STORE(stop, 1);
    for (int k = 0; k < 3; k++) finish(t[k]);
  }
  FACT("profiles: %d", counted);
}

int main(void) {
  begin();
  CHECK_EQ(pipe(fds) + pipe(more) + sem_init(&sem, 0, 0), 0);
  during_a_read("sleeping", sleeping, 5);
  during_a_read("reading", reading, 5);
  during_a_read("nesting", nesting, 5);
  during_a_read("posting", posting, 50);
  during_a_read("forking", forking, 3);
  int posts = 0;
  while (sem_trywait(&sem) == 0) posts++;
  FACT("posts %d", posts);
  data_meanwhile();
  signal(SIGUSR1, jumping);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(jumper, NULL);
  jumper(NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("jumping");
  profiles();
  return end();
}
