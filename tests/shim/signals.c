// SPDX-License-Identifier: MIT
// Signals to a process and to a thread: who gets them, masks, contents, flags, waiting for them.
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int gate, ready, handled;
static pid_t handler_tid, handler_value, handler_code;
static pthread_t handler_self;

static void on_signal(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  handler_tid = gettid();
  handler_self = pthread_self();
  handler_code = info->si_code;
  handler_value = info->si_value.sival_int;
  ADD(handled, 1);
}
static void install(int number, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | flags;
  CHECK_EQ(sigaction(number, &action, NULL), 0);
}
static void block(int number, int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  CHECK_RC(pthread_sigmask(how, &set, NULL), 0);
}
static int is_pending(int number) {
  sigset_t set;
  CHECK_EQ(sigpending(&set), 0);
  return sigismember(&set, number);
}

static pid_t waiter_tid;
static void* stay(void* arg) {
  if (arg) block(SIGUSR1, SIG_BLOCK);
  STORE(waiter_tid, gettid());
  ADD(ready, 1);
  while (!LOAD(gate)) nap();
  return NULL;
}

static void to_a_thread(void) {
  install(SIGUSR1, SA_RESTART);
  STORE(gate, 0);
  for (int i = 0; i < 10; i++) {
    STORE(ready, 0);
    STORE(handled, 0);
    STORE(gate, 0);
    pthread_t t = start(stay, NULL);
    AWAIT(LOAD(ready));
    CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    AWAIT(LOAD(handled) == 1);
    CHECK_EQ(handler_tid, waiter_tid);
    CHECK(pthread_equal(handler_self, t));
    CHECK_EQ(handler_code, SI_TKILL);
    CHECK_RC(pthread_sigqueue(t, SIGUSR1, (union sigval){.sival_int = 42}), 0);
    AWAIT(LOAD(handled) == 2);
    CHECK_EQ(handler_value, 42);
    CHECK_EQ(handler_code, SI_QUEUE);
    CHECK_EQ(handler_tid, waiter_tid);
    STORE(gate, 1);
    finish(t);
  }
  STORE(handled, 0);
  CHECK_EQ(raise(SIGUSR1), 0);
  CHECK_EQ(handled, 1);
  CHECK_EQ(handler_tid, gettid());
  pthread_kill(pthread_self(), SIGUSR1);
  CHECK_EQ(handled, 2);
  FACT("to a thread");
}

/* Blocked everywhere but in one parked thread: that is the one. */
static void to_the_process(void) {
  install(SIGUSR1, SA_RESTART);
  block(SIGUSR1, SIG_BLOCK);
  STORE(gate, 0);
  STORE(ready, 0);
  STORE(handled, 0);
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  settle();
  CHECK_EQ(LOAD(handled), 0);
  CHECK(is_pending(SIGUSR1));
  pthread_t blocked = start(stay, (void*)1);
  AWAIT(LOAD(ready) == 1);
  settle();
  CHECK_EQ(LOAD(handled), 0);
  block(SIGUSR1, SIG_UNBLOCK);
  CHECK_EQ(LOAD(handled), 1); /* at once */
  CHECK_EQ(handler_tid, gettid());
  CHECK(!is_pending(SIGUSR1));
  pthread_t open = start(stay, NULL);
  AWAIT(LOAD(ready) == 2);
  block(SIGUSR1, SIG_BLOCK);
  for (int i = 0; i < 5; i++) {
    STORE(handled, 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    AWAIT(LOAD(handled) == 1);
    CHECK(pthread_equal(handler_self, open));
    CHECK_EQ(handler_code, SI_USER);
    CHECK_EQ(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = i}), 0);
    AWAIT(LOAD(handled) == 2);
    CHECK_EQ(handler_value, i);
  }
  pid_t pid = fork();
  if (pid == 0) {
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  AWAIT(LOAD(handled) == 3);
  CHECK(pthread_equal(handler_self, open));
  CHECK_EQ(waitpid(pid, NULL, 0), pid);
  STORE(gate, 1);
  finish(open);
  finish(blocked);
  FACT("to the process");
  block(SIGUSR1, SIG_UNBLOCK);
}

