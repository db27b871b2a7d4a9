// SPDX-License-Identifier: MIT
// Calls that block until something happens that never does, for cancels.c and interrupts.c: what a cancellation or a handler does to
// each. prepare_blocking() makes what they wait for, in the working folder too; end_blocking() takes it away.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "check.h"
#include "fill.h"

static struct {
  int empty[2], full[2], other[2];                /* pipes */
  int silent[2], crowded[2], limited[2], many[2]; /* socket pairs; many: datagrams */
  int listener, epoll, event, timer, signals, terminal, slave, lock;
  int queue, semaphore;
  struct sockaddr_un busy; /* a listener whose backlog is full */
  int before[64], before_count;
  char block[1 << 16];
} b;

static void prepare_blocking(void) {
  CHECK_EQ(pipe(b.empty) + pipe(b.full) + pipe(b.other), 0);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, b.silent) + socketpair(AF_UNIX, SOCK_STREAM, 0, b.crowded) +
               socketpair(AF_UNIX, SOCK_STREAM, 0, b.limited) + socketpair(AF_UNIX, SOCK_DGRAM, 0, b.many),
           0);
  fill(b.full[1]);
  fill(b.crowded[1]);
  fill(b.limited[1]);
  fill(b.many[1]);
  struct timeval limit = {1000, 0};
  CHECK_EQ(setsockopt(b.limited[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);

  b.listener = socket(AF_UNIX, SOCK_STREAM, 0);
  b.busy.sun_family = AF_UNIX;
  snprintf(b.busy.sun_path + 1, sizeof b.busy.sun_path - 1, "weft-blocking-%d", getpid());
  CHECK_EQ(bind(b.listener, (struct sockaddr*)&b.busy, sizeof b.busy) + listen(b.listener, 1), 0);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    b.before[b.before_count++] = fd;
    if (connect(fd, (struct sockaddr*)&b.busy, sizeof b.busy) != 0 || b.before_count == 64) break;
  }

  b.epoll = epoll_create1(0);
  b.event = eventfd(0, 0);
  uint64_t most = UINT64_MAX - 1;
  CHECK_EQ(write(b.event, &most, sizeof most), sizeof most);
  b.timer = timerfd_create(CLOCK_MONOTONIC, 0);
  sigset_t never_sent;
  sigemptyset(&never_sent);
  sigaddset(&never_sent, SIGRTMIN + 5);
  b.signals = signalfd(-1, &never_sent, 0);
  b.terminal = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK_EQ(grantpt(b.terminal) + unlockpt(b.terminal), 0);
  b.slave = open(ptsname(b.terminal), O_RDWR | O_NOCTTY);
  CHECK(b.slave >= 0);

  /* Against which those of the process stand as well as those of other descriptions. */
  b.lock = open("b-lock", O_CREAT | O_RDWR, 0600);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  CHECK_EQ(fcntl(b.lock, F_OFD_SETLK, &whole), 0);
  unlink("b-fifo");
  CHECK_EQ(mkfifo("b-fifo", 0600), 0);

  b.queue = msgget(IPC_PRIVATE, 0600);
  b.semaphore = semget(IPC_PRIVATE, 1, 0600);
  CHECK(b.queue >= 0 && b.semaphore >= 0);
  struct {
    long type;
    char text[1000];
  } m = {1, ""};
  while (msgsnd(b.queue, &m, sizeof m.text, IPC_NOWAIT) == 0) {
  }
}

static void end_blocking(void) {
  msgctl(b.queue, IPC_RMID, NULL);
  semctl(b.semaphore, 0, IPC_RMID);
  unlink("b-fifo");
  unlink("b-lock");
}

static struct iovec b_byte(void) { return (struct iovec){b.block, 1}; }

