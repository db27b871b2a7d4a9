// SPDX-License-Identifier: MIT
// Bad pointers and bad arguments in every call that touches the program's memory: the error of the kernel, never a crash.
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

static char *none, *readonly, *edge; /* nothing there; not writable; the last bytes before nothing */

static long raw(long number, long a, long b, long c, long d, long e, long f) {
  return syscall(number, a, b, c, d, e, f);
}
#define RAW(number, ...) RAW_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(number, a, b, c, d, e, f, ...) \
  raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define SAYS(call)                                                           \
  do {                                                                       \
    errno = 0;                                                               \
    long got_ = (long)(call);                                                \
    FACT("%s: %ld %s", #call, got_, check_error_name(got_ < 0 ? errno : 0)); \
  } while (0)

static void pointers(void) {
  int p[2], s[2], q[2];
  CHECK_EQ(pipe(p) + pipe(q) + socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
  int null = open("/dev/null", O_RDWR), ep = epoll_create1(0), ev = eventfd(1, 0),
      tfd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec soon = {{0, 0}, {0, 1}};
  timerfd_settime(tfd, 0, &soon, NULL);
  CHECK_EQ(write(p[1], "abcdefgh", 8), 8);
  CHECK_EQ(write(s[1], "abcdefgh", 8), 8);
  SAYS(RAW(SYS_read, p[0], none, 4));
  SAYS(RAW(SYS_read, p[0], readonly, 4));
  SAYS(RAW(SYS_read, p[0], NULL, 4));
  SAYS(RAW(SYS_read, s[0], none, 4));
  SAYS(RAW(SYS_read, ev, none, 8));
  SAYS(RAW(SYS_read, tfd, none, 8));
  SAYS(RAW(SYS_write, p[1], none, 4));
  SAYS(RAW(SYS_write, p[1], edge, 8));
  SAYS(RAW(SYS_write, s[1], none, 4));
  SAYS(RAW(SYS_write, ev, none, 8));
  SAYS(RAW(SYS_readv, p[0], none, 1));
  SAYS(RAW(SYS_readv, p[0], none, 0));
  SAYS(RAW(SYS_readv, p[0], edge, 5000));
  SAYS(RAW(SYS_writev, p[1], none, 2));
  struct iovec bad[2] = {{(void*)"ok", 2}, {none, 5}}, huge[2] = {{edge, (size_t)-1}, {edge, 1}};
  SAYS(RAW(SYS_writev, p[1], bad, 2));
  SAYS(RAW(SYS_writev, p[1], huge, 2));
  SAYS(RAW(SYS_readv, s[0], huge, 2));
  struct msghdr m = {.msg_iov = (struct iovec*)(void*)none, .msg_iovlen = 1};
  SAYS(RAW(SYS_recvmsg, s[0], none, 0));
  SAYS(RAW(SYS_recvmsg, s[0], &m, 0));
  SAYS(RAW(SYS_sendmsg, s[1], none, 0));
  SAYS(RAW(SYS_sendmsg, s[1], &m, 0));
  m.msg_iovlen = 5000;
  SAYS(RAW(SYS_sendmsg, s[1], &m, 0));
  SAYS(RAW(SYS_recvmmsg, s[0], none, 2, 0, 0));
  SAYS(RAW(SYS_sendmmsg, s[1], none, 2, 0));
  SAYS(RAW(SYS_recvfrom, s[0], none, 4, 0, 0, 0));
  SAYS(RAW(SYS_recvfrom, s[0], edge, 2, 0, none, none));
  SAYS(RAW(SYS_sendto, s[1], none, 4, 0, 0, 0));
  SAYS(RAW(SYS_connect, s[1], none, 16));
  SAYS(RAW(SYS_connect, s[1], none, 1000));
  SAYS(RAW(SYS_connect, s[1], none, -1));
  SAYS(RAW(SYS_poll, none, 1, 0));
  SAYS(RAW(SYS_poll, none, 1, -1));
  SAYS(RAW(SYS_poll, none, 1 << 30, -1));
  SAYS(RAW(SYS_ppoll, 0, 0, none, 0, 8));
  SAYS(RAW(SYS_ppoll, 0, 0, 0, none, 8));
  SAYS(RAW(SYS_ppoll, 0, 0, 0, edge, 4));
  SAYS(RAW(SYS_select, 10, none, 0, 0, 0));
  SAYS(RAW(SYS_select, 1, 0, 0, 0, none));
  SAYS(RAW(SYS_pselect6, 1, 0, 0, none, 0, 0));
  SAYS(RAW(SYS_pselect6, 1, 0, 0, 0, none, 0));
  SAYS(RAW(SYS_pselect6, 1, 0, 0, 0, 0, none));
  struct epoll_event in = {.events = EPOLLIN, .data = {.fd = 0}};
  CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &in), 0);
  SAYS(RAW(SYS_epoll_wait, ep, none, 1, 0));
  SAYS(RAW(SYS_epoll_wait, ep, none, 1, -1));
  SAYS(RAW(SYS_epoll_wait, ep, none, -1, -1));
  SAYS(RAW(SYS_epoll_pwait, ep, edge, 1, -1, none, 8));
  SAYS(RAW(SYS_epoll_pwait2, ep, edge, 1, none, 0, 8));
  SAYS(RAW(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, q[0], none));
  SAYS(RAW(SYS_nanosleep, none, 0));
  SAYS(RAW(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, none, 0));
  SAYS(RAW(SYS_clock_nanosleep, 1234, 0, none, 0));
  SAYS(RAW(SYS_rt_sigtimedwait, none, 0, 0, 8));
  SAYS(RAW(SYS_rt_sigtimedwait, edge, 0, none, 8));
  SAYS(RAW(SYS_rt_sigtimedwait, edge, 0, 0, 9));
  SAYS(RAW(SYS_rt_sigsuspend, none, 8));
  SAYS(RAW(SYS_rt_sigsuspend, edge, 7));
  SAYS(RAW(SYS_rt_sigprocmask, SIG_BLOCK, none, 0, 8));
  SAYS(RAW(SYS_rt_sigprocmask, SIG_BLOCK, 0, none, 8));
  SAYS(RAW(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 4));
  SAYS(RAW(SYS_rt_sigprocmask, 9, edge, 0, 8));
  SAYS(RAW(SYS_rt_sigaction, SIGUSR1, none, 0, 8));
  SAYS(RAW(SYS_rt_sigaction, SIGUSR1, 0, none, 8));
  SAYS(RAW(SYS_rt_sigaction, SIGUSR1, 0, 0, 4));
  SAYS(RAW(SYS_rt_sigpending, none, 8));
  SAYS(RAW(SYS_sigaltstack, none, 0));
  SAYS(RAW(SYS_sigaltstack, 0, none));
  SAYS(RAW(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, none));
  SAYS(RAW(SYS_futex, none, FUTEX_WAIT_PRIVATE, 0, 0));
  SAYS(RAW(SYS_futex, edge, FUTEX_WAIT_PRIVATE, 0, none));
  SAYS(RAW(SYS_accept, s[0], none, none));
  SAYS(RAW(SYS_sendfile, s[1], null, none, 10));
  SAYS(RAW(SYS_splice, p[0], none, s[1], 0, 10, 0));
  SAYS(RAW(SYS_pipe, none));
  SAYS(RAW(SYS_pipe2, edge, 0x1234));
  SAYS(RAW(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, none));
  SAYS(RAW(SYS_open, none, O_RDONLY));
  SAYS(RAW(SYS_openat, AT_FDCWD, none, O_RDONLY));
  SAYS(RAW(SYS_ioctl, p[0], 0x541b, none)); /* FIONREAD */
  SAYS(RAW(SYS_ioctl, p[0], 0x5421, none)); /* FIONBIO */
  SAYS(RAW(SYS_fcntl, null, F_SETLKW, none));
  SAYS(RAW(SYS_prctl, 15, none));
  SAYS(RAW(SYS_set_robust_list, none, 3));
  SAYS(RAW(SYS_sched_getaffinity, 0, 128, none));
  SAYS(RAW(SYS_sched_setaffinity, 0, 128, none));
  SAYS(RAW(SYS_setitimer, ITIMER_REAL, none, 0));
  SAYS(RAW(SYS_timer_create, CLOCK_MONOTONIC, none, none));
  SAYS(RAW(SYS_execve, none, 0, 0));
  SAYS(RAW(SYS_execveat, AT_FDCWD, none, 0, 0, 0));
  SAYS(RAW(SYS_execveat, AT_FDCWD, "/bin/true", none, 0, 0));
  SAYS(RAW(SYS_execveat, 5000, "", 0, 0, AT_EMPTY_PATH));
  SAYS(RAW(SYS_preadv2, p[0], none, 1, -1, -1, 0));
  SAYS(RAW(SYS_preadv2, p[0], edge, 5000, -1, -1, 0));
  SAYS(RAW(SYS_preadv2, p[0], huge, 2, -1, -1, 0));
  SAYS(RAW(SYS_pwritev2, p[1], none, 1, -1, -1, 0));
  SAYS(RAW(SYS_pwritev2, p[1], bad, 2, -1, -1, 0));
  SAYS(RAW(SYS_pwritev2, p[1], bad, 1, -1, -1, 0x4000));
  SAYS(RAW(SYS_writev, s[1], none, 2));
  SAYS(RAW(SYS_writev, s[1], bad, 2));
  SAYS(RAW(SYS_writev, s[1], huge, 2));
  SAYS(RAW(SYS_vmsplice, p[1], none, 1, 0));
  SAYS(RAW(SYS_vmsplice, p[1], bad + 1, 1, 0));
  SAYS(RAW(SYS_vmsplice, s[1], bad, 1, 0));
  SAYS(RAW(SYS_creat, none, 0600));
  SAYS(RAW(SYS_openat2, AT_FDCWD, none, edge, 24));
  SAYS(RAW(SYS_openat2, AT_FDCWD, "/", none, 24));
  SAYS(RAW(SYS_openat2, AT_FDCWD, "/", edge, 1));
  SAYS(RAW(SYS_openat2, AT_FDCWD, "/", edge, 5000));
  SAYS(RAW(SYS_signalfd4, -1, none, 8, 0));
  SAYS(RAW(SYS_signalfd4, -1, edge, 7, 0));
  SAYS(RAW(SYS_signalfd4, -1, edge, 8, 0x1234));
  SAYS(RAW(SYS_signalfd4, 5000, edge, 8, 0));
  SAYS(RAW(SYS_signalfd4, p[0], edge, 8, 0));
  SAYS(RAW(SYS_signalfd, -1, none, 8));
  SAYS(RAW(SYS_clone3, none, 88));
  SAYS(RAW(SYS_clone3, edge, 8));
  SAYS(RAW(SYS_clone3, edge, 5000));
  struct timeval no_time = {0, 2000000};
  const int limits[] = {SO_RCVTIMEO, SO_SNDTIMEO};
  for (int i = 0; i < 2; i++) {
    SAYS(RAW(SYS_setsockopt, s[0], SOL_SOCKET, limits[i], none, sizeof(struct timeval)));
    SAYS(RAW(SYS_setsockopt, s[0], SOL_SOCKET, limits[i], edge, 1));
    SAYS(RAW(SYS_setsockopt, s[0], SOL_SOCKET, limits[i], &no_time, sizeof no_time));
    SAYS(RAW(SYS_setsockopt, p[0], SOL_SOCKET, limits[i], edge, sizeof(struct timeval)));
  }
  SAYS(RAW(SYS_sched_setparam, 0, none));
  SAYS(RAW(SYS_sched_setparam, 0, 0));
  SAYS(RAW(SYS_sched_getparam, 0, none));
  SAYS(RAW(SYS_sched_getparam, 0, 0));
  SAYS(RAW(SYS_sched_getparam, 1 << 30, edge));
  SAYS(RAW(SYS_sched_setscheduler, 0, 0, none));
  SAYS(RAW(SYS_sched_setscheduler, 0, 99, edge));
  SAYS(RAW(SYS_sched_getscheduler, -1));
  SAYS(RAW(SYS_sched_rr_get_interval, 0, none));
  SAYS(RAW(SYS_sched_rr_get_interval, -1, edge));
  const int set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
  SAYS(RAW(SYS_semop, set, none, 1));
  SAYS(RAW(SYS_semop, set, none, 0));
  SAYS(RAW(SYS_semop, set, none, 1 << 20));
  SAYS(RAW(SYS_semop, -1, edge, 1));
  SAYS(RAW(SYS_semtimedop, set, edge, 1, none));
  const struct timespec no_timeout = {0, 1000000000};
  SAYS(RAW(SYS_semtimedop, set, edge, 1, &no_timeout));
  SAYS(RAW(SYS_mq_timedsend, -1, edge, 1, 0, none));
  SAYS(RAW(SYS_mq_timedsend, -1, edge, 1, 0, &no_timeout));
  SAYS(RAW(SYS_mq_timedreceive, -1, edge, 1, 0, none));
  SAYS(RAW(SYS_mq_timedreceive, -1, edge, 1, 0, 0));
  SAYS(RAW(SYS_msgsnd, queue, none, 4, 0));
  SAYS(RAW(SYS_msgsnd, queue, edge, 4, 0));
  SAYS(RAW(SYS_msgsnd, queue, edge, -1, 0));
  SAYS(RAW(SYS_msgsnd, -1, edge, 4, 0));
  const struct {
    long type;
    char text[8];
  } m8 = {1, "message"};
  SAYS(RAW(SYS_msgsnd, queue, &m8, 8, 0));
  SAYS(RAW(SYS_msgrcv, queue, edge, 4, 0, 0)); /* too long */
  SAYS(RAW(SYS_msgrcv, queue, none, 8, 0, 0)); /* and gone */
  SAYS(RAW(SYS_msgrcv, queue, edge, 8, 0, IPC_NOWAIT));
  SAYS(RAW(SYS_msgrcv, -1, edge, 8, 0, 0));
  semctl(set, 0, IPC_RMID);
  msgctl(queue, IPC_RMID, NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t info;
  SAYS(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  SAYS(RAW(SYS_waitid, P_PID, pid, none, WEXITED | WNOWAIT, 0));
  SAYS(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG)); /* was it reaped? */
  for (int i = 0; i < 2; i++) {
    pid = fork();
    if (pid == 0) _exit(0);
    if (i == 0) SAYS(RAW(SYS_wait4, pid, none, 0, 0));
    if (i == 1) SAYS(RAW(SYS_wait4, pid, 0, 0, none));
    SAYS(RAW(SYS_wait4, pid, 0, 0, 0));
  }
  close(p[0]);
  close(p[1]);
  close(s[0]);
  close(s[1]);
  close(q[0]);
  close(q[1]);
  close(null);
  close(ep);
  close(ev);
  close(tfd);
}

/* The address of the peer cannot be written, whether it is there already or comes. */
static struct sockaddr_in where;
static void* connect_late(void* arg) {
  if (arg) settle();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(connect(fd, (struct sockaddr*)&where, sizeof where), 0);
  close(fd);
  return NULL;
}
static void accepted(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof where;
  CHECK_EQ(listen(listener, 5), 0);
  CHECK_EQ(getsockname(listener, (struct sockaddr*)&where, &size), 0);
  for (int late = 0; late < 2; late++) {
    for (int kind = 0; kind < 3; kind++) {
      pthread_t t = start(connect_late, late ? &where : NULL);
      if (!late) finish(t);
      size = sizeof where;
      if (kind == 0) SAYS(RAW(SYS_accept, listener, none, &size));
      if (kind == 1) SAYS(RAW(SYS_accept4, listener, &where, none, 0));
      if (kind == 2) {
        size = (socklen_t)-1;
        SAYS(RAW(SYS_accept, listener, &where, &size));
      }
      if (late) finish(t);
      size = sizeof where;
      CHECK_EQ(getsockname(listener, (struct sockaddr*)&where, &size), 0);
    }
  }
  CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
  SAYS(RAW(SYS_accept, listener, 0, 0)); /* nobody is left over */
  close(listener);
  int next = dup(0);
  FACT("next fd %d", next);
  close(next);
}

/* The buffer is bad and nothing is there yet: the call waits and says EFAULT when something comes, or at once for what it reads. */
static int late[2];
static void* write_late(void* arg) {
  settle();
  CHECK_EQ(write(late[1], "x", 1), 1);
  return arg;
}
static void later(void) {
  for (int kind = 0; kind < 3; kind++) {
    CHECK_EQ(kind ? socketpair(AF_UNIX, SOCK_STREAM, 0, late) : pipe(late), 0);
    pthread_t t = start(write_late, NULL);
    if (kind == 0) SAYS(RAW(SYS_read, late[0], none, 4));
    if (kind == 1) SAYS(RAW(SYS_read, late[0], none, 4));
    if (kind == 2) SAYS(RAW(SYS_recvfrom, late[0], readonly, 4, 0, 0, 0));
    finish(t);
    char c = 0;
    errno = 0;
    FACT("then: %zd", read(late[0], &c, 1));
    close(late[0]);
    close(late[1]);
  }
}

static void wrong_descriptors(void) {
  char c[64] = {0};
  struct iovec v = {c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  int file = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), sock = socket(AF_INET, SOCK_STREAM, 0),
      path = open("/", O_PATH);
  int all[] = {-1, 5000, 1 << 30, file, dir, sock, path};
  const char* names[] = {"-1", "5000", "2^30", "a file", "a directory", "a socket", "a path"};
  for (int i = 0; i < 7; i++) {
    int fd = all[i];
    FACT("== %s", names[i]);
    if (fd != file) SAYS(RAW(SYS_read, fd, c, 1));
    SAYS(RAW(SYS_write, fd, c, 1));
    if (fd != sock) SAYS(RAW(SYS_recvfrom, fd, c, 1, 0, 0, 0));
    if (fd != sock) SAYS(RAW(SYS_sendto, fd, c, 1, 0, 0, 0));
    SAYS(RAW(SYS_recvmsg, fd, &m, 0));
    SAYS(RAW(SYS_accept, fd, 0, 0));
    SAYS(RAW(SYS_accept4, fd, 0, 0, 0));
    if (fd != sock) SAYS(RAW(SYS_connect, fd, c, 16));
    SAYS(RAW(SYS_listen, fd == sock ? -1 : fd, 1));
    SAYS(RAW(SYS_shutdown, fd, 2));
    SAYS(RAW(SYS_epoll_wait, fd, c, 1, 0));
    SAYS(RAW(SYS_epoll_wait, fd, c, 1, -1));
    SAYS(RAW(SYS_splice, fd, 0, fd, 0, 10, 0));
    SAYS(RAW(SYS_tee, fd, fd, 10, 0));
    SAYS(RAW(SYS_sendfile, fd, fd, 0, 10));
    SAYS(RAW(SYS_fcntl, fd, F_GETFL) < 0 ? -1 : 0);
    SAYS(RAW(SYS_fsync, fd));
    SAYS(RAW(SYS_timerfd_settime, fd, 0, c, 0));
    SAYS(RAW(SYS_flock, fd, 77));
    struct pollfd p = {fd, POLLIN, 0};
    if (fd != sock) SAYS(poll(&p, 1, 0));
  }
  close(file);
  close(dir);
  close(sock);
  close(path);
}

static void* all(void* arg) {
  pointers();
  accepted();
  later();
  wrong_descriptors();
  return arg;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  none = (char*)mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  edge = none + 4096 - 4;
  memset(edge, 0, 4);
  none += 4096;
  mprotect(none, 4096, PROT_NONE);
  readonly = none + 4096;
  mprotect(readonly, 4096, PROT_READ);
  edge -= 60; /* sixty bytes more before the end */
  begin();
  all(NULL);
  finish(start(all, NULL));
  return end();
}
