// SPDX-License-Identifier: MIT
// fork from main and from threads, with others blocked and under load; what the child inherits and what it can do.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int pipe_fds[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int reap(pid_t pid) {
  int status = -1;
  pid_t got = waitpid(pid, &status, 0);
  CHECK_EQ(got, pid);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return -WTERMSIG(status);
}

static void* add_one(void* arg) {
  pthread_mutex_lock(&lock);
  ++*(int*)arg;
  pthread_mutex_unlock(&lock);
  nap();
  return NULL;
}

/* What a child does: sleeps, talks through a pipe, makes threads, forks again. Its exit status tells how far it came. */
static int child_life(int depth) {
  if (getpid() != gettid()) return 101;
  nap();
  int fds[2];
  if (pipe(fds) != 0) return 102;
  if (write(fds[1], "c", 1) != 1) return 103;
  char c;
  if (read(fds[0], &c, 1) != 1 || c != 'c') return 104;
  close(fds[0]);
  close(fds[1]);
  int count = 0;
  pthread_t t[10];
  for (int i = 0; i < 10; i++)
    if (pthread_create(&t[i], NULL, add_one, &count) != 0) return 105;
  for (int i = 0; i < 10; i++)
    if (pthread_join(t[i], NULL) != 0) return 106;
  if (count != 10) return 107;
  if (depth > 0) {
    pid_t pid = fork();
    if (pid == 0) _exit(child_life(depth - 1));
    int status;
    if (waitpid(pid, &status, 0) != pid) return 108;
    return WIFEXITED(status) ? WEXITSTATUS(status) + 1 : 109;
  }
  return 10;
}

static void* fork_and_wait(void* arg) {
  pid_t pid = fork();
  if (pid == 0) _exit(child_life((int)(intptr_t)arg));
  CHECK(pid > 0);
  return (void*)(intptr_t)reap(pid);
}

static void from_anywhere(void) {
  FACT("from main: %d", (int)(intptr_t)fork_and_wait((void*)2));
  FACT("from a thread: %d", (int)(intptr_t)finish(start(fork_and_wait, (void*)2)));
  pthread_t t[5];
  for (int i = 0; i < 5; i++) t[i] = start(fork_and_wait, (void*)0);
  for (int i = 0; i < 5; i++) CHECK_EQ((intptr_t)finish(t[i]), 10);
}

static int gate;
static void* blocked_reader(void* arg) {
  char c;
  CHECK_EQ(read(pipe_fds[0], &c, 1), 1);
  return arg;
}
static void* blocked_sleeper(void* arg) {
  AWAIT(LOAD(gate));
  return arg;
}
static void* blocked_on_lock(void* arg) {
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  return arg;
}
static void with_others_blocked(void) {
  CHECK_EQ(pipe(pipe_fds), 0);
  STORE(gate, 0);
  pthread_t t[30];
  for (int i = 0; i < 30; i++)
    t[i] = start(i % 3 == 0 ? blocked_reader : i % 3 == 1 ? blocked_sleeper : blocked_on_lock, NULL);
  settle();
  for (int i = 0; i < 5; i++) CHECK_EQ((intptr_t)fork_and_wait((void*)1), 11);
  /* The data is for the parent's readers, whatever the children did with their copy of the pipe. */
  CHECK_EQ(write(pipe_fds[1], "0123456789", 10), 10);
  STORE(gate, 1);
  for (int i = 0; i < 30; i++) finish(t[i]);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  FACT("with others blocked");
}

static int stop;
static void* load(void* arg) {
  unsigned n = 0;
  while (!LOAD(stop)) {
    char* p = (char*)malloc(100 + n % 5000);
    memset(p, 1, 100);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(p);
    if (++n % 50 == 0) nap();
  }
  return arg;
}
/* malloc, stdio and the locks of libc are usable in a child, whatever the others did meanwhile. */
static void* fork_much(void* arg) {
  for (int i = 0; i < 10; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      char* p = (char*)malloc(100000);
      FILE* f = tmpfile();
      fprintf(f, "%d", i);
      fclose(f);
      free(p);
      nap();
      _exit(i);
    }
    CHECK_EQ(reap(pid), i);
  }
  return arg;
}
static void under_load(void) {
  STORE(stop, 0);
  pthread_t l[6], f[4];
  for (int i = 0; i < 6; i++) l[i] = start(load, NULL);
  for (int i = 0; i < 4; i++) f[i] = start(fork_much, NULL);
  for (int i = 0; i < 4; i++) finish(f[i]);
  STORE(stop, 1);
  for (int i = 0; i < 6; i++) finish(l[i]);
  FACT("under load");
}

