// SPDX-License-Identifier: MIT
// A handler runs in a thread that is blocked in a call: which calls end with EINTR, which go on with SA_RESTART.
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "blocking.h"
#include "check.h"
#include "fill.h"

static int pipe_fds[2], full[2], sock[2], sock_full[2], listener, ep, event;
static pid_t child;
static sem_t sem;
static unsigned word;
static char block[1 << 16];
static sigset_t rt;

static long do_read(void) { return read(pipe_fds[0], block, 1); }
static long do_write(void) { return write(full[1], block, 4096); }
static long do_recv(void) { return recv(sock[0], block, 1, 0); }
static long do_recv_limited(void) {
  struct timeval limit = {100, 0};
  setsockopt(sock[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return recv(sock[0], block, 1, 0);
}
static long do_recvmsg(void) {
  struct timeval none = {0, 0};
  setsockopt(sock[0], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  struct iovec v = {block, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  return recvmsg(sock[0], &m, 0);
}
static long do_send(void) { return send(sock_full[1], block, 100000 < sizeof block ? 100000 : sizeof block, 0); }
static long do_accept(void) { return accept(listener, NULL, NULL); }
static long do_eventfd(void) { return read(event, block, 8); }
static long do_poll(void) {
  struct pollfd p = {pipe_fds[0], POLLIN, 0};
  return poll(&p, 1, 100000);
}
static long do_poll_forever(void) { return poll(NULL, 0, -1); }
static long do_select(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(pipe_fds[0], &set);
  return select(pipe_fds[0] + 1, &set, NULL, NULL, NULL);
}
static long do_epoll(void) {
  struct epoll_event e;
  return epoll_wait(ep, &e, 1, -1);
}
static long do_nanosleep(void) { return sleep(100) ? -1 : 0; }
static long do_pause(void) { return pause(); }
static long do_sigsuspend(void) {
  sigset_t none;
  sigemptyset(&none);
  return sigsuspend(&none);
}
static long do_sigwaitinfo(void) { return sigwaitinfo(&rt, NULL); }
static long do_sem_wait(void) { return sem_wait(&sem); }
static long do_sem_timedwait(void) {
  struct timespec until = in_ms(CLOCK_REALTIME, 100000);
  return sem_timedwait(&sem, &until);
}
static long do_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); }
static long do_futex_timed(void) {
  struct timespec limit = {100, 0};
  return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0);
}
static long do_waitpid(void) { return waitpid(child, NULL, 0); }
static long do_wait4(void) { return wait4(child, NULL, 0, NULL); }
static long do_waitid(void) { return waitid(P_ALL, 0, (siginfo_t*)(void*)block, WEXITED | WNOWAIT); }
static long do_fifo(void) { return open("a-fifo", O_RDONLY); }
static long do_flock(void) {
  int fd = open("a-lock", O_RDWR);
  long result = flock(fd, LOCK_EX);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}
static int queue_id, semaphore_id;
static long do_msgrcv(void) {
  struct {
    long type;
    char text[10];
  } m;
  return msgrcv(queue_id, &m, 10, 0, 0);
}
static long do_semop(void) {
  struct sembuf down = {0, -1, 0};
  return semop(semaphore_id, &down, 1);
}

static struct {
  const char* name;
  long (*call)(void);
  int restarts; /* with SA_RESTART */
} calls[] = {{"read", do_read, 1},
             {"write", do_write, 1},
             {"recv", do_recv, 1},
             {"recv with SO_RCVTIMEO", do_recv_limited, 0},
             {"recvmsg", do_recvmsg, 1},
             {"send", do_send, 1},
             {"accept", do_accept, 1},
             {"read of an eventfd", do_eventfd, 1},
             {"poll", do_poll, 0},
             {"poll for ever", do_poll_forever, 0},
             {"select", do_select, 0},
             {"epoll_wait", do_epoll, 0},
             {"sleep", do_nanosleep, 0},
             {"pause", do_pause, 0},
             {"sigsuspend", do_sigsuspend, 0},
             {"sigwaitinfo", do_sigwaitinfo, 0},
             {"sem_wait", do_sem_wait, 1},
             {"sem_timedwait", do_sem_timedwait, 0},
             {"futex", do_futex, 1},
             {"futex with a limit", do_futex_timed, 0},
             {"waitpid", do_waitpid, 1},
             {"wait4", do_wait4, 1},
             {"waitid", do_waitid, 1},
             {"open of a fifo", do_fifo, 1},
             {"flock", do_flock, 1},
             {"msgrcv", do_msgrcv, 0},
             {"semop", do_semop, 0}};

enum { own_count = sizeof calls / sizeof calls[0] };
static int current, ended, ready, handled;
static const char* name_of(int i) { return i < own_count ? calls[i].name : blocking_calls[i - own_count].name; }
static long do_call(int i) { return i < own_count ? calls[i].call() : blocking_calls[i - own_count].call(); }
static int restarts(int i) { return i < own_count ? calls[i].restarts : blocking_calls[i - own_count].restarts; }
static sigjmp_buf leave;
static volatile int leaving;
static void note(int number) {
  (void)number;
  int error = errno;
  ADD(handled, 1);
  if (leaving) siglongjmp(leave, 1);
  errno = error;
}
static void* blocked(void* arg) {
  (void)arg;
  errno = 0;
  STORE(ready, 1);
  long result = do_call(current);
  FACT("%s: %ld %s", name_of(current), result, check_error_name(errno));
  STORE(ended, 1);
  return NULL;
}
/* A call that restarts has no other end here: its thread is taken out with a long jump. */
static void* stays_blocked(void* arg) {
  (void)arg;
  if (sigsetjmp(leave, 1) == 0) {
    STORE(ready, 1);
    long result = do_call(current);
    FACT("%s returned %ld %s", name_of(current), result, check_error_name(errno));
  } else {
    FACT("%s went on", name_of(current));
  }
  STORE(ended, 1);
  return NULL;
}

static void interrupt_each(int restart) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  action.sa_flags = restart ? SA_RESTART : 0;
  sigaction(SIGUSR1, &action, NULL);
  for (current = 0; current < own_count + blocking_count; current++) {
    STORE(ended, 0);
    STORE(ready, 0);
    STORE(handled, 0);
    leaving = 0;
    int stays = restart && restarts(current);
    pthread_t t = start(stays ? stays_blocked : blocked, NULL);
    AWAIT(LOAD(ready));
    if (stays) {
      for (int i = 1; i <= 4; i++) {
        settle();
        pthread_kill(t, SIGUSR1);
        AWAIT(LOAD(handled) == i || LOAD(ended));
      }
      CHECK_EQ(LOAD(ended), 0);
      leaving = 1;
      pthread_kill(t, SIGUSR1);
    } else {
      AWAIT(({
        if (!LOAD(ended)) pthread_kill(t, SIGUSR1);
        LOAD(ended);
      }));
    }
    finish(t);
  }
}