static void* check_mask(void* arg) {
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGHUP), 1);
  CHECK_EQ(sigismember(&set, SIGTERM), 0);
  CHECK(!is_pending(SIGHUP)); /* what is pending for the maker is its own */
  block(SIGTERM, SIG_BLOCK);
  block(SIGHUP, SIG_UNBLOCK);
  return arg;
}
static void masks(void) {
  install(SIGHUP, 0);
  block(SIGHUP, SIG_BLOCK);
  pthread_kill(pthread_self(), SIGHUP);
  CHECK(is_pending(SIGHUP));
  finish(start(check_mask, NULL));
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGHUP), 1);
  CHECK_EQ(sigismember(&set, SIGTERM), 0);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  pthread_attr_setsigmask_np(&attr, &set);
  block(SIGHUP, SIG_BLOCK);
  pthread_t t;
  CHECK_RC(pthread_create(&t, &attr, check_mask, NULL), 0);
  finish(t);
  STORE(handled, 0);
  block(SIGHUP, SIG_UNBLOCK);
  CHECK_EQ(handled, 1);
  sigfillset(&set);
  sigset_t old;
  pthread_sigmask(SIG_SETMASK, &set, &old);
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  CHECK_EQ(sigismember(&set, SIGKILL), 0);
  CHECK_EQ(sigismember(&set, SIGSTOP), 0);
  CHECK_EQ(sigismember(&set, SIGUSR2), 1);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  CHECK_RC(pthread_sigmask(77, &set, NULL), EINVAL);
  FACT("masks");
}

static void* send_later(void* arg) {
  settle();
  CHECK_EQ(kill(getpid(), (int)(intptr_t)arg), 0);
  return NULL;
}
static pthread_t receiver;
static void* direct_later(void* arg) {
  settle();
  CHECK_RC(pthread_kill(receiver, (int)(intptr_t)arg), 0);
  return NULL;
}
/* SIGRTMIN and SIGRTMIN+1 are blocked in every thread from the start. */
static void waits(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  int number = 0;
  siginfo_t info;
  receiver = pthread_self();
  for (int i = 0; i < 2; i++) {
    pthread_t t = start(i ? direct_later : send_later, (void*)(intptr_t)SIGRTMIN);
    CHECK_RC(sigwait(&set, &number), 0);
    CHECK_EQ(number, SIGRTMIN);
    finish(t);
    t = start(i ? direct_later : send_later, (void*)(intptr_t)(SIGRTMIN + 1));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK_EQ(info.si_signo, SIGRTMIN + 1);
    CHECK_EQ(info.si_pid, getpid());
    finish(t);
  }
  struct timespec limit = {0, 20000000}, zero = {0, 0}, bad = {0, -1};
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(sigtimedwait(&set, &info, &limit), EAGAIN));
  CHECK_TOOK(began, 20);
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
  /* Real-time signals queue, in order, the lower number first. */
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}), 0);
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 10 + i}), 0);
  }
  printf("queued:");
  for (int i = 0; i < 10; i++) {
    CHECK(sigtimedwait(&set, &info, &zero) > 0);
    printf(" %d=%d", info.si_signo - SIGRTMIN, info.si_value.sival_int);
  }
  FACT(" ");
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  FACT("waits");
}

