// SPDX-License-Identifier: MIT
// TCP over loopback: accept, connect, every send and receive call, flags, time limits, shutdown, sendfile, errors.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"

static struct sockaddr_in where;
static int listener = -1;

static int listening(int backlog) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  CHECK_EQ(bind(fd, (struct sockaddr*)&a, sizeof a), 0);
  CHECK_EQ(listen(fd, backlog), 0);
  socklen_t size = sizeof where;
  CHECK_EQ(getsockname(fd, (struct sockaddr*)&where, &size), 0);
  return fd;
}
static void* connect_later(void* arg) {
  if (arg) settle();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(connect(fd, (struct sockaddr*)&where, sizeof where), 0);
  return (void*)(intptr_t)fd;
}
static int one, two; /* the two ends of a connection */
static void connected(void) {
  pthread_t t = start(connect_later, NULL);
  two = accept(listener, NULL, NULL);
  one = (int)(intptr_t)finish(t);
  CHECK(one >= 0 && two >= 0);
}
static void closed(void) {
  close(one);
  close(two);
}

static void accepts(void) {
  struct sockaddr_in peer = {0}, name = {0};
  for (int flags = 0; flags < 3; flags++) {
    pthread_t t = start(connect_later, &where);
    socklen_t size = sizeof peer;
    int how = flags == 1 ? SOCK_NONBLOCK : flags == 2 ? SOCK_CLOEXEC : 0;
    two = accept4(listener, (struct sockaddr*)&peer, &size, how);
    one = (int)(intptr_t)finish(t);
    CHECK_EQ(size, sizeof peer);
    size = sizeof name;
    getsockname(one, (struct sockaddr*)&name, &size);
    CHECK_EQ(name.sin_port, peer.sin_port);
    CHECK_EQ(fcntl(two, F_GETFL), O_RDWR | (flags == 1 ? O_NONBLOCK : 0));
    CHECK_EQ(fcntl(two, F_GETFD), flags == 2 ? FD_CLOEXEC : 0);
    CHECK_EQ(fcntl(listener, F_GETFL), O_RDWR);
    CHECK_EQ(fcntl(one, F_GETFL), O_RDWR);
    closed();
  }
  CHECK_EQ(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK), 0);
  CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
  CHECK_EQ(fcntl(listener, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQ(fcntl(listener, F_SETFL, O_RDWR), 0);
  struct timeval limit = {0, 20000};
  CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(accept(listener, NULL, NULL), EAGAIN));
  CHECK_TOOK(began, 19);
  limit.tv_usec = 0;
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  connected();
  CHECK_ERR(accept(one, NULL, NULL), EINVAL);
  CHECK_ERR(accept4(listener, NULL, NULL, 12345), EINVAL);
  closed();
  FACT("accepts");
}

static int taken;
static void* accept_one(void* arg) {
  int fd = accept(listener, NULL, NULL);
  CHECK(fd >= 0);
  ADD(taken, 1);
  char c;
  CHECK_EQ(read(fd, &c, 1), 0);
  close(fd);
  return arg;
}
static void many_accepting(void) {
  pthread_t a[20], c[20];
  taken = 0;
  for (int i = 0; i < 20; i++) a[i] = start(accept_one, NULL);
  for (int i = 0; i < 20; i++) c[i] = start(connect_later, &where);
  for (int i = 0; i < 20; i++) close((int)(intptr_t)finish(c[i]));
  for (int i = 0; i < 20; i++) finish(a[i]);
  FACT("accepted by %d threads", taken);
}

