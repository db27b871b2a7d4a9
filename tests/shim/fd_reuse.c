// SPDX-License-Identifier: MIT
// Numbers of descriptors that are closed and given anew while other threads wait on them: nobody loses an event of its own
// file, or gets what belongs to another.
//
// Lookers poll, select and peek at numbers that are none of theirs, for a moment at a time: that takes nothing from
// anybody, and natively disturbs nobody. Makers make files under these numbers, wait for what a partner sends them, and
// close them; meanwhile children hold some of the files open, so that the kernel goes on knowing them.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

enum { makers = 4, lookers = 4, rounds = 400, lowest = 3, numbers = 40 };

static int stop, wrong, made;

static uint32_t next(uint32_t* seed) { return *seed = *seed * 1664525 + 1013904223; }

static void* look(void* arg) {
  uint32_t seed = (uint32_t)(intptr_t)arg;
  char byte;
  while (!LOAD(stop)) {
    int fd = lowest + (int)(next(&seed) >> 16) % numbers;
    if (fcntl(fd, F_GETFD) < 0) nap();
    struct pollfd p[2] = {{fd, POLLIN, 0}, {fd + 1, POLLIN | POLLOUT, 0}};
    fd_set set;
    struct timeval soon = {0, 300};
    struct timespec sooner = {0, 100000};
    switch (next(&seed) >> 16 & 3) {
      case 0:
        poll(p, 1, 1);
        break;
      case 1:
        ppoll(p, 2, &sooner, NULL);
        break;
      case 2:
        FD_ZERO(&set);
        FD_SET(fd, &set);
        select(fd + 1, &set, NULL, NULL, &soon);
        break;
      default:
        recv(fd, &byte, 1, MSG_PEEK); /* ends by the time limit that every socket here has */
    }
  }
  return NULL;
}

struct work {
  int kind, from, to;
  uint64_t tag;
  sem_t given, sent;
};

/* The other end: sends the tag once it is told where to. */
static void* send_tags(void* arg) {
  struct work* w = arg;
  for (int i = 0; i < rounds; i++) {
    while (sem_wait(&w->given)) continue;
    if (i & 1) sched_yield();
    if (write(w->to, &w->tag, sizeof w->tag) != sizeof w->tag) ADD(wrong, 1);
    if (w->to != w->from) close(w->to);
    sem_post(&w->sent);
  }
  return NULL;
}

static int make(struct work* w) {
  int pair[2];
  struct timeval limit = {0, 2000};
  switch (w->kind) {
    case 0:
      return w->from = w->to = eventfd(0, EFD_CLOEXEC);
    case 1:
      if (pipe(pair)) return -1;
      break;
    default:
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return -1;
      setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  w->to = pair[1];
  return w->from = pair[0];
}

static void receive(struct work* w, int way) {
  uint64_t tag = 0;
  ssize_t n;
  struct epoll_event event = {.events = EPOLLIN};
  int epoll;
  switch (way) {
    case 0: {
      struct pollfd p = {w->from, POLLIN, 0};
      CHECK_EQ(poll(&p, 1, -1), 1);
      break;
    }
    case 1:
      epoll = epoll_create1(EPOLL_CLOEXEC);
      CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, w->from, &event), 0);
      CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
      close(epoll);
      break;
    default:
      break;
  }
  do n = read(w->from, &tag, sizeof tag);
  while (n < 0 && errno == EAGAIN && w->kind == 2);
  if (n != sizeof tag || tag != w->tag) {
    ADD(wrong, 1);
    check_failed(__FILE__, __LINE__, "kind %d way %d: got %zd bytes, %llu for %llu, %s", w->kind, way, n,
                 (unsigned long long)tag, (unsigned long long)w->tag, check_error_name(errno));
  }
}

static void* make_and_wait(void* arg) {
  uint64_t me = (uint64_t)(uintptr_t)arg;
  uint32_t seed = (uint32_t)me * 77 + 1;
  struct work w;
  sem_init(&w.given, 0, 0);
  sem_init(&w.sent, 0, 0);
  pthread_t partner = start(send_tags, &w);
  for (int i = 0; i < rounds; i++) {
    w.kind = (int)(next(&seed) >> 16) % 3;
    w.tag = me * 1000000 + (uint64_t)i;
    if (make(&w) < 0) {
      check_failed(__FILE__, __LINE__, "kind %d cannot be made: %s", w.kind, check_error_name(errno));
      exit(1);
    }
    sem_post(&w.given);
    receive(&w, (int)(next(&seed) >> 16) % 3);
    if (i % 5 == 0) dup2(STDIN_FILENO, w.from); /* the number goes on as another file at once */
    while (sem_wait(&w.sent)) continue;
    close(w.from);
    ADD(made, 1);
  }
  finish(partner);
  return NULL;
}

/* Children that have everything open for a while. */
static void* hold(void* arg) {
  while (!LOAD(stop)) {
    int gate[2];
    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
      char c;
      close(gate[1]);
      while (read(gate[0], &c, 1) > 0) continue;
      _exit(0);
    }
    close(gate[0]);
    for (int before = LOAD(made); LOAD(made) < before + 40 && !LOAD(stop);) nap();
    close(gate[1]);
    CHECK_EQ(waitpid(child, NULL, 0), child);
  }
  return arg;
}

int main(void) {
  begin();
  pthread_t looking[lookers], making[makers];
  for (intptr_t i = 0; i < lookers; i++) looking[i] = start(look, (void*)(i + 1));
  for (intptr_t i = 0; i < makers; i++) making[i] = start(make_and_wait, (void*)(i + 1));
  pthread_t holding = start(hold, NULL);
  for (int i = 0; i < makers; i++) finish(making[i]);
  STORE(stop, 1);
  for (int i = 0; i < lookers; i++) finish(looking[i]);
  finish(holding);
  FACT("%d files, %d wrong", made, wrong);
  return end();
}