static int order[10], ordered;
static void nest(int number) {
  static __thread volatile int depth; /* raise is declared not to come back here */
  order[ordered++] = ++depth;
  if (ordered < 3) raise(number);
  depth--;
}
static void look_at_mask(int number) {
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  FACT("in a handler: own %d, of the action %d, another %d", sigismember(&now, number), sigismember(&now, SIGTERM),
       sigismember(&now, SIGUSR2));
}
static void flags(void) {
  struct sigaction action, seen;
  memset(&action, 0, sizeof action);
  action.sa_handler = nest;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGUSR2, &action, NULL);
  ordered = 0;
  raise(SIGUSR2);
  printf("SA_NODEFER:");
  for (int i = 0; i < ordered; i++) printf(" %d", order[i]);
  FACT(" ");
  action.sa_flags = 0;
  sigaction(SIGUSR2, &action, &seen);
  CHECK_EQ(seen.sa_flags & ~0x04000000, SA_NODEFER);
  CHECK(seen.sa_handler == nest);
  ordered = 0;
  raise(SIGUSR2);
  printf("deferred:");
  for (int i = 0; i < ordered; i++) printf(" %d", order[i]);
  FACT(" ");
  install(SIGUSR2, (int)SA_RESETHAND);
  STORE(handled, 0);
  raise(SIGUSR2);
  CHECK_EQ(handled, 1);
  sigaction(SIGUSR2, NULL, &seen);
  CHECK(seen.sa_handler == SIG_DFL);
  signal(SIGUSR2, SIG_IGN);
  block(SIGUSR2, SIG_BLOCK);
  raise(SIGUSR2);
  FACT("ignored and blocked: pending %d", is_pending(SIGUSR2));
  block(SIGUSR2, SIG_UNBLOCK);
  CHECK(!is_pending(SIGUSR2));
  CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
  CHECK_ERR(sigaction(SIGKILL, &action, &seen), EINVAL);
  CHECK_ERR(sigaction(100, NULL, &seen), EINVAL);
  memset(&action, 0, sizeof action); /* the mask of the action is added while it runs */
  action.sa_handler = look_at_mask;
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGHUP, &action, NULL);
  raise(SIGHUP);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  CHECK_EQ(sigismember(&after, SIGTERM), 0);
  FACT("flags");
}

static int stop, allocations;
static void count(int number) {
  (void)number;
  ADD(handled, 1);
}
static void* allocate(void* arg) {
  char* keep[50] = {0};
  for (unsigned n = 0; !LOAD(stop); n++) {
    free(keep[n % 50]);
    keep[n % 50] = (char*)malloc(n % 3000 + 1);
    keep[n % 50][0] = (char)n;
    if (n % 1000 == 0) ADD(allocations, 1);
  }
  for (int i = 0; i < 50; i++) free(keep[i]);
  return arg;
}
static void under_load(void) {
  signal(SIGUSR2, count);
  STORE(handled, 0);
  STORE(stop, 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(allocate, NULL);
  for (int i = 0; i < 500; i++) {
    CHECK_RC(pthread_kill(t[i % 4], SIGUSR2), 0);
    if (i % 10 == 0) nap();
    if (i % 50 == 0) CHECK_EQ(kill(getpid(), SIGUSR2), 0);
  }
  AWAIT(LOAD(handled) >= 4 && LOAD(allocations) > 4);
  STORE(stop, 1);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("under load");
}

static void stop_and_go(void) {
  pid_t pid = fork();
  if (pid == 0) {
    begin();
    for (;;) nap();
  }
  int status;
  kill(pid, SIGSTOP);
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  kill(pid, SIGCONT);
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  kill(pid, SIGQUIT);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("stop and go: %d", WTERMSIG(status));
}

static void* all(void* arg) {
  to_a_thread();
  masks();
  waits();
  flags();
  return arg;
}

int main(void) {
  block(SIGRTMIN, SIG_BLOCK);
  block(SIGRTMIN + 1, SIG_BLOCK);
  block(SIGUSR1, SIG_BLOCK);
  begin();
  block(SIGUSR1, SIG_UNBLOCK);
  to_the_process();
  all(NULL);
  finish(start(all, NULL));
  under_load();
  stop_and_go();
  return end();
}
