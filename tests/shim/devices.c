// SPDX-License-Identifier: MIT
// Descriptors that are neither pipe nor socket: eventfd, timerfd, signalfd, inotify, terminals, pidfd.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

#include "check.h"

static int fd;
static void* add_later(void* arg) {
  settle();
  CHECK_EQ(eventfd_write(fd, (eventfd_t)(intptr_t)arg), 0);
  return NULL;
}
static void* take_later(void* arg) {
  settle();
  eventfd_t value;
  CHECK_EQ(eventfd_read(fd, &value), 0);
  CHECK_EQ((intptr_t)value, (intptr_t)arg);
  return NULL;
}
static void* take_one(void* arg) {
  eventfd_t value = 0;
  CHECK_EQ(eventfd_read(fd, &value), 0);
  CHECK_EQ(value, 1);
  return arg;
}
static void eventfds(void) {
  eventfd_t value = 0;
  fd = eventfd(3, 0);
  CHECK_EQ(eventfd_read(fd, &value), 0);
  CHECK_EQ(value, 3);
  pthread_t t = start(add_later, (void*)5);
  CHECK_EQ(eventfd_read(fd, &value), 0);
  CHECK_EQ(value, 5);
  finish(t);
  CHECK_EQ(eventfd_write(fd, 0xfffffffffffffffeull), 0);
  t = start(take_later, (void*)-2);
  CHECK_EQ(eventfd_write(fd, 7), 0); /* full: waits for the reader */
  finish(t);
  CHECK_EQ(eventfd_read(fd, &value), 0);
  CHECK_EQ(value, 7);
  CHECK_ERR(read(fd, &value, 4), EINVAL);
  CHECK_ERR(eventfd_write(fd, ~0ull), EINVAL);
  close(fd);
  fd = eventfd(0, EFD_SEMAPHORE);
  pthread_t many[10];
  for (int i = 0; i < 10; i++) many[i] = start(take_one, NULL);
  for (int i = 0; i < 5; i++) CHECK_EQ(eventfd_write(fd, 2), 0);
  for (int i = 0; i < 10; i++) finish(many[i]);
  close(fd);
  fd = eventfd(0, EFD_NONBLOCK);
  CHECK_ERR(eventfd_read(fd, &value), EAGAIN);
  close(fd);
  FACT("eventfds");
}

static void timerfds(void) {
  uint64_t ticks = 0;
  fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec once = {{0, 0}, {0, 25000000}}, every = {{0, 5000000}, {0, 5000000}};
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_EQ(timerfd_settime(fd, 0, &once, NULL), 0); CHECK_EQ(read(fd, &ticks, 8), 8));
  CHECK_TOOK(began, 25);
  CHECK_EQ(ticks, 1);
  CHECK_EQ(timerfd_settime(fd, 0, &every, NULL), 0);
  uint64_t sum = 0;
  while (sum < 5) {
    CHECK_EQ(read(fd, &ticks, 8), 8);
    sum += ticks;
  }
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 60000), 1);
  CHECK_ERR(read(fd, &ticks, 7), EINVAL);
  close(fd);
  FACT("timerfds");
}

static pthread_t reading_thread;
static int early_signalfd; /* made before the first thread */