static void connects(void) {
  int probe = listening(1);
  struct sockaddr_in nobody = where;
  close(probe);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERR(connect(fd, (struct sockaddr*)&nobody, sizeof nobody), ECONNREFUSED);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int result = connect(fd, (struct sockaddr*)&nobody, sizeof nobody);
  CHECK_EQ(result, -1);
  CHECK(errno == EINPROGRESS || errno == ECONNREFUSED);
  close(fd);
  socklen_t size = sizeof where;
  getsockname(listener, (struct sockaddr*)&where, &size);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERR(connect(fd, (struct sockaddr*)&where, sizeof where), EINPROGRESS);
  struct pollfd p = {fd, POLLOUT, 0};
  CHECK_EQ(poll(&p, 1, 60000), 1);
  int error = -1;
  size = sizeof error;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  CHECK_EQ(error, 0);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQ(connect(fd, (struct sockaddr*)&where, sizeof where), 0); /* once more tells that it is done */
  CHECK_ERR(connect(fd, (struct sockaddr*)&where, sizeof where), EISCONN);
  two = accept(listener, NULL, NULL);
  close(fd);
  close(two);
  fd = open("/dev/null", O_RDWR);
  CHECK_ERR(connect(fd, (struct sockaddr*)&where, sizeof where), ENOTSOCK);
  CHECK_ERR(accept(fd, NULL, NULL), ENOTSOCK);
  CHECK_ERR(recv(fd, &error, 1, 0), ENOTSOCK);
  CHECK_ERR(send(fd, &error, 1, 0), ENOTSOCK);
  close(fd);
  CHECK_ERR(connect(fd, (struct sockaddr*)&where, sizeof where), EBADF);
  CHECK_ERR(accept(fd, NULL, NULL), EBADF);
  CHECK_ERR(recv(fd, &error, 1, 0), EBADF);
  FACT("connects");
}

