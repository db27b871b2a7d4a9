// SPDX-License-Identifier: MIT
// The life of descriptors: close under a blocked reader, dup over one in use, reuse, lowest numbers, shared O_NONBLOCK, limits.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int fds[2], done;
static pid_t reader;
static char got[100];
static void* read_it(void* arg) {
  (void)arg;
  STORE(reader, gettid());
  memset(got, 0, sizeof got);
  ssize_t n = read(fds[0], got, sizeof got - 1);
  STORE(done, 1);
  return (void*)n;
}

/* Waits until the reader is inside its call: the kernel says so of its own threads, and Weft's get there at once. */
static void await_reader(void) {
  AWAIT(LOAD(reader));
  char path[60], text[60] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", LOAD(reader));
  int fd = open(path, O_RDONLY);
  if (fd >= 0) {
    AWAIT(pread(fd, text, sizeof text - 1, 0) > 0 && text[0] == '0' && text[1] == ' ');
    close(fd);
  }
  for (int i = 0; i < 4; i++) settle();
  STORE(reader, 0);
}

/* The kernel keeps the description for a call that is inside: the reader gets what comes later. */
static void close_under_reader(void) {
  int kinds[] = {0, 1};
  for (int k = 0; k < 2; k++) {
    STORE(done, 0);
    if (kinds[k])
      CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    else
      CHECK_EQ(pipe(fds), 0);
    int reading = fds[0];
    pthread_t t = start(read_it, NULL);
    await_reader();
    close(reading);
    int reused = open("/dev/null", O_RDWR);
    CHECK_EQ(reused, reading);
    settle();
    CHECK_EQ(LOAD(done), 0);
    CHECK_EQ(write(fds[1], "late", 4), 4);
    ssize_t n = (ssize_t)finish(t);
    FACT("closed under a reader: %zd %s", n, got);
    close(reused);
    close(fds[1]);
  }
}

static void dup_over_reader(void) {
  for (int way = 0; way < 2; way++) {
    STORE(done, 0);
    CHECK_EQ(pipe(fds), 0);
    pthread_t t = start(read_it, NULL);
    await_reader();
    int other[2];
    CHECK_EQ(pipe(other), 0);
    if (way)
      CHECK_EQ(dup3(other[0], fds[0], O_CLOEXEC), fds[0]);
    else
      CHECK_EQ(dup2(other[0], fds[0]), fds[0]);
    CHECK_EQ(write(other[1], "new", 3), 3);
    settle();
    CHECK_EQ(LOAD(done), 0);
    CHECK_EQ(write(fds[1], "old", 3), 3);
    CHECK_EQ((intptr_t)finish(t), 3);
    FACT("dup over a reader: it read %s", got);
    CHECK_EQ(read(fds[0], got, 10), 3);
    FACT("the new one has %.3s", got);
    close(fds[0]);
    close(fds[1]);
    close(other[0]);
    close(other[1]);
  }
}

