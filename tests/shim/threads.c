// SPDX-License-Identifier: MIT
// Threads as pthread_create makes them: values, attributes, identity, names, joins of every kind, thread-specific data.
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "check.h"

static void* give_back(void* arg) { return (void*)((intptr_t)arg * 2); }

static void values(void) {
  for (intptr_t i = 0; i < 50; i++) CHECK_EQ((intptr_t)finish(start(give_back, (void*)i)), i * 2);
  pthread_t many[100];
  for (intptr_t i = 0; i < 100; i++) many[i] = start(give_back, (void*)i);
  for (intptr_t i = 99; i >= 0; i--) CHECK_EQ((intptr_t)finish(many[i]), i * 2);
  FACT("values");
}

static int gate;
static void* until_gate(void* arg) {
  AWAIT(LOAD(gate));
  return arg;
}

static void joins(void) {
  STORE(gate, 0);
  pthread_t t = start(until_gate, &gate);
  void* result = NULL;
  CHECK_RC(pthread_tryjoin_np(t, &result), EBUSY);
  struct timespec until = in_ms(CLOCK_REALTIME, 20);
  long long began = now_us();
  CHECK_RC(pthread_timedjoin_np(t, &result, &until), ETIMEDOUT);
  CHECK_TOOK(began, 19);
  until = in_ms(CLOCK_MONOTONIC, 20);
  CHECK_RC(pthread_clockjoin_np(t, &result, CLOCK_MONOTONIC, &until), ETIMEDOUT);
  CHECK_RC(pthread_join(pthread_self(), &result), EDEADLK);
  STORE(gate, 1);
  until = in_ms(CLOCK_REALTIME, 60000);
  CHECK_RC(pthread_timedjoin_np(t, &result, &until), 0);
  CHECK(result == &gate);
  t = start(give_back, NULL);
  AWAIT(pthread_tryjoin_np(t, &result) == 0);
  FACT("joins");
}

static pthread_mutex_t detached_lock = PTHREAD_MUTEX_INITIALIZER;
static int detached_done;
static void* count_detached(void* arg) {
  (void)arg;
  pthread_mutex_lock(&detached_lock);
  detached_done++;
  pthread_mutex_unlock(&detached_lock);
  return NULL;
}

static void* look_at_self(void* arg) {
  pthread_attr_t attr;
  CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
  size_t size = 0, guard = 0;
  void* low = NULL;
  int state = -1, here = 0;
  CHECK_RC(pthread_attr_getstack(&attr, &low, &size), 0);
  CHECK_RC(pthread_attr_getguardsize(&attr, &guard), 0);
  CHECK_RC(pthread_attr_getdetachstate(&attr, &state), 0);
  CHECK((char*)&here > (char*)low && (char*)&here < (char*)low + size);
  if (arg)
    FACT("a thread asked for 256K: stack %zu, guard %zu, detached %d", size, guard, state == PTHREAD_CREATE_DETACHED);
  pthread_attr_destroy(&attr);
  return NULL;
}

static void attributes(void) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  CHECK_RC(pthread_attr_setstacksize(&attr, 1000), EINVAL);
  CHECK_RC(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
  CHECK_RC(pthread_attr_setguardsize(&attr, 16384), 0);
  pthread_t t;
  CHECK_RC(pthread_create(&t, &attr, look_at_self, (void*)1), 0);
  finish(t);
  CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
  for (int i = 0; i < 50; i++) CHECK_RC(pthread_create(&t, &attr, count_detached, NULL), 0);
  for (int i = 0; i < 50; i++) CHECK_RC(pthread_detach(start(count_detached, NULL)), 0);
  AWAIT(({
    pthread_mutex_lock(&detached_lock);
    int n = detached_done;
    pthread_mutex_unlock(&detached_lock);
    n == 100;
  }));
  pthread_attr_destroy(&attr);
  finish(start(look_at_self, NULL));
  look_at_self(NULL);
  FACT("attributes");
}

