// SPDX-License-Identifier: MIT
// setuid and its family in a threaded program: the whole process changes, whatever its threads are doing. What the kernel knows of a
// thread: its scheduling, by its number, the word that tells of its end; resource usage.
//
//     identities           what anybody may do
//     identities changed   other identities than its own: root only
#include <grp.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>

#include "check.h"

enum { NOBODY = 65534, THREADS = 12 };
static int stage, wrong, agreed, fds[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Threads that block in different ways between the stages. */
static void* watch(void* arg) {
  int me = (int)(intptr_t)arg, seen = 0;
  while (seen < 4) {
    while (LOAD(stage) == seen) {
      if (me % 3 == 0) nap();
      if (me % 3 == 1) sched_yield();
      if (me % 3 == 2) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        nap();
      }
    }
    seen++;
    uid_t r, e, s;
    gid_t gr, ge, gs;
    getresuid(&r, &e, &s);
    getresgid(&gr, &ge, &gs);
    uid_t want_e = seen == 1 || seen == 3 ? NOBODY : 0;
    gid_t want_g = seen == 3 ? NOBODY : 0;
    if (e != want_e || ge != want_g || r != (seen == 3 ? (uid_t)NOBODY : 0)) ADD(wrong, 1);
    ADD(agreed, 1);
  }
  return NULL;
}
static void* blocked_reader(void* arg) {
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  return arg;
}

static void next(void) {
  STORE(agreed, 0);
  ADD(stage, 1);
  AWAIT(LOAD(agreed) == THREADS);
}

static void change_all(void) {
  pthread_t t[THREADS];
  CHECK_EQ(pipe(fds), 0);
  pthread_t reader = start(blocked_reader, NULL);
  for (intptr_t i = 0; i < THREADS; i++) t[i] = start(watch, (void*)i);
  settle();
  CHECK_EQ(seteuid(NOBODY), 0);
  next();
  CHECK_ERR(setgroups(0, NULL), EPERM);
  CHECK_EQ(seteuid(0), 0);
  next();
  CHECK_EQ(setresgid(NOBODY, NOBODY, 0), 0);
  CHECK_EQ(setresuid(NOBODY, NOBODY, 0), 0);
  next();
  CHECK_EQ(setresuid(0, 0, 0), 0);
  CHECK_EQ(setresgid(0, 0, 0), 0);
  next();
  for (int i = 0; i < THREADS; i++) finish(t[i]);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  finish(reader);
  FACT("all threads changed, %d wrong", wrong);
}

/* The same way through libc and all threads, for who may set no other identities than those that it has. */
static void* set_own(void* arg) {
  uid_t r, e, s;
  gid_t gr, ge, gs;
  for (int turn = 0; turn < 10; turn++) {
    CHECK_EQ(getresuid(&r, &e, &s), 0);
    CHECK_EQ(getresgid(&gr, &ge, &gs), 0);
    CHECK_EQ(setresuid(r, e, s), 0);
    CHECK_EQ(setresgid(gr, ge, gs), 0);
    CHECK_EQ(setreuid((uid_t)-1, (uid_t)-1), 0);
    if (e != 0) CHECK_ERR(setresuid(0, 0, 0), EPERM);
  }
  return arg;
}
static void keep_all(void) {
  pthread_t t[THREADS];
  CHECK_EQ(pipe(fds), 0);
  pthread_t reader = start(blocked_reader, NULL);
  for (int i = 0; i < THREADS; i++) t[i] = start(set_own, NULL);
  for (int i = 0; i < THREADS; i++) finish(t[i]);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  finish(reader);
  FACT("each thread set what was");
}

