// SPDX-License-Identifier: MIT
// A descriptor that another thread closes while calls wait on it: natively each of them keeps the file that it began with, or says that
// the number is nobody's, once something happens to that file.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"
#include "fill.h"

static int fds[2], other[2], ep;
static struct sockaddr_in address;
static int ready, done;
static char text[400];
static char block[1 << 16];

static void do_read(void) {
  char got[8] = "";
  ssize_t n = read(fds[0], got, 7);
  snprintf(text, sizeof text, "%zd %s", n, got);
}
static void do_readv(void) {
  char got[8] = "";
  struct iovec v = {got, 7};
  ssize_t n = readv(fds[0], &v, 1);
  snprintf(text, sizeof text, "%zd %s", n, got);
}
static void do_recvmsg(void) {
  char got[8] = "";
  struct iovec v = {got, 7};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  ssize_t n = recvmsg(fds[0], &m, 0);
  snprintf(text, sizeof text, "%zd %s", n, got);
}
static void do_write(void) {
  ssize_t n = write(fds[1], "tail", 4);
  snprintf(text, sizeof text, "%zd", n);
}
static void do_send(void) {
  ssize_t n = send(fds[1], "tail", 4, 0);
  snprintf(text, sizeof text, "%zd", n);
}
static void do_accept(void) {
  int fd = accept(fds[0], NULL, NULL);
  snprintf(text, sizeof text, "%s", fd >= 0 ? "a connection" : check_error_name(errno));
  if (fd >= 0) close(fd);
}
static void do_poll(void) {
  struct pollfd p[2] = {{fds[0], POLLIN, 0}, {other[0], POLLIN, 0}};
  int n = poll(p, 2, -1);
  snprintf(text, sizeof text, "%d: %x %x", n, p[0].revents, p[1].revents);
}
static void do_long_poll(void) {
  struct pollfd p[40];
  for (int i = 0; i < 40; i++) p[i] = (struct pollfd){other[0], POLLIN, 0};
  p[20].fd = fds[0];
  int n = poll(p, 40, -1);
  snprintf(text, sizeof text, "%d: %x %x", n, p[20].revents, p[21].revents);
}
static void do_select(void) {
  fd_set in, out, except;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&except);
  FD_SET(fds[0], &in);
  FD_SET(fds[0], &except);
  FD_SET(other[0], &in);
  int n = select(FD_SETSIZE, &in, &out, &except, NULL);
  snprintf(text, sizeof text, "%d: %d %d %d", n, !!FD_ISSET(fds[0], &in), !!FD_ISSET(fds[0], &except),
           !!FD_ISSET(other[0], &in));
}
static void do_pselect(void) {
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fds[0], &in);
  FD_SET(other[0], &in);
  struct timespec limit = {60, 0};
  int n = pselect(FD_SETSIZE, &in, NULL, NULL, &limit, NULL);
  snprintf(text, sizeof text, "%d: %d %d", n, !!FD_ISSET(fds[0], &in), !!FD_ISSET(other[0], &in));
}
static void do_epoll(void) {
  struct epoll_event e[4] = {0};
  int n = epoll_wait(ep, e, 4, -1);
  snprintf(text, sizeof text, "%d: %u %x", n, e[0].data.u32, e[0].events);
}

enum { a_pipe = 1, sockets = 2, filled = 4, a_listener = 8, with_other = 16 };

static void make(unsigned what) {
  if (what & a_listener) {
    socklen_t size = sizeof address;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    fds[1] = -1;
    CHECK_EQ(bind(fds[0], (struct sockaddr*)&address, size) + listen(fds[0], 5), 0);
    CHECK_EQ(getsockname(fds[0], (struct sockaddr*)&address, &size), 0);
  } else {
    CHECK_EQ(what & sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
  }
  if (what & filled) fill(fds[1]);
  CHECK_EQ(pipe(other), 0);
  ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = 1}, second = {.events = EPOLLIN, .data.u32 = 2};
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e) + epoll_ctl(ep, EPOLL_CTL_ADD, other[0], &second), 0);
}