#define CROWD 64
static pid_t crowd_tid[CROWD];
static pthread_t crowd_self[CROWD];
static int crowd_here;
static void* be_someone(void* arg) {
  intptr_t i = (intptr_t)arg;
  crowd_tid[i] = gettid();
  crowd_self[i] = pthread_self();
  errno = (int)i + 1;
  ADD(crowd_here, 1);
  long beats = LOAD(check_beats);
  AWAIT(LOAD(gate) && LOAD(check_beats) > beats);
  errno = (int)i + 1;
  sched_yield();
  CHECK_EQ(errno, i + 1);
  CHECK_EQ(crowd_tid[i], gettid());
  CHECK_EQ(crowd_tid[i], syscall(SYS_gettid));
  CHECK(pthread_equal(crowd_self[i], pthread_self()));
  CHECK_EQ(getpid(), syscall(SYS_getpid));
  return NULL;
}

static void identity(void) {
  STORE(gate, 0);
  pthread_t t[CROWD];
  for (intptr_t i = 0; i < CROWD; i++) t[i] = start(be_someone, (void*)i);
  AWAIT(LOAD(crowd_here) == CROWD);
  CHECK_EQ(gettid(), getpid());
  for (int i = 0; i < CROWD; i++) {
    CHECK(pthread_equal(t[i], crowd_self[i]) && !pthread_equal(t[i], pthread_self()));
    CHECK(crowd_tid[i] > 0 && crowd_tid[i] < (1 << 28) && crowd_tid[i] != getpid());
    for (int j = 0; j < i; j++) CHECK(crowd_tid[i] != crowd_tid[j]);
    CHECK_RC(pthread_kill(t[i], 0), 0);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), crowd_tid[i], 0), 0);
    CHECK_EQ(syscall(SYS_tkill, crowd_tid[i], 0), 0);
  }
  CHECK_RC(pthread_kill(t[0], 1000), EINVAL);
  STORE(gate, 1);
  for (int i = 0; i < CROWD; i++) finish(t[i]);
  CHECK_ERR(syscall(SYS_tgkill, getpid(), crowd_tid[0], 0), ESRCH);
  FACT("identity");
}

static void* be_named(void* arg) {
  char name[16] = "";
  CHECK_RC(pthread_setname_np(pthread_self(), "weaver"), 0);
  CHECK_EQ(prctl(PR_GET_NAME, name), 0);
  CHECK(strcmp(name, "weaver") == 0);
  *(pid_t*)arg = gettid();
  ADD(crowd_here, 1);
  AWAIT(LOAD(gate));
  CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
  CHECK(strcmp(name, "spinner") == 0);
  CHECK_EQ(prctl(PR_SET_NAME, "0123456789abcdefgh"), 0);
  CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
  FACT("a long name is cut to %s", name);
  return NULL;
}

static void names(void) {
  STORE(gate, 0);
  STORE(crowd_here, 0);
  pid_t tid = 0;
  pthread_t t = start(be_named, &tid);
  AWAIT(LOAD(crowd_here) == 1);
  char name[32] = "", path[64];
  CHECK_RC(pthread_getname_np(t, name, sizeof name), 0);
  CHECK(strcmp(name, "weaver") == 0);
  CHECK_RC(pthread_setname_np(t, "spinner"), 0);
  CHECK_RC(pthread_setname_np(t, "0123456789abcdefgh"), ERANGE);
  CHECK_RC(pthread_getname_np(t, name, 4), ERANGE);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
  FILE* comm = fopen(path, "r");
  CHECK(comm && fgets(name, sizeof name, comm) && strcmp(name, "spinner\n") == 0);
  if (comm) fclose(comm);
  STORE(gate, 1);
  finish(t);
  CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
  FACT("main is still called %s", name);
}

static void* report_tid(void* arg) {
  STORE(*(pid_t*)arg, gettid());
  AWAIT(LOAD(gate));
  return NULL;
}

