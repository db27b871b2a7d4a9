// SPDX-License-Identifier: MIT
// epoll: level, edge, one shot, nested, shared by several threads, time limits, masks, descriptors that are closed meanwhile.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "check.h"

static int ep, fds[2];
static void* write_later(void* arg) {
  settle();
  CHECK_EQ(write(*(int*)arg, "x", 1), 1);
  return NULL;
}
static void add(int e, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data = {.fd = fd}};
  CHECK_EQ(epoll_ctl(e, EPOLL_CTL_ADD, fd, &event), 0);
}

static void basics(void) {
  struct epoll_event out[8];
  char c;
  ep = epoll_create1(EPOLL_CLOEXEC);
  CHECK_EQ(pipe(fds), 0);
  add(ep, fds[0], EPOLLIN);
  CHECK_EQ(epoll_wait(ep, out, 8, 0), 0);
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(epoll_wait(ep, out, 8, 25), 0));
  CHECK_TOOK(began, 25);
  pthread_t t = start(write_later, &fds[1]);
  CHECK_EQ(epoll_wait(ep, out, 8, -1), 1);
  finish(t);
  CHECK_EQ(out[0].data.fd, fds[0]);
  CHECK_EQ(out[0].events, EPOLLIN);
  CHECK_EQ(epoll_wait(ep, out, 8, -1), 1); /* level */
  CHECK_EQ(read(fds[0], &c, 1), 1);
  struct timespec limit = {0, 1500000};
  began = now_us();
  CHECK_EQ(epoll_pwait2(ep, out, 8, &limit, NULL), 0);
  CHECK(now_us() - began >= 1500);
  CHECK_EQ(epoll_pwait(ep, out, 8, 1, NULL), 0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = 0x123456789abcull}};
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event), 0);
  t = start(write_later, &fds[1]);
  CHECK_EQ(epoll_wait(ep, out, 8, 60000), 1);
  finish(t);
  CHECK_EQ(out[0].data.u64, 0x123456789abcull);
  CHECK_EQ(epoll_wait(ep, out, 8, 5), 0); /* edge */
  t = start(write_later, &fds[1]);
  CHECK_EQ(epoll_wait(ep, out, 8, 60000), 1);
  finish(t);
  event.events = EPOLLIN | EPOLLONESHOT;
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event), 0);
  CHECK_EQ(epoll_wait(ep, out, 8, 60000), 1);
  CHECK_EQ(epoll_wait(ep, out, 8, 5), 0);
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event), 0);
  CHECK_EQ(epoll_wait(ep, out, 8, 60000), 1);
  close(fds[1]);
  event.events = EPOLLIN;
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &event), 0);
  CHECK_EQ(epoll_wait(ep, out, 8, 60000), 1);
  CHECK_EQ(out[0].events, EPOLLIN | EPOLLHUP);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event), EEXIST);
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL), 0);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL), ENOENT);
  CHECK_ERR(epoll_wait(ep, out, 0, 0), EINVAL);
  CHECK_ERR(epoll_wait(fds[0], out, 8, 0), EINVAL);
  CHECK_ERR(epoll_wait(900, out, 8, 0), EBADF);
  CHECK_ERR(epoll_wait(900, out, 8, -1), EBADF);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
  int file = open("/proc/self/exe", O_RDONLY);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);
  close(file);
  close(fds[0]);
  close(ep);
  FACT("basics");
}

static void nested(void) {
  struct epoll_event out[2];
  int outer = epoll_create1(0);
  ep = epoll_create1(0);
  CHECK_EQ(pipe(fds), 0);
  add(ep, fds[0], EPOLLIN);
  add(outer, ep, EPOLLIN);
  pthread_t t = start(write_later, &fds[1]);
  CHECK_EQ(epoll_wait(outer, out, 2, 60000), 1);
  finish(t);
  CHECK_EQ(out[0].data.fd, ep);
  CHECK_EQ(epoll_wait(ep, out, 2, 60000), 1);
  struct pollfd p = {outer, POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 60000), 1);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  CHECK_EQ(poll(&p, 1, 0), 0);
  t = start(write_later, &fds[1]);
  CHECK_EQ(poll(&p, 1, 60000), 1);
  finish(t);
  close(fds[0]);
  close(fds[1]);
  close(ep);
  close(outer);
  FACT("nested");
}

