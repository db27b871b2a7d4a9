// SPDX-License-Identifier: MIT
// poll, ppoll, select, pselect: ready at once, later, never; hang-ups, closed descriptors, masks.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "check.h"

static int fds[2];
static void* write_later(void* arg) {
  settle();
  CHECK_EQ(write(*(int*)arg, "x", 1), 1);
  return NULL;
}
static void* close_later(void* arg) {
  settle();
  close(*(int*)arg);
  return NULL;
}

static void polls(void) {
  CHECK_EQ(pipe(fds), 0);
  struct pollfd p[4] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {-1, POLLIN, 77}, {900, POLLIN, 0}};
  CHECK_EQ(poll(p, 1, 0), 0);
  CHECK_EQ(poll(p, 2, -1), 1);
  CHECK_EQ(p[1].revents, POLLOUT);
  CHECK_EQ(poll(p, 4, -1), 2);
  CHECK_EQ(p[2].revents, 0);
  CHECK_EQ(p[3].revents, POLLNVAL);
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(poll(p, 1, 25), 0));
  CHECK_TOOK(began, 25);
  began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(poll(NULL, 0, 25), 0));
  CHECK_TOOK(began, 25);
  pthread_t t = start(write_later, &fds[1]);
  CHECK_EQ(poll(p, 1, -1), 1);
  CHECK_EQ(p[0].revents, POLLIN);
  finish(t);
  struct timespec limit = {0, 25000000}, bad = {0, 2000000000};
  CHECK_EQ(ppoll(p, 1, &limit, NULL), 1);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(ppoll(p, 1, &limit, NULL), 0));
  CHECK_TOOK(began, 25);
  CHECK_EQ(limit.tv_nsec, 25000000);
  CHECK_ERR(ppoll(p, 1, &bad, NULL), EINVAL);
  t = start(close_later, &fds[1]);
  CHECK_EQ(poll(p, 1, 60000), 1);
  CHECK_EQ(p[0].revents, POLLHUP);
  finish(t);
  close(fds[0]);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  p[0] = (struct pollfd){fds[0], POLLIN | POLLRDHUP, 0};
  t = start(close_later, &fds[1]);
  CHECK_EQ(poll(p, 1, 60000), 1);
  CHECK_EQ(p[0].revents, POLLIN | POLLRDHUP | POLLHUP);
  finish(t);
  close(fds[0]);
  int null = open("/dev/null", O_RDWR);
  p[0] = (struct pollfd){null, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(p, 1, -1), 1);
  CHECK_EQ(p[0].revents, POLLIN | POLLOUT);
  close(null);
  FACT("polls");
}

static void many_fds(void) {
  enum { N = 200 };
  static int in[N][2];
  static struct pollfd p[N];
  for (int i = 0; i < N; i++) {
    CHECK_EQ(pipe(in[i]), 0);
    p[i] = (struct pollfd){in[i][0], POLLIN, 0};
  }
  for (int i = 0; i < N; i += 20) {
    pthread_t t = start(write_later, &in[i][1]);
    CHECK_EQ(poll(p, N, 60000), 1);
    CHECK_EQ(p[i].revents, POLLIN);
    finish(t);
    char c;
    CHECK_EQ(read(in[i][0], &c, 1), 1);
  }
  /* one descriptor three times */
  p[0].fd = p[1].fd = p[2].fd = in[0][0];
  pthread_t t = start(write_later, &in[0][1]);
  CHECK_EQ(poll(p, 3, 60000), 3);
  finish(t);
  fd_set r;
  FD_ZERO(&r);
  for (int i = 1; i < N; i++) FD_SET(in[i][0], &r);
  t = start(write_later, &in[77][1]);
  CHECK_EQ(select(in[N - 1][1] + 1, &r, NULL, NULL, NULL), 1);
  CHECK(FD_ISSET(in[77][0], &r) && !FD_ISSET(in[78][0], &r));
  finish(t);
  for (int i = 0; i < N; i++) {
    close(in[i][0]);
    close(in[i][1]);
  }
  FACT("many fds");
}