/* A peer that trickles: every byte is a segment of its own. */
static void* trickle(void* arg) {
  int on = 1;
  setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (const char* c = (const char*)arg; *c; c++) {
    nap();
    CHECK_EQ(send(one, c, 1, MSG_NOSIGNAL), 1);
  }
  return NULL;
}
static void receives(void) {
  char b[200], c[10];
  connected();
  CHECK_ERR(recv(two, b, 10, MSG_DONTWAIT), EAGAIN);
  pthread_t t = start(trickle, (void*)"abcdefghij");
  CHECK_EQ(recv(two, b, 10, MSG_WAITALL), 10);
  CHECK_EQ(memcmp(b, "abcdefghij", 10), 0);
  finish(t);
  t = start(trickle, (void*)"peek");
  CHECK_EQ(recv(two, b, 4, MSG_PEEK | MSG_WAITALL), 4);
  finish(t);
  CHECK_EQ(recv(two, b, 2, MSG_PEEK), 2);
  CHECK_EQ(recv(two, b, 100, 0), 4);
  CHECK_EQ(memcmp(b, "peek", 4), 0);
  t = start(trickle, (void*)"0123456789");
  size_t got = 0;
  while (got < 10) {
    ssize_t n = read(two, b + got, sizeof b - got);
    CHECK(n > 0);
    if (n <= 0) break;
    got += (size_t)n;
  }
  CHECK_EQ(memcmp(b, "0123456789", 10), 0);
  finish(t);
  t = start(trickle, (void*)"vectors!");
  struct iovec v[2] = {{b, 3}, {c, 5}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
  CHECK_EQ(recvmsg(two, &m, MSG_WAITALL), 8);
  CHECK(memcmp(b, "vec", 3) == 0 && memcmp(c, "tors!", 5) == 0);
  CHECK_EQ(m.msg_flags & MSG_TRUNC, 0);
  finish(t);
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  t = start(trickle, (void*)"x");
  CHECK_EQ(recvfrom(two, b, 10, 0, (struct sockaddr*)&from, &size), 1);
  finish(t);
  struct timeval limit = {0, 20000}, seen;
  CHECK_EQ(setsockopt(two, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  size = sizeof seen;
  CHECK_EQ(getsockopt(two, SOL_SOCKET, SO_RCVTIMEO, &seen, &size), 0);
  CHECK_EQ(seen.tv_usec, 20000);
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(recv(two, b, 10, 0), EAGAIN));
  CHECK_TOOK(began, 19);
  began = now_us();
  CHECK_ERR(read(two, b, 10), EAGAIN);
  CHECK_TOOK(began, 19);
  CHECK_EQ(send(one, "abc", 3, 0), 3);
  began = now_us();
  CHECK_EQ(recv(two, b, 10, MSG_WAITALL), 3); /* what came before the limit */
  CHECK_TOOK(began, 19);
  limit.tv_usec = 0;
  setsockopt(two, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  t = start(trickle, (void*)"last");
  finish(t);
  shutdown(one, SHUT_WR);
  CHECK_EQ(recv(two, b, 10, MSG_WAITALL), 4);
  CHECK_EQ(recv(two, b, 10, 0), 0);
  CHECK_EQ(read(two, b, 10), 0);
  closed();
  FACT("receives");
}

#define BIG (6 << 20)
static unsigned char pattern(size_t i) { return (unsigned char)(i * 37 + (i >> 9)); }
static int way;
static void* send_big(void* arg) {
  unsigned char* data = (unsigned char*)malloc(BIG);
  for (size_t i = 0; i < BIG; i++) data[i] = pattern(i);
  struct iovec v[3] = {{data, 10}, {data + 10, 1 << 20}, {data + 10 + (1 << 20), BIG - 10 - (1 << 20)}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};
  ssize_t n = -1;
  if (way == 0) n = write(one, data, BIG);
  if (way == 1) n = send(one, data, BIG, MSG_NOSIGNAL);
  if (way == 2) n = sendmsg(one, &m, 0);
  if (way == 3) n = writev(one, v, 3);
  if (way == 4) {
    FILE* file = tmpfile();
    CHECK_EQ(fwrite(data, 1, BIG, file), BIG);
    fflush(file);
    off_t at = 0;
    n = 0;
    ssize_t k;
    while (n < BIG && (k = sendfile(one, fileno(file), &at, (size_t)(BIG - n))) > 0) n += k;
    CHECK_EQ(at, BIG);
    fclose(file);
  }
  shutdown(one, SHUT_WR);
  free(data);
  (void)arg;
  return (void*)n;
}
static void sends(void) {
  for (way = 0; way < 5; way++) {
    connected();
    pthread_t t = start(send_big, NULL);
    static unsigned char buffer[30011];
    size_t at = 0;
    ssize_t n;
    while ((n = recv(two, buffer, sizeof buffer, 0)) > 0) {
      for (ssize_t i = 0; i < n; i++)
        if (buffer[i] != pattern(at + (size_t)i)) CHECK(!"data as sent");
      at += (size_t)n;
    }
    FACT("way %d: sent %d, received %zu", way, (int)(intptr_t)finish(t), at);
    closed();
  }
  connected();
  struct timeval limit = {0, 20000};
  CHECK_EQ(setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
  static char block[1 << 20];
  long long began = now_us();
  ssize_t n;
  while ((n = send(one, block, sizeof block, 0)) > 0) {
  }
  CHECK(n == -1 && errno == EAGAIN);
  CHECK_TOOK(began, 19);
  while ((n = send(one, block, sizeof block, MSG_DONTWAIT)) > 0) {
  }
  CHECK(n == -1 && errno == EAGAIN);
  closed();
  connected();
  close(two);
  int sent = 0;
  AWAIT((sent = (int)send(one, "x", 1, MSG_NOSIGNAL)) == -1);
  CHECK(errno == EPIPE || errno == ECONNRESET);
  close(one);
  FACT("sends");
}

static void* shut(void* arg) {
  settle();
  CHECK_EQ(shutdown(*(int*)arg, SHUT_RDWR), 0);
  return NULL;
}
static void shutdowns(void) {
  char c;
  connected();
  pthread_t t = start(shut, &two);
  CHECK_EQ(recv(two, &c, 1, 0), 0);
  finish(t);
  CHECK_EQ(recv(one, &c, 1, 0), 0);
  signal(SIGPIPE, SIG_IGN);
  CHECK_ERR(send(two, &c, 1, 0), EPIPE);
  closed();
  t = start(shut, &listener);
  CHECK_ERR(accept(listener, NULL, NULL), EINVAL);
  finish(t);
  FACT("shutdowns");
}

/* The same socket read by one thread and written by another, at both ends. */
static void* reader(void* arg) {
  int fd = *(int*)arg;
  long n = 0;
  char b[1000];
  ssize_t k;
  while (n < 2000000 && (k = read(fd, b, sizeof b)) > 0) n += k;
  return (void*)n;
}
static void* writer(void* arg) {
  int fd = *(int*)arg;
  char b[1000] = {0};
  long n = 0;
  for (int i = 0; i < 2000; i++) {
    ssize_t k = write(fd, b, sizeof b);
    CHECK_EQ(k, sizeof b);
    n += k;
  }
  return (void*)n;
}
static void both_ways(void) {
  connected();
  pthread_t t[4] = {start(reader, &one), start(reader, &two), start(writer, &one), start(writer, &two)};
  for (int i = 0; i < 4; i++) CHECK_EQ((intptr_t)finish(t[i]), 2000000);
  closed();
  FACT("both ways");
}

static void* all(void* arg) {
  listener = listening(100);
  accepts();
  many_accepting();
  connects();
  receives();
  sends();
  both_ways();
  shutdowns();
  close(listener);
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