static long b_readv(void) {
  struct iovec v = b_byte();
  return readv(b.empty[0], &v, 1);
}
static long b_preadv2(void) {
  struct iovec v = b_byte();
  return preadv2(b.empty[0], &v, 1, -1, 0);
}
static long b_writev(void) {
  struct iovec v[2] = {{b.block, 4000}, {b.block, 90}};
  return writev(b.full[1], v, 2);
}
static long b_pwritev2(void) {
  struct iovec v = b_byte();
  return pwritev2(b.full[1], &v, 1, -1, 0);
}
static long b_writev_socket(void) {
  struct iovec v = b_byte();
  return writev(b.crowded[1], &v, 1);
}
static long b_recvfrom(void) { return recvfrom(b.silent[0], b.block, 1, 0, NULL, NULL); }
static long b_recvmmsg(void) {
  struct iovec v = b_byte();
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
  return recvmmsg(b.silent[0], &m, 1, 0, NULL);
}
static long b_sendto(void) { return sendto(b.crowded[1], b.block, 1, 0, NULL, 0); }
static long b_sendto_limited(void) { return sendto(b.limited[1], b.block, 1, 0, NULL, 0); }
static long b_sendmsg(void) {
  struct iovec v = b_byte();
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  return sendmsg(b.crowded[1], &m, 0);
}
static long b_sendmmsg(void) {
  struct iovec v = b_byte();
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
  return sendmmsg(b.crowded[1], &m, 1, 0);
}
static long b_send_datagram(void) { return send(b.many[1], b.block, 1, 0); }
static long b_accept4(void) {
  static int idle;
  if (idle == 0) {
    idle = socket(AF_INET, SOCK_STREAM, 0);
    listen(idle, 1);
  }
  return accept4(idle, NULL, NULL, SOCK_CLOEXEC);
}
static long b_connect(void) {
  static int fd;
  if (fd == 0) fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(fd, (struct sockaddr*)&b.busy, sizeof b.busy);
}
static long b_ppoll(void) {
  struct pollfd p = {b.empty[0], POLLIN, 0};
  struct timespec limit = {1000, 0};
  return ppoll(&p, 1, &limit, NULL);
}
static long b_pselect(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(b.empty[0], &set);
  return pselect(b.empty[0] + 1, &set, NULL, NULL, NULL, NULL);
}
static long b_epoll_pwait(void) {
  struct epoll_event e;
  return epoll_pwait(b.epoll, &e, 1, -1, NULL);
}
static long b_epoll_pwait2(void) {
  struct epoll_event e;
  struct timespec limit = {1000, 0};
  return epoll_pwait2(b.epoll, &e, 1, &limit, NULL);
}
static long b_clock_nanosleep(void) {
  struct timespec until = in_ms(CLOCK_MONOTONIC, 1000000);
  errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  return errno ? -1 : 0;
}
static long b_clock_nanosleep_realtime(void) {
  struct timespec until = in_ms(CLOCK_REALTIME, 1000000);
  errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
  return errno ? -1 : 0;
}
static long b_read_event(void) {
  static int zero = -1;
  if (zero < 0) zero = eventfd(0, 0);
  return read(zero, b.block, 8);
}
static long b_write_event(void) {
  uint64_t one = 1;
  return write(b.event, &one, sizeof one);
}
static long b_read_timer(void) { return read(b.timer, b.block, 8); }
static long b_read_signals(void) { return read(b.signals, b.block, sizeof(struct signalfd_siginfo)); }
static long b_read_terminal(void) { return read(b.slave, b.block, 10); }
static long b_lock_with(int command) {
  int fd = open("b-lock", O_RDWR);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  long result = command == F_LOCK ? lockf(fd, F_LOCK, 0) : fcntl(fd, command, &whole);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}