static void scheduling(void) {
  STORE(gate, 0);
  pid_t tid = 0;
  pthread_t t = start(report_tid, &tid);
  AWAIT(LOAD(tid));
  cpu_set_t all, mine, back;
  CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  CHECK_RC(pthread_getaffinity_np(t, sizeof mine, &mine), 0);
  CHECK(CPU_EQUAL(&all, &mine));
  int first = 0;
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&mine);
  CPU_SET(first, &mine);
  CHECK_RC(pthread_setaffinity_np(t, sizeof mine, &mine), 0);
  CHECK_RC(pthread_getaffinity_np(t, sizeof back, &back), 0);
  CHECK(CPU_EQUAL(&back, &mine));
  CHECK_EQ(sched_getaffinity(tid, sizeof back, &back), 0);
  CHECK(CPU_EQUAL(&back, &mine));
  CHECK_EQ(sched_getaffinity(0, sizeof back, &back), 0);
  CHECK(CPU_EQUAL(&back, &all));
  CPU_ZERO(&mine);
  CHECK_RC(pthread_setaffinity_np(t, sizeof mine, &mine), EINVAL);
  int policy = -1;
  struct sched_param param;
  CHECK_RC(pthread_getschedparam(t, &policy, &param), 0);
  CHECK(policy == SCHED_OTHER && param.sched_priority == 0);
  CHECK_RC(pthread_setschedparam(t, SCHED_BATCH, &param), 0);
  CHECK_RC(pthread_getschedparam(t, &policy, &param), 0);
  FACT("policy %d", policy == SCHED_BATCH);
  errno = 0;
  CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(errno, 0);
  STORE(gate, 1);
  finish(t);
  FACT("scheduling");
}

static pthread_key_t keys[3];
static int order[8], ordered;
static void note(void* value) { order[ordered++] = (int)(intptr_t)value; }
static void again(void* value) {
  order[ordered++] = (int)(intptr_t)value;
  if ((intptr_t)value < 4) pthread_setspecific(keys[1], (void*)((intptr_t)value + 1));
}

static void* with_specific(void* arg) {
  CHECK(pthread_getspecific(keys[0]) == NULL);
  pthread_setspecific(keys[0], (void*)100);
  pthread_setspecific(keys[1], (void*)1);
  pthread_setspecific(keys[2], arg);
  sched_yield();
  CHECK(pthread_getspecific(keys[2]) == arg);
  pthread_exit((void*)7);
}

static void specific(void) {
  pthread_key_create(&keys[0], note);
  pthread_key_create(&keys[1], again);
  pthread_key_create(&keys[2], NULL);
  pthread_setspecific(keys[0], (void*)5);
  CHECK_EQ((intptr_t)finish(start(with_specific, order)), 7);
  CHECK(pthread_getspecific(keys[0]) == (void*)5);
  pthread_setspecific(keys[0], NULL);
  printf("destructors:");
  for (int i = 0; i < ordered; i++) printf(" %d", order[i]);
  FACT(" ");
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int onces;
static void slowly_once(void) {
  settle();
  onces++;
}
static void* do_once(void* arg) {
  pthread_once(&once, slowly_once);
  CHECK_EQ(onces, 1);
  return arg;
}

static void everything_again_in_a_thread(void) {
  pthread_t t[20];
  for (int i = 0; i < 20; i++) t[i] = start(do_once, NULL);
  for (int i = 0; i < 20; i++) finish(t[i]);
  FACT("once");
}

/* What a program finds in the area of restartable sequences is the processor that it runs on, or that none is registered: under Weft
   the kernel keeps no area, since several threads run on one of its own. */
static void* look_at_rseq(void* arg) {
  cpu_set_t all, last;
  CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  int cpu = CPU_SETSIZE - 1;
  while (!CPU_ISSET(cpu, &all)) cpu--;
  CPU_ZERO(&last);
  CPU_SET(cpu, &last);
  CHECK_EQ(sched_setaffinity(0, sizeof last, &last), 0);
  sched_yield();
  const volatile struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
  int registered = (int)area->cpu_id;
  CHECK(registered == cpu || registered < 0);
  CHECK(area->rseq_cs == 0);
  CHECK(sched_getcpu() >= 0);
  return arg;
}
static void restartable_sequences(void) {
  for (int i = 0; i < 10; i++) finish(start(look_at_rseq, NULL));
  FACT("rseq");
}

static void* all(void* arg) {
  values();
  joins();
  attributes();
  specific();
  return arg;
}

int main(void) {
  begin();
  values();
  joins();
  attributes();
  identity();
  names();
  scheduling();
  restartable_sequences();
  specific();
  everything_again_in_a_thread();
  ordered = detached_done = 0;
  finish(start(all, NULL));
  return end();
}