static void* drop_for_good(void* arg) {
  CHECK_EQ(setgroups(0, NULL), 0);
  CHECK_EQ(setgid(NOBODY), 0);
  CHECK_EQ(setuid(NOBODY), 0);
  return arg;
}
static void a_child_drops(void) {
  pid_t pid = fork();
  if (pid == 0) {
    check_failures = 0;
    pthread_t t = start(drop_for_good, NULL);
    finish(t);
    int bad = getuid() != NOBODY || geteuid() != NOBODY || getgid() != NOBODY || setuid(0) == 0;
    _exit(bad || check_failures);
  }
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(getuid(), 0);
  FACT("a child dropped its rights: %x", status);
}

static volatile unsigned long sink;
static void usage(void) {
  struct rusage before, after;
  struct tms ticks;
  CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
  long long limit = now_ms() + 60000;
  do {
    for (int i = 0; i < 1000000; i++) sink += (unsigned long)i;
    CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
  } while (after.ru_utime.tv_sec == before.ru_utime.tv_sec &&
           after.ru_utime.tv_usec - before.ru_utime.tv_usec < 30000 && now_ms() < limit);
  CHECK(now_ms() < limit);
  CHECK(times(&ticks) != (clock_t)-1 && ticks.tms_utime >= 0);
  CHECK_EQ(getrusage(RUSAGE_THREAD, &after), 0);
  CHECK_EQ(getrusage(RUSAGE_CHILDREN, &after), 0);
  CHECK_ERR(getrusage(99, &after), EINVAL);
  struct timespec process, thread;
  CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process), 0);
  CHECK_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread), 0);
  CHECK(process.tv_sec + 1 >= thread.tv_sec);
  FACT("usage");
}

/* As GLib asks for each thread of its pools: what is set for a thread, by its number. */
struct attributes {
  unsigned size, policy;
  unsigned long long flags;
  int nice;
  unsigned priority;
  unsigned long long times[3];
};
static int named, asked;
static void by_number(int tid) {
  struct attributes of_thread = {0};
  struct sched_param priority;
  CHECK_EQ(syscall(SYS_sched_getattr, tid, &of_thread, sizeof of_thread, 0), 0);
  CHECK_EQ(of_thread.policy, SCHED_OTHER);
  CHECK_EQ(syscall(SYS_sched_setattr, tid, &of_thread, 0), 0);
  CHECK_EQ(sched_getscheduler(tid), SCHED_OTHER);
  CHECK_EQ(sched_getparam(tid, &priority), 0);
  CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), of_thread.nice);
  long of_io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
  CHECK(of_io >= 0);
  CHECK_EQ(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, of_io), 0);
}
/* The word that tells of a thread's end is its own. */
static void end_word(void) {
  int* word;
  if (prctl(PR_GET_TID_ADDRESS, &word) != 0) return; /* a kernel without CONFIG_CHECKPOINT_RESTORE */
  CHECK_EQ(*word, gettid());
  CHECK_EQ(syscall(SYS_set_tid_address, word), gettid());
  CHECK_ERR(prctl(PR_GET_TID_ADDRESS, (int**)8), EFAULT);
}
static void* asks(void* arg) {
  end_word();
  by_number(0);
  by_number(gettid());
  STORE(named, gettid());
  AWAIT(LOAD(asked));
  return arg;
}
static void scheduling(void) {
  pthread_t t = start(asks, NULL);
  AWAIT(LOAD(named));
  by_number(named);
  STORE(asked, 1);
  finish(t);
  struct attributes none;
  CHECK_ERR(syscall(SYS_sched_getattr, 1 << 30, &none, sizeof none, 0), ESRCH);
  CHECK_ERR(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 1 << 30), ESRCH);
  FACT("scheduling by a thread's number");
}

int main(int argc, char** argv) {
  const int changed = argc > 1 && strcmp(argv[1], "changed") == 0;
  if (changed && geteuid() != 0) {
    puts("skipped: only root may set other identities than its own");
    return 77;
  }
  begin();
  if (changed) {
    change_all();
    a_child_drops();
    CHECK_EQ(pthread_setname_np(pthread_self(), "still here"), 0);
  } else {
    end_word();
    scheduling();
    keep_all();
    usage();
  }
  return end();
}