static void numbers(void) {
  int a = open("/dev/null", O_RDONLY), b = dup(a), c = fcntl(a, F_DUPFD, 100), d = fcntl(a, F_DUPFD_CLOEXEC, 100);
  FACT("numbers %d %d %d %d", a, b, c, d);
  close(a);
  CHECK_EQ(eventfd(0, 0), a);
  CHECK_EQ(dup2(a, 60), 60);
  CHECK_EQ(dup2(a, a), a);
  CHECK_ERR(dup3(a, a, 0), EINVAL);
  CHECK_ERR(dup2(a, -1), EBADF);
  CHECK_ERR(dup2(61, 62), EBADF);
  CHECK_EQ(close_range(60, 101, 0), 0);
  CHECK_ERR(fcntl(c, F_GETFD), EBADF);
  CHECK_EQ(close_range((unsigned)b, (unsigned)b, CLOSE_RANGE_CLOEXEC), 0);
  CHECK_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
  close(a);
  close(b);
  CHECK_ERR(close(a), EBADF);
  CHECK_ERR(close(-1), EBADF);
  int s[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
  FACT("sockets %d %d", s[0], s[1]);
  close(s[0]);
  close(s[1]);
}

static int open_count(void) {
  DIR* dir = opendir("/proc/self/fd");
  int n = 0;
  for (struct dirent* e; (e = readdir(dir));) n += e->d_name[0] != '.' && atoi(e->d_name) < 1000;
  closedir(dir);
  return n - 1;
}

static int serving[2], served, stop_serving;
static void* serve(void* arg) {
  char c;
  while (read(serving[0], &c, 1) == 1) {
    ADD(served, 1);
    if (c == 's') break;
  }
  return arg;
}
/* What daemons do: nothing of the runtime's may be lost by it. */
static void close_everything(void) {
  CHECK_EQ(pipe(serving), 0);
  int keep0 = serving[0], keep1 = serving[1];
  pthread_t t = start(serve, NULL);
  CHECK_EQ(write(keep1, "x", 1), 1);
  AWAIT(LOAD(served) == 1);
  for (int fd = 3; fd < 1024; fd++)
    if (fd != keep0 && fd != keep1) close(fd);
  CHECK_EQ(write(keep1, "x", 1), 1);
  AWAIT(LOAD(served) == 2);
  unsigned top = (unsigned)(keep0 > keep1 ? keep0 : keep1);
  CHECK_EQ(close_range(top + 1, ~0u, 0), 0);
  CHECK_EQ(write(keep1, "x", 1), 1);
  AWAIT(LOAD(served) == 3);
  DIR* dir = opendir("/proc/self/fd");
  int self = dirfd(dir), all[100], n = 0;
  for (struct dirent* e; (e = readdir(dir)) && n < 100;)
    if (e->d_name[0] != '.') all[n++] = atoi(e->d_name);
  for (int i = 0; i < n; i++)
    if (all[i] > 2 && all[i] != keep0 && all[i] != keep1 && all[i] != self) close(all[i]);
  closedir(dir);
  CHECK_EQ(write(keep1, "s", 1), 1);
  finish(t);
  close(keep0);
  close(keep1);
  FACT("served %d after everything was closed", served);
}

static void shared_flags(void) {
  CHECK_EQ(pipe(fds), 0);
  int copy = dup(fds[0]);
  pthread_t t = start(read_it, NULL);
  for (int i = 0; i < 2; i++) settle();
  CHECK_EQ(fcntl(fds[0], F_GETFL) | fcntl(copy, F_GETFL), O_RDONLY);
  pid_t pid = fork();
  if (pid == 0) {
    FILE* info;
    char path[60], line[100];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", copy); /* what the kernel has, not what libc says */
    info = fopen(path, "r");
    while (info && fgets(line, sizeof line, info)) sscanf(line, "flags: %o", &flags);
    _exit((flags & O_NONBLOCK) != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("a child sees O_NONBLOCK: %d", WEXITSTATUS(status));
  CHECK_EQ(fcntl(copy, F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY | O_NONBLOCK);
  CHECK_EQ(write(fds[1], "end", 3), 3);
  CHECK_EQ((intptr_t)finish(t), 3);
  char c;
  CHECK_ERR(read(fds[0], &c, 1), EAGAIN);
  close(copy);
  close(fds[0]);
  close(fds[1]);
}

/* Descriptors that are closed and made again under threads that use their numbers: data never crosses over. */
static int mismatches;
static void* churn(void* arg) {
  unsigned char me = (unsigned char)(intptr_t)arg;
  for (int i = 0; i < 300; i++) {
    int p[2];
    if ((i & 1) ? socketpair(AF_UNIX, SOCK_STREAM, 0, p) : pipe(p)) {
      ADD(mismatches, 1000);
      continue;
    }
    pid_t tag = me * 1000 + i, back = 0;
    if (i % 3 == 0) {
      struct pollfd f = {p[0], POLLIN, 0};
      if (poll(&f, 1, i % 2) != 0) ADD(mismatches, 1);
    }
    if (write(p[1], &tag, sizeof tag) != sizeof tag) ADD(mismatches, 1);
    if (i % 7 == 0) sched_yield();
    if (read(p[0], &back, sizeof back) != sizeof back || back != tag) ADD(mismatches, 1);
    close(p[0]);
    close(p[1]);
  }
  return NULL;
}

static void limits(void) {
  struct rlimit old, low;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  low = old;
  low.rlim_cur = 20;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  int all[40], n = 0;
  while (n < 40 && (all[n] = dup(0)) >= 0) n++;
  FACT("with a limit of 20: %d more, highest %d, then %s", n, all[n - 1], check_error_name(errno));
  CHECK_ERR(pipe(fds), EMFILE);
  CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
  CHECK_ERR(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
  close(all[--n]);
  CHECK_ERR(pipe(fds), EMFILE);
  close(all[--n]);
  CHECK_EQ(pipe(fds), 0);
  pthread_t t = start(read_it, NULL);
  settle();
  struct pollfd p = {fds[0], POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 5), 0);
  CHECK_EQ(write(fds[1], "low", 3), 3);
  CHECK_EQ((intptr_t)finish(t), 3);
  close(fds[0]);
  close(fds[1]);
  while (n > 0) close(all[--n]);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int main(void) {
  begin();
  FACT("open: %d", open_count());
  close_under_reader();
  dup_over_reader();
  numbers();
  shared_flags();
  pthread_t t[8];
  for (intptr_t i = 0; i < 8; i++) t[i] = start(churn, (void*)i);
  for (int i = 0; i < 8; i++) finish(t[i]);
  FACT("mismatches %d", mismatches);
  FACT("open: %d", open_count());
  limits();
  close_everything();
  FACT("open: %d", open_count());
  (void)stop_serving;
  return end();
}