static int served, wrong, stop_fd;
static void* worker(void* arg) {
  for (;;) {
    struct epoll_event e;
    int n = epoll_wait(ep, &e, 1, -1);
    if (n != 1) {
      CHECK_EQ(n, 1);
      break;
    }
    if (e.data.fd == stop_fd) break;
    char c;
    if (read(e.data.fd, &c, 1) == 1)
      ADD(served, 1);
    else
      ADD(wrong, 1);
    e.events = EPOLLIN | EPOLLONESHOT;
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, e.data.fd, &e), 0);
  }
  return arg;
}
static void shared(void) {
  enum { FDS = 20, WORKERS = 6, ROUNDS = 50 };
  int pair[FDS][2];
  pthread_t t[WORKERS];
  served = wrong = 0;
  ep = epoll_create1(0);
  stop_fd = eventfd(0, 0);
  for (int i = 0; i < FDS; i++) {
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]), 0);
    add(ep, pair[i][0], EPOLLIN | EPOLLONESHOT);
  }
  for (int i = 0; i < WORKERS; i++) t[i] = start(worker, NULL);
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < FDS; i++) CHECK_EQ(write(pair[i][1], "x", 1), 1);
  AWAIT(LOAD(served) == FDS * ROUNDS);
  add(ep, stop_fd, EPOLLIN);
  CHECK_EQ(eventfd_write(stop_fd, 1), 0);
  for (int i = 0; i < WORKERS; i++) finish(t[i]);
  for (int i = 0; i < FDS; i++) {
    close(pair[i][0]);
    close(pair[i][1]);
  }
  close(ep);
  close(stop_fd);
  FACT("shared: served %d, wrong %d", served, wrong);
}

/* Added, and closed, by another thread while one waits. */
static void* change(void* arg) {
  settle();
  add(ep, fds[0], EPOLLIN);
  settle();
  int copy[2];
  CHECK_EQ(pipe(copy), 0);
  add(ep, copy[0], EPOLLIN);
  close(copy[0]); /* the last reference: leaves the set by itself */
  close(copy[1]);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  return arg;
}
static void changing(void) {
  struct epoll_event out[4];
  ep = epoll_create1(0);
  CHECK_EQ(pipe(fds), 0);
  pthread_t t = start(change, NULL);
  CHECK_EQ(epoll_wait(ep, out, 4, 60000), 1);
  CHECK_EQ(out[0].data.fd, fds[0]);
  finish(t);
  int copy = dup(fds[0]);
  close(fds[0]); /* the description lives on in the copy, and so does the registration */
  CHECK_EQ(epoll_wait(ep, out, 4, 60000), 1);
  close(copy);
  CHECK_EQ(epoll_wait(ep, out, 4, 5), 0);
  close(fds[1]);
  close(ep);
  FACT("changing");
}

static int handled, ready;
static void note(int number) {
  (void)number;
  ADD(handled, 1);
}
static void* interrupted(void* arg) {
  sigset_t blocked, open;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &open);
  sigdelset(&open, SIGUSR1);
  int e = epoll_create1(0);
  struct epoll_event out;
  STORE(ready, 1);
  AWAIT(LOAD(ready) == 2);
  errno = 0;
  int result = epoll_pwait(e, &out, 1, -1, &open);
  FACT("masked: %d %s, handled %d", result, check_error_name(errno), LOAD(handled));
  close(e);
  return arg;
}

static void* all(void* arg) {
  basics();
  nested();
  shared();
  changing();
  STORE(handled, 0);
  STORE(ready, 0);
  pthread_t t = start(interrupted, NULL);
  AWAIT(LOAD(ready) == 1);
  pthread_kill(t, SIGUSR1);
  STORE(ready, 2);
  finish(t);
  return arg;
}

int main(void) {
  begin();
  signal(SIGUSR1, note);
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