static void* kill_later(void* arg) {
  settle();
  CHECK_EQ(kill(getpid(), (int)(intptr_t)arg), 0);
  return NULL;
}
static void* signal_reader(void* arg) {
  settle();
  CHECK_RC(pthread_kill(reading_thread, (int)(intptr_t)arg), 0);
  return NULL;
}
/* What is sent to the reading thread alone, by itself or by another. */
static void signalfds_of_a_thread(int number) {
  reading_thread = pthread_self();
  struct signalfd_siginfo info;
  CHECK_RC(pthread_kill(pthread_self(), number), 0);
  CHECK_ERR(read(fd, &info, sizeof info - 1), EINVAL);
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  CHECK_EQ(info.ssi_signo, number);
  CHECK_EQ(info.ssi_pid, getpid());
  pthread_t t = start(signal_reader, (void*)(intptr_t)number);
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  CHECK_EQ(info.ssi_signo, number);
  finish(t);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_EQ(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), 0);
  CHECK_EQ(epoll_wait(poller, &event, 1, 0), 0);
  t = start(signal_reader, (void*)(intptr_t)number);
  CHECK_EQ(epoll_wait(poller, &event, 1, 60000), 1);
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  CHECK_EQ(poll(&p, 1, 0), 0);
  finish(t);
  close(poller);
  CHECK_EQ(kill(getpid(), number), 0);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  int got = 0;
  CHECK_EQ(sigwait(&one, &got), 0);
  CHECK_EQ(got, number);
}
static void signalfds(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1); /* blocked in every thread: main began with them blocked */
  sigaddset(&set, SIGUSR2);
  fd = signalfd(-1, &set, SFD_CLOEXEC);
  CHECK(fd >= 0);
  struct signalfd_siginfo info;
  for (int i = 0; i < 2; i++) {
    int number = i ? SIGUSR2 : SIGUSR1;
    pthread_t t = start(kill_later, (void*)(intptr_t)number);
    memset(&info, 0, sizeof info);
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, number);
    CHECK_EQ(info.ssi_pid, getpid());
    CHECK_EQ(info.ssi_code, SI_USER);
    finish(t);
  }
  CHECK_ERR(read(fd, &info, sizeof info - 1), EINVAL); /* rather than wait */
  CHECK_ERR(read(fd, &info, 1), EINVAL);
  struct pollfd p = {fd, POLLIN, 0};
  pthread_t t = start(kill_later, (void*)SIGUSR2);
  CHECK_EQ(poll(&p, 1, 60000), 1);
  CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
  CHECK_EQ(info.ssi_signo, SIGUSR2);
  finish(t);
  signalfds_of_a_thread(SIGUSR1);
  close(fd);
  fd = early_signalfd;
  signalfds_of_a_thread(SIGRTMIN + 3);
  FACT("signalfds");
}

