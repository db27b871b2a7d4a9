// SPDX-License-Identifier: MIT
// UDP, unix sockets of each kind, passed descriptors, recvmmsg and sendmmsg.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static int a, b;
static struct sockaddr_in there;

static int udp(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  CHECK_EQ(bind(fd, (struct sockaddr*)&any, sizeof any), 0);
  return fd;
}
static void* send_some(void* arg) {
  settle();
  for (const char* c = (const char*)arg; *c; c++) {
    nap();
    CHECK_EQ(sendto(b, c, 1, 0, (struct sockaddr*)&there, sizeof there), 1);
  }
  return NULL;
}
static void udp_sockets(void) {
  a = udp();
  b = udp();
  socklen_t size = sizeof there;
  getsockname(a, (struct sockaddr*)&there, &size);
  char text[10][20];
  pthread_t t = start(send_some, (void*)"x");
  struct sockaddr_in from = {0}, name;
  size = sizeof from;
  CHECK_EQ(recvfrom(a, text[0], 20, 0, (struct sockaddr*)&from, &size), 1);
  finish(t);
  size = sizeof name;
  getsockname(b, (struct sockaddr*)&name, &size);
  CHECK_EQ(from.sin_port, name.sin_port);
  CHECK_EQ(sendto(b, "0123456789", 10, 0, (struct sockaddr*)&there, sizeof there), 10);
  CHECK_EQ(recv(a, text[0], 4, MSG_TRUNC), 10);
  CHECK_EQ(sendto(b, "", 0, 0, (struct sockaddr*)&there, sizeof there), 0);
  CHECK_EQ(recv(a, text[0], 4, 0), 0);
  CHECK_ERR(recv(a, text[0], 4, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(connect(b, (struct sockaddr*)&there, sizeof there), 0);

  struct mmsghdr m[10];
  struct iovec v[10];
  memset(m, 0, sizeof m);
  for (int i = 0; i < 10; i++) {
    v[i] = (struct iovec){text[i], 20};
    m[i].msg_hdr.msg_iov = &v[i];
    m[i].msg_hdr.msg_iovlen = 1;
    snprintf(text[i], 20, "message %d", i);
    v[i].iov_len = strlen(text[i]);
  }
  CHECK_EQ(sendmmsg(b, m, 10, 0), 10);
  for (int i = 0; i < 10; i++) v[i].iov_len = 20;
  CHECK_EQ(recvmmsg(a, m, 10, 0, NULL), 10);
  CHECK(m[9].msg_len == 9 && memcmp(text[9], "message 9", 9) == 0);
  t = start(send_some, (void*)"abc");
  CHECK_EQ(recvmmsg(a, m, 3, 0, NULL), 3);
  finish(t);
  t = start(send_some, (void*)"de");
  int one = recvmmsg(a, m, 10, MSG_WAITFORONE, NULL);
  CHECK(one == 1 || one == 2);
  finish(t);
  if (one == 1) CHECK_EQ(recv(a, text[0], 1, 0), 1);
  CHECK_ERR(recvmmsg(a, m, 10, MSG_DONTWAIT, NULL), EAGAIN);
  struct timeval limit = {0, 20000};
  setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  long long began = now_us();
  CHECK_ERR(recvmmsg(a, m, 10, 0, NULL), EAGAIN);
  CHECK_TOOK(began, 19);
  close(a);
  CHECK_EQ(send(b, "x", 1, 0), 1);
  CHECK_ERR(recv(b, text[0], 1, 0), ECONNREFUSED);
  close(b);
  FACT("udp");
}

static void* echo(void* arg) {
  int fd = *(int*)arg;
  char buffer[1000];
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) CHECK_EQ(send(fd, buffer, (size_t)n, MSG_NOSIGNAL), n);
  return NULL;
}
static void pairs(void) {
  int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int k = 0; k < 3; k++) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, kinds[k], 0, fds), 0);
    pthread_t t = start(echo, &fds[1]);
    char buffer[1000];
    for (int i = 1; i < 300; i++) {
      memset(buffer, i, sizeof buffer);
      CHECK_EQ(send(fds[0], buffer, (size_t)i, 0), i);
      CHECK_EQ(recv(fds[0], buffer, (size_t)i, MSG_WAITALL), i);
      CHECK_EQ(buffer[i - 1], (char)i);
    }
    if (kinds[k] == SOCK_DGRAM) send(fds[0], buffer, 0, 0);
    if (kinds[k] != SOCK_DGRAM) shutdown(fds[0], SHUT_WR);
    finish(t);
    close(fds[0]);
    close(fds[1]);
  }
  FACT("pairs");
}

