// SPDX-License-Identifier: MIT
// What a process set up before it made its first thread holds afterwards: masks, pending signals, handlers, alternate stack, timers,
// descriptors, children, names, limits.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "check.h"

static int usr1, usr2, alarms, on_stack;
static char* stack;
static void on_usr1(int number, siginfo_t* info, void* context) {
  char here;
  (void)number, (void)context;
  ADD(usr1, 1);
  if (&here > stack && &here < stack + SIGSTKSZ * 4) STORE(on_stack, 1);
  CHECK_EQ(info->si_value.sival_int, 12);
}
static void on_usr2(int number) {
  (void)number;
  ADD(usr2, 1);
}
static void on_alarm(int number) {
  (void)number;
  ADD(alarms, 1);
}
static int atforks;
static void before_fork(void) { atforks++; }

static int fds[2];
static void* write_byte(void* arg) {
  settle();
  CHECK_EQ(write(fds[1], "x", 1), 1);
  return arg;
}
static void* has_mask(void* arg) {
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGUSR1), 1);
  CHECK_EQ(sigismember(&set, SIGHUP), 0);
  return arg;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  stack = (char*)malloc((size_t)SIGSTKSZ * 4);
  stack_t alternate = {.ss_sp = stack, .ss_size = (size_t)SIGSTKSZ * 4};
  CHECK_EQ(sigaltstack(&alternate, NULL), 0);
  struct sigaction action, seen;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_usr1;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGUSR2, on_usr2);
  signal(SIGALRM, on_alarm);
  signal(SIGHUP, SIG_IGN);
  sigset_t set, none;
  sigemptyset(&none);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 12}), 0);
  for (int i = 0; i < 3; i++) CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i}), 0);
  struct itimerval every = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
  CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
  prctl(PR_SET_NAME, "grown-up");
  pthread_atfork(before_fork, NULL, NULL);
  CHECK_EQ(pipe(fds), 0);
  int high = fcntl(fds[0], F_DUPFD, 500), ep = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK),
      timer = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec soon = {{0, 0}, {0, 20000000}};
  CHECK_EQ(timerfd_settime(timer, 0, &soon, NULL), 0);
  struct epoll_event in = {.events = EPOLLIN, .data = {.fd = 77}};
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &in), 0);
  struct rlimit limit, limit_now;
  getrlimit(RLIMIT_NOFILE, &limit);
  pid_t child = fork();
  if (child == 0) {
    settle();
    _exit(17);
  }
  FILE* shell = popen("sleep 0.05; echo from before", "r");
  errno = EXDEV;

  begin(); /* the first thread */

  CHECK_EQ(errno, EXDEV);
  getrlimit(RLIMIT_NOFILE, &limit_now);
  CHECK(limit.rlim_cur == limit_now.rlim_cur && limit.rlim_max == limit_now.rlim_max);
  finish(start(has_mask, NULL));
  sigpending(&set);
  CHECK_EQ(sigismember(&set, SIGUSR1), 1);
  CHECK_EQ(usr1, 0);
  sigprocmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGUSR1), 1);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  FACT("pending from before: handled %d, on its stack %d", usr1, on_stack);
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 2);
  siginfo_t info;
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 2);
    CHECK_EQ(info.si_value.sival_int, i);
  }
  struct timespec zero = {0, 0};
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  sigaction(SIGUSR1, NULL, &seen);
  CHECK(seen.sa_sigaction == on_usr1);
  CHECK_EQ(seen.sa_flags & (SA_SIGINFO | SA_ONSTACK | SA_RESTART), SA_SIGINFO | SA_ONSTACK | SA_RESTART);
  sigaction(SIGHUP, NULL, &seen);
  CHECK(seen.sa_handler == SIG_IGN);
  CHECK_EQ(kill(getpid(), SIGHUP), 0);
  CHECK_EQ(raise(SIGUSR2), 0);
  CHECK_EQ(usr2, 1);
  stack_t now;
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK(now.ss_sp == stack && now.ss_size == alternate.ss_size && now.ss_flags == 0);
  STORE(alarms, 0);
  AWAIT(LOAD(alarms) > 3);
  setitimer(ITIMER_REAL, &off, NULL);
  char name[16];
  pthread_getname_np(pthread_self(), name, sizeof name);
  FACT("called %s", name);
  pthread_t t = start(write_byte, NULL);
  struct epoll_event out;
  CHECK_EQ(epoll_wait(ep, &out, 1, 60000), 1);
  CHECK_EQ(out.data.fd, 77);
  char c;
  CHECK_EQ(read(high, &c, 1), 1);
  finish(t);
  uint64_t ticks = 0;
  CHECK_EQ(read(timer, &ticks, 8), 8);
  CHECK_EQ(ticks, 1);
  CHECK_ERR(read(event, &ticks, 8), EAGAIN);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  FACT("child from before: %x", status);
  char line[40] = "";
  CHECK(fgets(line, sizeof line, shell) != NULL);
  printf("%s", line);
  FACT("pclose: %x", pclose(shell));
  CHECK_EQ(getpid(), gettid());
  int forked = atforks;
  child = fork();
  if (child == 0) _exit(atforks - forked);
  CHECK_EQ(waitpid(child, &status, 0), child);
  FACT("atfork: %x", status);
  FACT("next fd %d", dup(0));
  return end();
}