static char steps[100];
static void step(const char* text) { strcat(steps, text); }
static void before1(void) { step("b1 "); }
static void before2(void) { step("b2 "); }
static void parent1(void) { step("p1 "); }
static void parent2(void) { step("p2 "); }
static void child1(void) { step("c1 "); }
static void child2(void) { step("c2 "); }
static __thread int mine = 5;
static void inherited(void) {
  pthread_atfork(before1, parent1, child1);
  pthread_atfork(before2, parent2, child2);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  raise(SIGUSR1); /* pending here, not in the child */
  pthread_key_t key;
  pthread_key_create(&key, NULL);
  pthread_setspecific(key, &key);
  mine = 6;
  errno = EXDEV;
  pthread_setname_np(pthread_self(), "forker");
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK_EQ(pipe(pipe_fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    int bad = 0;
    if (errno != EXDEV) bad |= 1;
    if (strcmp(steps, "b2 b1 c1 c2 ") != 0) bad |= 2;
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    if (!sigismember(&now, SIGUSR1)) bad |= 4;
    sigpending(&now);
    if (sigismember(&now, SIGUSR1)) bad |= 8;
    if (mine != 6 || pthread_getspecific(key) != &key) bad |= 16;
    if (fcntl(fd, F_GETFD) != FD_CLOEXEC) bad |= 32;
    char name[16];
    if (pthread_getname_np(pthread_self(), name, 16) != 0 || strcmp(name, "forker") != 0) bad |= 64;
    if (getppid() == getpid()) bad |= 128;
    _exit(bad);
  }
  CHECK_EQ(reap(pid), 0);
  FACT("steps: %s", steps);
  signal(SIGUSR1, SIG_IGN);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  signal(SIGUSR1, SIG_DFL);
  close(fd);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

/* A child that goes on as a server would: its blocked threads are served by its own hub, and it dies by a signal. */
static void* echo(void* arg) {
  int* fds = (int*)arg;
  char c;
  while (read(fds[0], &c, 1) == 1)
    if (write(fds[3], &c, 1) != 1) break;
  return NULL;
}
static void a_working_child(void) {
  int fds[4];
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(pipe(fds + 2), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(fds[1]);
    close(fds[2]);
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, echo, fds);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    kill(getpid(), SIGTERM);
    for (;;) pause();
  }
  close(fds[0]);
  close(fds[3]);
  int right = 0;
  for (int i = 0; i < 1000; i++) {
    char c = (char)i, back = (char)(i + 1);
    if (write(fds[1], &c, 1) == 1 && read(fds[2], &back, 1) == 1 && back == c) right++;
  }
  close(fds[1]);
  close(fds[2]);
  FACT("echoed %d, then %d", right, reap(pid));
}

static void raw(void) {
  pid_t pid = (pid_t)syscall(SYS_fork);
  if (pid == 0) _exit(getpid() == gettid() || 1 ? 21 : 0);
  CHECK_EQ(reap(pid), 21);
  pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(22);
  CHECK_EQ(reap(pid), 22);
  pid = _Fork();
  if (pid == 0) _exit(23);
  CHECK_EQ(reap(pid), 23);
  FACT("raw");
}

/* The main thread's part is played by another: the child's only thread was a thread. */
static void* fork_and_exit(void* arg) {
  pid_t pid = fork();
  if (pid == 0) {
    static int count;
    pthread_t t = start(add_one, &count);
    finish(t);
    if (arg) pthread_exit(NULL); /* the last one: status 0 */
    exit(count + 30);
  }
  return (void*)(intptr_t)reap(pid);
}

int main(void) {
  begin();
  from_anywhere();
  with_others_blocked();
  under_load();
  a_working_child();
  raw();
  FACT("exit in a forked thread: %d", (int)(intptr_t)finish(start(fork_and_exit, NULL)));
  FACT("pthread_exit in a forked thread: %d", (int)(intptr_t)finish(start(fork_and_exit, &gate)));
  inherited();
  FACT("next fd %d", dup(0));
  return end();
}