static void* touch(void* arg) {
  settle();
  int file = open((const char*)arg, O_CREAT | O_WRONLY, 0600);
  CHECK(file >= 0);
  close(file);
  unlink((const char*)arg);
  return NULL;
}
static void inotifies(void) {
  char dir[] = "watchedXXXXXX", path[64], buffer[4096] __attribute__((aligned(8)));
  CHECK(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/file", dir);
  fd = inotify_init1(0);
  CHECK(inotify_add_watch(fd, dir, IN_CREATE | IN_DELETE) >= 0);
  pthread_t t = start(touch, path);
  unsigned seen = 0;
  while (seen != (IN_CREATE | IN_DELETE)) {
    ssize_t n;
    n = read(fd, buffer, sizeof buffer);
    CHECK(n >= (ssize_t)sizeof(struct inotify_event));
    if (n <= 0) break;
    for (char* at = buffer; at < buffer + n;) {
      struct inotify_event* e = (struct inotify_event*)at;
      seen |= e->mask;
      CHECK(strcmp(e->name, "file") == 0);
      at += sizeof *e + e->len;
    }
  }
  finish(t);
  rmdir(dir);
  close(fd);
  FACT("inotifies");
}

static int master, slave;
static void* type_later(void* arg) {
  settle();
  CHECK_EQ(write(master, arg, strlen((char*)arg)), strlen((char*)arg));
  return NULL;
}
static void terminals(void) {
  CHECK_EQ(openpty(&master, &slave, NULL, NULL, NULL), 0);
  char buffer[100];
  pthread_t t = start(type_later, (void*)"a line\nand half");
  ssize_t n;
  n = read(slave, buffer, sizeof buffer);
  CHECK_EQ(n, 7);
  finish(t);
  t = start(type_later, (void*)" another\n");
  CHECK_EQ(read(slave, buffer, sizeof buffer), 17);
  finish(t);
  struct termios raw;
  CHECK_EQ(tcgetattr(slave, &raw), 0);
  cfmakeraw(&raw);
  raw.c_cc[VMIN] = 1;
  CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
  t = start(type_later, (void*)"k");
  CHECK_EQ(read(slave, buffer, sizeof buffer), 1);
  finish(t);
  raw.c_cc[VMIN] = 3; /* three characters, however slowly */
  CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
  t = start(type_later, (void*)"ab");
  pthread_t later = start(type_later, (void*)"c");
  n = read(slave, buffer, sizeof buffer);
  CHECK_EQ(n, 3);
  finish(t);
  finish(later);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 1;
  CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
  long long began = now_us();
  CHECK_EQ(read(slave, buffer, sizeof buffer), 0);
  CHECK_TOOK(began, 90);
  CHECK_EQ(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
  CHECK_EQ(write(slave, "to master", 9), 9);
  char* at = buffer; /* after what was echoed */
  while (at < buffer + sizeof buffer && (n = read(master, at, (size_t)(buffer + sizeof buffer - at))) > 0) {
    at += n;
    if (memmem(buffer, (size_t)(at - buffer), "to master", 9)) break;
  }
  CHECK(n > 0);
  close(slave);
  CHECK_ERR(read(master, buffer, 10), EIO);
  close(master);
  FACT("terminals");
}

static void pidfds(void) {
  int gate[2];
  CHECK_EQ(pipe(gate), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(gate[1]);
    char c;
    _exit(read(gate[0], &c, 1) == 0 ? 3 : 4);
  }
  close(gate[0]);
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct pollfd p = {pidfd, POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 5), 0);
  close(gate[1]);
  CHECK_EQ(poll(&p, 1, 60000), 1);
  siginfo_t info = {0};
  CHECK_EQ(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
  CHECK_EQ(info.si_status, 3);
  close(pidfd);
  FACT("pidfds");
}

static void files(void) {
  char name[] = "plainXXXXXX", buffer[10000];
  fd = mkstemp(name);
  unlink(name);
  for (int i = 0; i < 100; i++) CHECK_EQ(write(fd, buffer, sizeof buffer), sizeof buffer);
  CHECK_EQ(pwrite(fd, "tail", 4, 999998), 4);
  CHECK_EQ(pread(fd, buffer, 10, 999998), 4);
  CHECK_EQ(read(fd, buffer, 10), 2);
  CHECK_EQ(read(fd, buffer, 10), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  long sum = 0;
  ssize_t n;
  while ((n = read(fd, buffer, 777)) > 0) sum += n;
  CHECK_EQ(fsync(fd), 0);
  FACT("file of %ld", sum);
  close(fd);
  fd = open("/dev/zero", O_RDWR);
  CHECK_EQ(read(fd, buffer, sizeof buffer), sizeof buffer);
  close(fd);
  fd = open("/dev/null", O_RDWR);
  CHECK_EQ(read(fd, buffer, sizeof buffer), 0);
  CHECK_EQ(write(fd, buffer, sizeof buffer), sizeof buffer);
  close(fd);
  fd = open("/dev/full", O_RDWR);
  CHECK_ERR(write(fd, buffer, 10), ENOSPC);
  close(fd);
  fd = open("/", O_RDONLY);
  CHECK_ERR(read(fd, buffer, 10), EISDIR);
  close(fd);
}

/* Devices that look for signals behind each page, beside threads that keep the processor: whoever is asked for a block gives
   it whole, since no signal of the program's comes. */
static int computing;
static void* compute(void* arg) {
  while (LOAD(computing)) {
  }
  return arg;
}
static char block[1 << 20];
static void whole_blocks(void) {
  STORE(computing, 1);
  pthread_t t = start(compute, NULL);
  struct iovec parts[2] = {{block, 5000}, {block + 5000, sizeof block - 5000}};
  int zero = open("/dev/zero", O_RDWR), random = open("/dev/urandom", O_RDWR);
  for (int i = 0; i < 100; i++) CHECK_EQ(read(zero, block, sizeof block), sizeof block);
  for (int i = 0; i < 100; i++) CHECK_EQ(readv(zero, parts, 2), sizeof block);
  for (int i = 0; i < 5; i++) CHECK_EQ(read(random, block, sizeof block), sizeof block);
  for (int i = 0; i < 5; i++) CHECK_EQ(write(random, block, sizeof block), sizeof block);
  for (int i = 0; i < 5; i++) CHECK_EQ(getrandom(block, sizeof block, 0), sizeof block);
  close(zero);
  close(random);
  STORE(computing, 0);
  finish(t);
  FACT("whole blocks");
}

static void* all(void* arg) {
  eventfds();
  timerfds();
  signalfds();
  inotifies();
  terminals();
  pidfds();
  files();
  whole_blocks();
  return arg;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGRTMIN + 3);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  sigset_t early;
  sigemptyset(&early);
  sigaddset(&early, SIGRTMIN + 3);
  early_signalfd = signalfd(-1, &early, SFD_CLOEXEC);
  begin();
  all(NULL);
  finish(start(all, NULL));
  FACT("next fd %d", dup(0));
  return end();
}