static long b_setlkw(void) { return b_lock_with(F_SETLKW); }
static long b_ofd_setlkw(void) { return b_lock_with(F_OFD_SETLKW); }
static long b_lockf(void) { return b_lock_with(F_LOCK); }
static long b_fifo_write(void) { return open("b-fifo", O_WRONLY); }
static long b_creat(void) { return creat("b-fifo", 0600); }
static long b_msgsnd(void) {
  struct {
    long type;
    char text[1000];
  } m = {1, ""};
  return msgsnd(b.queue, &m, sizeof m.text, 0);
}
static long b_msgrcv(void) {
  struct {
    long type;
    char text[1000];
  } m;
  return msgrcv(b.queue, &m, sizeof m.text, 77, 0);
}
static long b_splice(void) { return splice(b.empty[0], NULL, b.other[1], NULL, 1, 0); }
static long b_tee(void) { return tee(b.empty[0], b.other[1], 1, 0); }
static long b_vmsplice(void) {
  struct iovec v = b_byte();
  return vmsplice(b.full[1], &v, 1, 0);
}
static long b_sendfile(void) {
  int file = open("/proc/self/exe", O_RDONLY);
  off_t from = 0;
  long result = sendfile(b.crowded[1], file, &from, 100);
  int error = errno;
  close(file);
  errno = error;
  return result;
}
static long b_semtimedop(void) {
  struct sembuf down = {0, -1, 0};
  struct timespec limit = {1000, 0};
  return semtimedop(b.semaphore, &down, 1, &limit);
}
static long b_sigtimedwait(void) {
  sigset_t set;
  struct timespec limit = {1000, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  return sigtimedwait(&set, NULL, &limit);
}

static const struct blocking_call {
  const char* name;
  long (*call)(void);
  int restarts; /* with SA_RESTART */
  int cancels;  /* libc makes it a cancellation point */
} blocking_calls[] = {{"readv", b_readv, 1, 1},
                      {"preadv2", b_preadv2, 1, 1},
                      {"writev", b_writev, 1, 1},
                      {"pwritev2", b_pwritev2, 1, 1},
                      {"writev to a socket", b_writev_socket, 1, 1},
                      {"recvfrom", b_recvfrom, 1, 1},
                      {"recvmmsg", b_recvmmsg, 1, 1},
                      {"sendto", b_sendto, 1, 1},
                      {"sendto with SO_SNDTIMEO", b_sendto_limited, 0, 1},
                      {"sendmsg", b_sendmsg, 1, 1},
                      {"sendmmsg", b_sendmmsg, 1, 1},
                      {"send of a datagram", b_send_datagram, 1, 1},
                      {"accept4", b_accept4, 1, 1},
                      {"connect", b_connect, 1, 1},
                      {"ppoll", b_ppoll, 0, 1},
                      {"pselect", b_pselect, 0, 1},
                      {"epoll_pwait", b_epoll_pwait, 0, 1},
                      {"epoll_pwait2", b_epoll_pwait2, 0, 1},
                      {"clock_nanosleep", b_clock_nanosleep, 0, 1},
                      {"clock_nanosleep by the wall clock", b_clock_nanosleep_realtime, 0, 1},
                      {"read of an eventfd", b_read_event, 1, 1},
                      {"write to an eventfd", b_write_event, 1, 1},
                      {"read of a timerfd", b_read_timer, 1, 1},
                      {"read of a signalfd", b_read_signals, 1, 1},
                      {"read of a terminal", b_read_terminal, 1, 1},
                      {"F_SETLKW", b_setlkw, 1, 1},
                      {"F_OFD_SETLKW", b_ofd_setlkw, 1, 1},
                      {"lockf", b_lockf, 1, 1},
                      {"open of a fifo for writing", b_fifo_write, 1, 1},
                      {"creat", b_creat, 1, 1},
                      {"msgsnd", b_msgsnd, 0, 1},
                      {"msgrcv", b_msgrcv, 0, 1},
                      {"splice", b_splice, 1, 1},
                      {"tee", b_tee, 1, 1},
                      {"vmsplice", b_vmsplice, 1, 1},
                      {"sendfile", b_sendfile, 1, 0},
                      {"semtimedop", b_semtimedop, 0, 0},
                      {"sigtimedwait", b_sigtimedwait, 0, 1}};
enum { blocking_count = sizeof blocking_calls / sizeof blocking_calls[0] };