static void selects(void) {
  CHECK_EQ(pipe(fds), 0);
  fd_set r, w, e;
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_ZERO(&e);
  FD_SET(fds[0], &r);
  FD_SET(fds[1], &w);
  FD_SET(fds[0], &e);
  int top = (fds[0] > fds[1] ? fds[0] : fds[1]) + 1;
  CHECK_EQ(select(top, &r, &w, &e, NULL), 1);
  CHECK(!FD_ISSET(fds[0], &r) && FD_ISSET(fds[1], &w) && !FD_ISSET(fds[0], &e));
  struct timeval limit;
  long long began = now_us();
  CHECK_OTHERS_RAN(limit = (struct timeval){0, 25000}; FD_SET(fds[0], &r);
                   CHECK_EQ(select(top, &r, NULL, NULL, &limit), 0));
  CHECK_TOOK(began, 25);
  CHECK(!FD_ISSET(fds[0], &r));
  CHECK_EQ(limit.tv_sec * 1000000 + limit.tv_usec, 0); /* Linux leaves what is left of the time */
  limit = (struct timeval){1000, 0};
  FD_SET(fds[0], &r);
  pthread_t t = start(write_later, &fds[1]);
  CHECK_EQ(select(top, &r, NULL, NULL, &limit), 1);
  CHECK(FD_ISSET(fds[0], &r) && limit.tv_sec >= 900 && limit.tv_sec < 1000);
  finish(t);
  limit = (struct timeval){0, 20000};
  began = now_us();
  CHECK_EQ(select(0, NULL, NULL, NULL, &limit), 0);
  CHECK_TOOK(began, 20);
  limit = (struct timeval){-1, 0};
  CHECK_ERR(select(0, NULL, NULL, NULL, &limit), EINVAL);
  CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
  FD_ZERO(&r);
  FD_SET(fds[1] + 10, &r);
  CHECK_ERR(select(fds[1] + 11, &r, NULL, NULL, NULL), EBADF);
  FD_ZERO(&r);
  FD_SET(fds[0], &r);
  struct timespec zero = {0, 0};
  CHECK_EQ(pselect(top, &r, NULL, NULL, &zero, NULL), 1);
  t = start(close_later, &fds[1]);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  FD_SET(fds[0], &r);
  CHECK_EQ(pselect(top, &r, NULL, NULL, NULL, NULL), 1); /* end of file is readable */
  finish(t);
  close(fds[0]);
  FACT("selects");
}

static int handled, ready;
static void note(int number) {
  (void)number;
  ADD(handled, 1);
}
/* The signal is blocked but while the call waits. */
static void* masked_wait(void* arg) {
  sigset_t blocked, open;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &open);
  sigdelset(&open, SIGUSR1);
  STORE(ready, 1);
  AWAIT(LOAD(ready) == 2); /* the signal is pending now */
  CHECK_EQ(LOAD(handled), 0);
  errno = 0;
  int result = arg ? ppoll(NULL, 0, NULL, &open) : pselect(0, NULL, NULL, NULL, NULL, &open);
  CHECK_EQ(LOAD(handled), 1);
  FACT("masked: %d %s", result, check_error_name(errno));
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  CHECK(sigismember(&now, SIGUSR1));
  return NULL;
}
static void masks(void) {
  struct sigaction action = {0};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  for (intptr_t kind = 0; kind < 2; kind++) {
    STORE(handled, 0);
    STORE(ready, 0);
    pthread_t t = start(masked_wait, (void*)kind);
    AWAIT(LOAD(ready) == 1);
    pthread_kill(t, SIGUSR1);
    STORE(ready, 2);
    finish(t);
  }
}

static void* all(void* arg) {
  polls();
  many_fds();
  selects();
  masks();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