/* What the file that was closed was waited for: something to read, or room. */
static void happen(unsigned what) {
  if (what & a_listener) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, (struct sockaddr*)&address, sizeof address), 0);
    close(fd);
  } else if (what & filled) {
    while (read(fds[0], block, sizeof block) > 0) {
    }
  } else {
    CHECK_EQ(write(fds[1], "late", 4), 4);
  }
}

static void (*call)(void);
static void* waiter(void* arg) {
  STORE(ready, 1);
  call();
  STORE(done, 1);
  return arg;
}

/* No other thread of the kernel's runs, so ours sits in its call: natively in that, and on a hub in the hub's. */
static int nobody_runs(void) {
  DIR* dir = opendir("/proc/self/task");
  int running = 0;
  for (struct dirent* e; (e = readdir(dir));) {
    if (e->d_name[0] == '.' || atoi(e->d_name) == getpid()) continue;
    char path[300], state[8] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/syscall", e->d_name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    if (read(fd, state, sizeof state - 1) > 0 && (state[0] == 'r' || state[0] == '-')) running = 1;
    close(fd);
  }
  closedir(dir);
  return !running;
}

static struct {
  const char* name;
  void (*call)(void);
  unsigned what;
  int *closed, *also;
} cases[] = {
    {"read of a pipe", do_read, a_pipe, &fds[0], NULL},
    {"read of a socket", do_read, sockets, &fds[0], NULL},
    {"readv of a pipe", do_readv, a_pipe, &fds[0], NULL},
    {"recvmsg", do_recvmsg, sockets, &fds[0], NULL},
    {"write to a pipe", do_write, a_pipe | filled, &fds[1], NULL},
    {"write to a socket", do_write, sockets | filled, &fds[1], NULL},
    {"send", do_send, sockets | filled, &fds[1], NULL},
    {"accept", do_accept, a_listener, &fds[0], NULL},
    {"poll of a pipe", do_poll, a_pipe, &fds[0], NULL},
    {"poll of a socket", do_poll, sockets, &fds[0], NULL},
    {"poll of many", do_long_poll, a_pipe, &fds[0], NULL},
    {"poll, both closed", do_poll, a_pipe, &fds[0], &other[0]},
    {"select of a pipe", do_select, a_pipe, &fds[0], NULL},
    {"select of a socket", do_select, sockets, &fds[0], NULL},
    {"select, both closed", do_select, a_pipe, &fds[0], &other[0]},
    {"pselect", do_pselect, sockets, &fds[0], NULL},
    {"epoll_wait, a descriptor", do_epoll, a_pipe | with_other, &fds[0], NULL},
    {"epoll_wait, the epoll", do_epoll, a_pipe, &ep, NULL},
    {"epoll_wait, both", do_epoll, a_pipe | with_other, &ep, &fds[0]},
};

int main(void) {
  begin();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    make(cases[i].what);
    STORE(ready, 0);
    STORE(done, 0);
    call = cases[i].call;
    pthread_t t = start(waiter, NULL);
    AWAIT(LOAD(ready));
    settle();
    AWAIT(nobody_runs());
    close(*cases[i].closed);
    if (cases[i].also) close(*cases[i].also);
    settle();
    CHECK_EQ(LOAD(done), 0);
    if (cases[i].what & with_other)
      CHECK_EQ(write(other[1], "other", 5), 5); /* the epoll has forgotten what was closed */
    else
      happen(cases[i].what);
    finish(t);
    FACT("%s: %s", cases[i].name, text);
    int all[] = {fds[0], fds[1], other[0], other[1], ep};
    for (int k = 0; k < 5; k++)
      if (all[k] >= 0) close(all[k]); /* those that are closed already, too */
  }
  return end();
}