/* A full queue of datagrams blocks the sender until somebody takes one. */
static void* take_all(void* arg) {
  settle();
  int n = 0;
  char c[100];
  while (n < 2000 && recv(b, c, sizeof c, 0) == 50) n++;
  (void)arg;
  return (void*)(intptr_t)n;
}
static void full_queue(void) {
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
  b = fds[1];
  pthread_t t = start(take_all, NULL);
  char c[50] = {0};
  for (int i = 0; i < 2000; i++) CHECK_EQ(send(fds[0], c, 50, 0), 50);
  CHECK_EQ((intptr_t)finish(t), 2000);
  close(fds[0]);
  close(fds[1]);
  FACT("full queue");
}

static struct sockaddr_un address;
static socklen_t address_size;
static void* unix_client(void* arg) {
  settle();
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(connect(fd, (struct sockaddr*)&address, address_size), 0);
  int passed = -1;
  char control[CMSG_SPACE(sizeof(int))], c;
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(recvmsg(fd, &m, MSG_CMSG_CLOEXEC), 1);
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  CHECK(h && h->cmsg_type == SCM_RIGHTS);
  if (h) memcpy(&passed, CMSG_DATA(h), sizeof passed);
  CHECK_EQ(fcntl(passed, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(passed, F_GETFL), O_WRONLY);
  CHECK_EQ(write(passed, "through", 7), 7);
  close(passed);
  close(fd);
  return arg;
}
static void passing(void) {
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path + 1, 60, "weft-test-%d", getpid()); /* abstract */
  address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERR(connect(fd, (struct sockaddr*)&address, address_size), ECONNREFUSED);
  CHECK_EQ(bind(fd, (struct sockaddr*)&address, address_size), 0);
  CHECK_EQ(listen(fd, 1), 0);
  pthread_t t = start(unix_client, NULL);
  int peer = accept(fd, NULL, NULL), fds[2];
  CHECK_EQ(pipe(fds), 0);
  char control[CMSG_SPACE(sizeof(int))] = {0}, c = 1, text[10];
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(h), &fds[1], sizeof(int));
  CHECK_EQ(sendmsg(peer, &m, 0), 1);
  close(fds[1]);
  CHECK_EQ(read(fds[0], text, 10), 7);
  CHECK_EQ(read(fds[0], text, 10), 0);
  finish(t);
  close(fds[0]);
  close(peer);
  close(fd);
  FACT("passing");
}

/* A unix listener whose backlog is full blocks connect until there is room. */
static int listener;
static void* connect_and_leave(void* arg) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(connect(fd, (struct sockaddr*)&address, address_size), 0);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
  close(fd);
  return arg;
}
static void full_backlog(void) {
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(bind(listener, (struct sockaddr*)&address, address_size), 0);
  CHECK_EQ(listen(listener, 1), 0);
  pthread_t t[10];
  for (int i = 0; i < 10; i++) t[i] = start(connect_and_leave, NULL);
  settle();
  for (int i = 0; i < 10; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    close(fd);
  }
  for (int i = 0; i < 10; i++) finish(t[i]);
  close(listener);
  FACT("full backlog");
}

static void* all(void* arg) {
  udp_sockets();
  pairs();
  full_queue();
  passing();
  full_backlog();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
