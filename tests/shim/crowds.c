// SPDX-License-Identifier: MIT
// A thousand threads that wait on one descriptor, and descriptors that are read and written by many at once.
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "check.h"

#define CROWD 1000
static pthread_t threads[CROWD];
static int fds[2], in, woken;

static void* read_one(void* arg) {
  char c;
  ADD(in, 1);
  CHECK_EQ(read(fds[0], &c, 1), 1);
  ADD(woken, 1);
  return arg;
}
static void* poll_one(void* arg) {
  struct pollfd p = {fds[0], POLLIN, 0};
  ADD(in, 1);
  CHECK_EQ(poll(&p, 1, 60000), 1);
  ADD(woken, 1);
  return arg;
}
static void* recv_one(void* arg) {
  char c;
  ADD(in, 1);
  CHECK_EQ(recv(fds[0], &c, 1, 0), 0);
  ADD(woken, 1);
  return arg;
}
static int ep;
static void* epoll_one(void* arg) {
  struct epoll_event e;
  ADD(in, 1);
  CHECK_EQ(epoll_wait(ep, &e, 1, 60000), 1);
  ADD(woken, 1);
  return arg;
}

static void gather(void* (*run)(void*)) {
  STORE(in, 0);
  STORE(woken, 0);
  for (int i = 0; i < CROWD; i++) threads[i] = start(run, NULL);
  AWAIT(LOAD(in) == CROWD);
  settle();
}
static void dismiss(const char* what) {
  for (int i = 0; i < CROWD; i++) finish(threads[i]);
  FACT("%s: %d", what, woken);
}

int main(void) {
  begin();
  CHECK_EQ(pipe(fds), 0);
  gather(read_one);
  for (int i = 0; i < 10; i++) CHECK_EQ(write(fds[1], "x", 1), 1);
  AWAIT(LOAD(woken) == 10);
  settle();
  CHECK_EQ(LOAD(woken), 10);
  char many[CROWD - 10] = {0};
  CHECK_EQ(write(fds[1], many, sizeof many), sizeof many);
  dismiss("readers of a pipe");
  gather(poll_one);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  dismiss("pollers of a pipe");
  ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data = {.fd = 0}};
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), 0);
  gather(epoll_one);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  dismiss("waiters of an epoll");
  close(ep);
  close(fds[0]);
  close(fds[1]);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  gather(recv_one);
  close(fds[1]);
  dismiss("receivers of a socket that ends");
  close(fds[0]);
  return end();
}
