// SPDX-License-Identifier: MIT
// Pipes and FIFOs: blocking reads and writes, big transfers, several readers, end of file, EPIPE, non-blocking ends, splice and tee.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "check.h"

static int fds[2];
static void* say_later(void* arg) {
  settle();
  CHECK_EQ(write(fds[1], arg, strlen((char*)arg)), strlen((char*)arg));
  return NULL;
}
static void* close_later(void* arg) {
  settle();
  close(*(int*)arg);
  return NULL;
}

static void reads(void) {
  char buffer[64];
  CHECK_EQ(pipe(fds), 0);
  pthread_t t = start(say_later, (void*)"hello");
  CHECK_EQ(read(fds[0], buffer, sizeof buffer), 5);
  finish(t);
  t = start(say_later, (void*)"hello world");
  struct iovec v[2] = {{buffer, 3}, {buffer + 10, 5}};
  CHECK_EQ(readv(fds[0], v, 2), 8);
  CHECK_EQ(read(fds[0], buffer, 0), 0);
  CHECK_EQ(read(fds[0], buffer, 2), 2);
  CHECK(buffer[0] == 'r' && buffer[1] == 'l');
  finish(t);
  int waiting = -1;
  CHECK_EQ(ioctl(fds[0], FIONREAD, &waiting), 0);
  CHECK_EQ(waiting, 1);
  CHECK_EQ(read(fds[0], buffer, 10), 1);
  t = start(close_later, &fds[1]);
  CHECK_EQ(read(fds[0], buffer, 10), 0);
  finish(t);
  CHECK_EQ(read(fds[0], buffer, 10), 0);
  CHECK_ERR(write(fds[0], "x", 1), EBADF);
  CHECK_ERR(pread(fds[0], buffer, 1, 0), ESPIPE);
  close(fds[0]);
  FACT("reads");
}

#define BIG (3 << 20)
static unsigned char pattern(size_t i) { return (unsigned char)(i * 131 + (i >> 11)); }
static void* write_big(void* arg) {
  unsigned char* data = (unsigned char*)malloc(BIG);
  for (size_t i = 0; i < BIG; i++) data[i] = pattern(i);
  ssize_t n;
  if (arg) {
    struct iovec v[5] = {
        {data, 100}, {data + 100, 0}, {data + 100, 70000}, {data + 70100, 1}, {data + 70101, BIG - 70101}};
    n = writev(fds[1], v, 5);
  } else {
    n = write(fds[1], data, BIG);
  }
  close(fds[1]);
  free(data);
  return (void*)n;
}
static void big(void) {
  for (intptr_t vectors = 0; vectors < 2; vectors++) {
    CHECK_EQ(pipe(fds), 0);
    pthread_t t = start(write_big, (void*)vectors);
    static unsigned char buffer[10007];
    size_t at = 0;
    ssize_t n;
    while ((n = read(fds[0], buffer, sizeof buffer)) > 0) {
      for (ssize_t i = 0; i < n; i++)
        if (buffer[i] != pattern(at + (size_t)i)) CHECK(!"data as written");
      at += (size_t)n;
    }
    FACT("big: wrote %d, read %zu", (int)(intptr_t)finish(t), at);
    close(fds[0]);
  }
}