int main(void) {
  sigemptyset(&rt);
  sigaddset(&rt, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &rt, NULL);
  begin();
  CHECK_EQ(pipe(pipe_fds) + pipe(full), 0);
  fill(full[1]);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) + socketpair(AF_UNIX, SOCK_STREAM, 0, sock_full), 0);
  fill(sock_full[1]);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(listen(listener, 1), 0);
  ep = epoll_create1(0);
  event = eventfd(0, 0);
  sem_init(&sem, 0, 0);
  unlink("a-fifo");
  CHECK_EQ(mkfifo("a-fifo", 0600), 0);
  int lock = open("a-lock", O_CREAT | O_RDWR, 0600);
  CHECK_EQ(flock(lock, LOCK_EX), 0);
  queue_id = msgget(IPC_PRIVATE, 0600);
  semaphore_id = semget(IPC_PRIVATE, 1, 0600);
  CHECK(queue_id >= 0 && semaphore_id >= 0);
  prepare_blocking();
  pid_t self = getpid();
  child = fork();
  if (child == 0) {
    close(lock);
    while (getppid() == self) nap();
    _exit(0);
  }
  interrupt_each(0);
  interrupt_each(1);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  end_blocking();
  msgctl(queue_id, IPC_RMID, NULL);
  semctl(semaphore_id, 0, IPC_RMID);
  unlink("a-fifo");
  unlink("a-lock");
  return end();
}
