// SPDX-License-Identifier: MIT
// Deferred cancellation of a thread that sits in each blocking call: its cleanup handlers run and it ends as cancelled.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads.h>

#include "blocking.h"
#include "check.h"
#include "fill.h"

static int pipe_fds[2], full[2], sock[2], sock_full[2], listener, ep;
static pid_t child;
static sem_t sem;
static char block[1 << 16];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_t forever;

static void do_read(void) { (void)!read(pipe_fds[0], block, 1); }
static void do_readv(void) {
  struct iovec v = {block, 1};
  (void)!readv(pipe_fds[0], &v, 1);
}
static void do_write(void) { (void)!write(full[1], block, 4096); }
static void do_recv(void) { recv(sock[0], block, 1, 0); }
static void do_recvfrom(void) { recvfrom(sock[0], block, 1, 0, NULL, NULL); }
static void do_recvmsg(void) {
  struct iovec v = {block, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  recvmsg(sock[0], &m, 0);
}
static void do_send(void) { send(sock_full[1], block, sizeof block, 0); }
static void do_accept(void) { accept(listener, NULL, NULL); }
static void do_accept4(void) { accept4(listener, NULL, NULL, SOCK_CLOEXEC); }
static void do_poll(void) {
  struct pollfd p = {pipe_fds[0], POLLIN, 0};
  poll(&p, 1, -1);
}
static void do_ppoll(void) { ppoll(NULL, 0, NULL, NULL); }
static void do_select(void) { select(0, NULL, NULL, NULL, NULL); }
static void do_pselect(void) { pselect(0, NULL, NULL, NULL, NULL, NULL); }
static void do_epoll(void) {
  struct epoll_event e;
  epoll_wait(ep, &e, 1, -1);
}
static void do_nanosleep(void) {
  struct timespec t = {1000, 0};
  nanosleep(&t, NULL);
}
static void do_clock_nanosleep(void) {
  struct timespec t = in_ms(CLOCK_MONOTONIC, 1000000);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static void do_sleep(void) { sleep(1000); }
static void do_usleep(void) { usleep(900000000); }
static void do_pause(void) { pause(); }
static void do_sigsuspend(void) {
  sigset_t none;
  sigemptyset(&none);
  sigsuspend(&none);
}
static void do_sigwait(void) {
  sigset_t set;
  int number;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigwait(&set, &number);
}
static void do_sigtimedwait(void) {
  sigset_t set;
  struct timespec t = {1000, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigtimedwait(&set, NULL, &t);
}
static void do_sem_wait(void) { sem_wait(&sem); }
static void do_sem_timedwait(void) {
  struct timespec t = in_ms(CLOCK_REALTIME, 1000000);
  sem_timedwait(&sem, &t);
}
static void unlock(void* arg) {
  pthread_mutex_unlock((pthread_mutex_t*)arg);
  FACT("  mutex was mine");
}
static void do_cond_wait(void) {
  pthread_mutex_lock(&lock);
  pthread_cleanup_push(unlock, &lock);
  for (;;) pthread_cond_wait(&cond, &lock);
  pthread_cleanup_pop(1);
}
static void do_cond_timedwait(void) {
  struct timespec t = in_ms(CLOCK_REALTIME, 1000000);
  pthread_mutex_lock(&lock);
  pthread_cleanup_push(unlock, &lock);
  for (;;) pthread_cond_timedwait(&cond, &lock, &t);
  pthread_cleanup_pop(1);
}
static void do_cond_clockwait(void) {
  struct timespec t = in_ms(CLOCK_MONOTONIC, 1000000);
  pthread_mutex_lock(&lock);
  pthread_cleanup_push(unlock, &lock);
  for (;;) pthread_cond_clockwait(&cond, &lock, CLOCK_MONOTONIC, &t);
  pthread_cleanup_pop(1);
}
static void do_sem_clockwait(void) {
  struct timespec t = in_ms(CLOCK_MONOTONIC, 1000000);
  sem_clockwait(&sem, CLOCK_MONOTONIC, &t);
}
static void do_join(void) { pthread_join(forever, NULL); }
static void do_timedjoin(void) {
  struct timespec t = in_ms(CLOCK_REALTIME, 1000000);
  pthread_timedjoin_np(forever, NULL, &t);
}
static void do_clockjoin(void) {
  struct timespec t = in_ms(CLOCK_MONOTONIC, 1000000);
  pthread_clockjoin_np(forever, NULL, CLOCK_MONOTONIC, &t);
}
static void do_thrd_sleep(void) {
  struct timespec t = {1000, 0};
  thrd_sleep(&t, NULL);
}
static void do_sigwaitinfo(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigwaitinfo(&set, NULL);
}
static void do_wait4(void) { wait4(child, NULL, 0, NULL); }
static void do_waitpid(void) { waitpid(child, NULL, 0); }
static void do_wait(void) { wait(NULL); }
static void do_waitid(void) {
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED);
}
static void do_fifo(void) { open("a-fifo", O_RDONLY); }
static void do_lockf(void) {
  int fd = open("a-lock", O_RDWR);
  struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  fcntl(fd, F_SETLKW, &f);
}
static void do_system(void) { (void)!system("exec sleep 1000"); }
static void do_testcancel(void) {
  for (;;) {
    pthread_testcancel();
    sched_yield();
  }
}
static void do_fgetc(void) {
  FILE* f = fdopen(pipe_fds[0], "r");
  fgetc(f);
}

static struct {
  const char* name;
  void (*call)(void);
} calls[] = {{"read", do_read},
             {"readv", do_readv},
             {"write", do_write},
             {"recv", do_recv},
             {"recvfrom", do_recvfrom},
             {"recvmsg", do_recvmsg},
             {"send", do_send},
             {"accept", do_accept},
             {"accept4", do_accept4},
             {"poll", do_poll},
             {"ppoll", do_ppoll},
             {"select", do_select},
             {"pselect", do_pselect},
             {"epoll_wait", do_epoll},
             {"nanosleep", do_nanosleep},
             {"clock_nanosleep", do_clock_nanosleep},
             {"sleep", do_sleep},
             {"usleep", do_usleep},
             {"pause", do_pause},
             {"sigsuspend", do_sigsuspend},
             {"sigwait", do_sigwait},
             {"sigtimedwait", do_sigtimedwait},
             {"sem_wait", do_sem_wait},
             {"sem_timedwait", do_sem_timedwait},
             {"pthread_cond_wait", do_cond_wait},
             {"pthread_cond_timedwait", do_cond_timedwait},
             {"pthread_cond_clockwait", do_cond_clockwait},
             {"sem_clockwait", do_sem_clockwait},
             {"pthread_join", do_join},
             {"pthread_timedjoin_np", do_timedjoin},
             {"pthread_clockjoin_np", do_clockjoin},
             {"thrd_sleep", do_thrd_sleep},
             {"sigwaitinfo", do_sigwaitinfo},
             {"wait4", do_wait4},
             {"waitpid", do_waitpid},
             {"wait", do_wait},
             {"waitid", do_waitid},
             {"open of a fifo", do_fifo},
             {"fcntl F_SETLKW", do_lockf},
             {"system", do_system},
             {"pthread_testcancel", do_testcancel},
             {"fgetc", do_fgetc}};

static int current, ready;
static pthread_key_t key;
static void on_key(void* value) { FACT("  %s", (char*)value); }
static void cleanup(void* arg) { FACT("  cleanup %d", (int)(intptr_t)arg); }
static void* victim_of(void* arg) {
  pthread_cleanup_push(cleanup, (void*)9);
  STORE(ready, 1);
  long result = blocking_calls[current].call();
  FACT("  %s came back: %ld %s", blocking_calls[current].name, result, check_error_name(errno));
  pthread_cleanup_pop(0);
  return arg;
}
static void* victim(void* arg) {
  pthread_setspecific(key, "specific");
  pthread_cleanup_push(cleanup, (void*)1);
  pthread_cleanup_push(cleanup, (void*)2);
  STORE(ready, 1);
  calls[current].call();
  FACT("  %s came back: %s", calls[current].name, check_error_name(errno));
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return arg;
}

static int gate, deferred_done;
static void* until_gate(void* arg) {
  while (!LOAD(gate)) nap();
  return arg;
}
static void* disabled(void* arg) {
  int old = -1;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
  CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
  pthread_cleanup_push(cleanup, (void*)3);
  STORE(ready, 1);
  char c;
  CHECK_EQ(read(pipe_fds[0], &c, 1), 1); /* the cancellation that comes meanwhile waits */
  nap();
  STORE(deferred_done, 1);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel();
  CHECK(!"cancelled");
  pthread_cleanup_pop(0);
  return arg;
}
static void* spins(void* arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(cleanup, (void*)4);
  STORE(ready, 1);
  for (volatile long i = 0;; i++) {
  }
  pthread_cleanup_pop(0);
  return arg;
}
static void* async_sleeps(void* arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(cleanup, (void*)5);
  STORE(ready, 1);
  sleep(1000);
  pthread_cleanup_pop(0);
  return arg;
}
static void* self_cancels(void* arg) {
  pthread_cleanup_push(cleanup, (void*)6);
  pthread_cancel(pthread_self());
  STORE(ready, 1);
  nap(); /* a cancellation point, although there is nothing to wait for */
  CHECK(!"cancelled");
  pthread_cleanup_pop(0);
  return arg;
}
static void* exits(void* arg) {
  pthread_cleanup_push(cleanup, (void*)7);
  pthread_setspecific(key, "specific of one that exits");
  STORE(ready, 1);
  nap();
  pthread_exit(arg);
  pthread_cleanup_pop(0);
  return NULL;
}
static void* ready_data(void* arg) {
  char c = 0;
  pthread_cleanup_push(cleanup, (void*)8);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  STORE(ready, 1);
  AWAIT(LOAD(gate));
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  (void)!read(pipe_fds[0], &c, 1); /* cancelled at entry: the data stays */
  CHECK(!"cancelled");
  pthread_cleanup_pop(0);
  return arg;
}

static void cancel_one(const char* name, void* (*run)(void*), void* wanted) {
  STORE(ready, 0);
  FACT("%s", name);
  pthread_t t = start(run, wanted);
  AWAIT(LOAD(ready));
  for (int i = 0; i < 2; i++) settle();
  if (wanted == PTHREAD_CANCELED) CHECK_RC(pthread_cancel(t), 0);
  if (run == disabled) {
    settle();
    CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
  }
  if (run == ready_data) {
    CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
    STORE(gate, 1);
  }
  CHECK(finish(t) == wanted);
}

int main(void) {
  begin();
  pthread_key_create(&key, on_key);
  CHECK_EQ(pipe(pipe_fds) + pipe(full), 0);
  fill(full[1]);
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) + socketpair(AF_UNIX, SOCK_STREAM, 0, sock_full), 0);
  fill(sock_full[1]);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(listen(listener, 1), 0);
  ep = epoll_create1(0);
  sem_init(&sem, 0, 0);
  unlink("a-fifo");
  CHECK_EQ(mkfifo("a-fifo", 0600), 0);
  int held = open("a-lock", O_CREAT | O_RDWR, 0600), leash[2];
  CHECK_EQ(pipe2(leash, O_CLOEXEC), 0);
  child = fork();
  if (child == 0) {
    struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(held, F_SETLK, &f);
    close(leash[1]);
    char c;
    while (read(leash[0], &c, 1) > 0) {
    }
    _exit(0);
  }
  close(leash[0]);
  prepare_blocking();
  forever = start(until_gate, NULL);
  for (current = 0; current < (int)(sizeof calls / sizeof calls[0]); current++)
    cancel_one(calls[current].name, victim, PTHREAD_CANCELED);
  for (current = 0; current < blocking_count; current++)
    if (blocking_calls[current].cancels) cancel_one(blocking_calls[current].name, victim_of, PTHREAD_CANCELED);
  STORE(gate, 1);
  finish(forever);
  STORE(gate, 0);
  CHECK_EQ(write(pipe_fds[1], "x", 1), 1); /* none of the cancelled took it */
  char c;
  CHECK_EQ(read(pipe_fds[0], &c, 1), 1);
  cancel_one("disabled", disabled, PTHREAD_CANCELED);
  CHECK_EQ(deferred_done, 1);
  cancel_one("spins", spins, PTHREAD_CANCELED);
  cancel_one("asynchronous sleep", async_sleeps, PTHREAD_CANCELED);
  cancel_one("exits", exits, &gate);
  STORE(gate, 0);
  cancel_one("data is ready", ready_data, PTHREAD_CANCELED);
  CHECK_EQ(read(pipe_fds[0], &c, 1), 1);
  FACT("itself");
  CHECK(finish(start(self_cancels, NULL)) == PTHREAD_CANCELED);
  pthread_t gone = start(until_gate, NULL);
  STORE(gate, 1);
  settle();
  CHECK_RC(pthread_cancel(gone), 0);
  pthread_join(gone, NULL);
  CHECK_EQ(pthread_mutex_trylock(&lock), 0);
  close(leash[1]);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  end_blocking();
  unlink("a-fifo");
  unlink("a-lock");
  return end();
}