static long total;
static void* drain(void* arg) {
  char c[7];
  ssize_t n;
  while ((n = read(fds[0], c, sizeof c)) > 0) ADD(total, n);
  CHECK_EQ(n, 0);
  return arg;
}
static void* pour(void* arg) {
  char line[100] = {0};
  for (int i = 0; i < 500; i++) CHECK_EQ(write(fds[1], line, sizeof line), sizeof line);
  return arg;
}
static void several(void) {
  CHECK_EQ(pipe(fds), 0);
  CHECK(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
  pthread_t r[8], w[4];
  for (int i = 0; i < 8; i++) r[i] = start(drain, NULL);
  for (int i = 0; i < 4; i++) w[i] = start(pour, NULL);
  for (int i = 0; i < 4; i++) finish(w[i]);
  close(fds[1]);
  for (int i = 0; i < 8; i++) finish(r[i]);
  close(fds[0]);
  FACT("several: %ld", total);
}

/* A write of at most PIPE_BUF stays in one piece, also when it has to wait for room. */
static void* atomic_lines(void* arg) {
  char line[512];
  memset(line, (int)(intptr_t)arg, sizeof line);
  for (int i = 0; i < 100; i++) CHECK_EQ(write(fds[1], line, sizeof line), sizeof line);
  return NULL;
}
static void in_one_piece(void) {
  CHECK_EQ(pipe(fds), 0);
  fcntl(fds[1], F_SETPIPE_SZ, 4096);
  pthread_t w[6];
  for (intptr_t i = 0; i < 6; i++) w[i] = start(atomic_lines, (void*)('a' + i));
  char line[512];
  for (int i = 0; i < 600; i++) {
    CHECK_EQ(read(fds[0], line, sizeof line), sizeof line);
    for (size_t k = 1; k < sizeof line; k++)
      if (line[k] != line[0]) CHECK(!"one piece");
  }
  for (int i = 0; i < 6; i++) finish(w[i]);
  close(fds[0]);
  close(fds[1]);
  FACT("in one piece");
}

static int pipe_signals;
static pid_t signalled;
static void on_pipe(int number) {
  (void)number;
  STORE(signalled, gettid());
  ADD(pipe_signals, 1);
}
static void* write_until_broken(void* arg) {
  static char block[1 << 20];
  CHECK_EQ(write(fds[1], block, sizeof block) < (ssize_t)sizeof block, 1);
  CHECK_ERR(write(fds[1], block, 10), EPIPE);
  CHECK_EQ(LOAD(signalled), gettid());
  return arg;
}
static void broken(void) {
  signal(SIGPIPE, on_pipe);
  CHECK_EQ(pipe(fds), 0);
  close(fds[0]);
  CHECK_ERR(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(LOAD(pipe_signals), 1);
  close(fds[1]);
  CHECK_EQ(pipe(fds), 0);
  pthread_t t = start(write_until_broken, NULL);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  close(fds[0]);
  finish(t);
  close(fds[1]);
  signal(SIGPIPE, SIG_IGN);
  CHECK_EQ(pipe(fds), 0);
  close(fds[0]);
  CHECK_ERR(write(fds[1], "x", 1), EPIPE);
  close(fds[1]);
  FACT("broken");
}

static void nonblocking(void) {
  char buffer[8192] = {0};
  CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY | O_NONBLOCK);
  CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
  CHECK_ERR(read(fds[0], buffer, 1), EAGAIN);
  size_t filled = 0;
  ssize_t n;
  while ((n = write(fds[1], buffer, sizeof buffer)) > 0) filled += (size_t)n;
  CHECK_EQ(errno, EAGAIN);
  FACT("filled %zu", filled);
  CHECK_EQ(read(fds[0], buffer, 4096), 4096);
  CHECK_EQ(write(fds[1], buffer, 8192), 4096);
  CHECK_EQ(fcntl(fds[0], F_SETFL, 0), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY);
  CHECK_EQ(fcntl(fds[1], F_GETFL), O_WRONLY | O_NONBLOCK);
  int on = 1;
  CHECK_EQ(ioctl(fds[0], FIONBIO, &on), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY | O_NONBLOCK);
  on = 0;
  CHECK_EQ(ioctl(fds[0], FIONBIO, &on), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY);
  while (filled) filled -= (size_t)read(fds[0], buffer, filled < sizeof buffer ? filled : sizeof buffer);
  CHECK_EQ(fcntl(fds[1], F_SETFL, 0), 0);
  pthread_t t = start(say_later, (void*)"blocking again");
  CHECK_EQ(read(fds[0], buffer, 100), 14);
  finish(t);
  CHECK_EQ(fcntl(fds[0], F_GETFL), O_RDONLY);
  CHECK_EQ(fcntl(fds[1], F_GETFL), O_WRONLY);
  close(fds[0]);
  close(fds[1]);
}

static const char* fifo = "a-fifo";
static void* open_other_end(void* arg) {
  settle();
  int fd = open(fifo, (int)(intptr_t)arg);
  CHECK(fd >= 0);
  return (void*)(intptr_t)fd;
}
static void fifos(void) {
  unlink(fifo);
  CHECK_EQ(mkfifo(fifo, 0600), 0);
  CHECK_ERR(open(fifo, O_WRONLY | O_NONBLOCK), ENXIO);
  int probe = open(fifo, O_RDONLY | O_NONBLOCK);
  CHECK(probe >= 0);
  close(probe);
  for (int i = 0; i < 2; i++) {
    pthread_t t = start(open_other_end, (void*)(intptr_t)(i ? O_RDONLY : O_WRONLY));
    int mine = -1, other;
    mine = open(fifo, i ? O_WRONLY : O_RDONLY);
    other = (int)(intptr_t)finish(t);
    fds[0] = i ? other : mine;
    fds[1] = i ? mine : other;
    CHECK_EQ(fcntl(mine, F_GETFL) & O_NONBLOCK, 0);
    char buffer[20];
    t = start(say_later, (void*)"through");
    CHECK_EQ(read(fds[0], buffer, sizeof buffer), 7);
    finish(t);
    close(fds[0]);
    close(fds[1]);
  }
  unlink(fifo);
  FACT("fifos");
}

static int other[2];
static void* splice_all(void* arg) {
  long moved = 0;
  ssize_t n;
  while ((n = splice(fds[0], NULL, other[1], NULL, 1 << 16, 0)) > 0) moved += n;
  CHECK_EQ(n, 0);
  close(other[1]);
  (void)arg;
  return (void*)moved;
}
static void splices(void) {
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(pipe(other), 0);
  pthread_t t = start(say_later, (void*)"teeing");
  CHECK_EQ(tee(fds[0], other[1], 100, 0), 6);
  finish(t);
  char buffer[4096];
  CHECK_EQ(read(fds[0], buffer, 100), 6);
  CHECK_EQ(read(other[0], buffer, 100), 6);
  CHECK_ERR(splice(fds[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  struct iovec v = {(void*)"vm", 2};
  CHECK_EQ(vmsplice(fds[1], &v, 1, 0), 2);
  CHECK_EQ(read(fds[0], buffer, 100), 2);
  pthread_t mover = start(splice_all, NULL), writer = start(write_big, NULL);
  size_t at = 0;
  ssize_t n;
  while ((n = read(other[0], buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; i++)
      if ((unsigned char)buffer[i] != pattern(at + (size_t)i)) CHECK(!"data as spliced");
    at += (size_t)n;
  }
  CHECK_EQ(at, BIG);
  CHECK_EQ((intptr_t)finish(writer), BIG);
  CHECK_EQ((intptr_t)finish(mover), BIG);
  close(fds[0]);
  close(other[0]);
  FACT("splices");
}

static void* all(void* arg) {
  reads();
  big();
  total = 0;
  several();
  in_one_piece();
  pipe_signals = 0;
  broken();
  nonblocking();
  fifos();
  splices();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
