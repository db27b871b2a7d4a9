// SPDX-License-Identifier: MIT
// Every lock of pthreads and C11: kinds of mutex, robust owners, conditions on both clocks, rwlocks, barriers, semaphores.
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int gate, inside;
static long counter;

static void* count_up(void* arg) {
  for (int i = 0; i < 20000; i++) {
    pthread_mutex_lock((pthread_mutex_t*)arg);
    long seen = counter;
    if (i % 1000 == 0) sched_yield();
    counter = seen + 1;
    pthread_mutex_unlock((pthread_mutex_t*)arg);
  }
  return NULL;
}

static void* try_lock(void* arg) { return (void*)(intptr_t)pthread_mutex_trylock((pthread_mutex_t*)arg); }
static void* unlock_it(void* arg) { return (void*)(intptr_t)pthread_mutex_unlock((pthread_mutex_t*)arg); }

static void mutexes(void) {
  int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
  for (int k = 0; k < 4; k++) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, kinds[k]);
    pthread_mutex_t m;
    pthread_mutex_init(&m, &attr);
    counter = 0;
    pthread_t t[8];
    for (int i = 0; i < 8; i++) t[i] = start(count_up, &m);
    for (int i = 0; i < 8; i++) finish(t[i]);
    FACT("kind %d counted %ld", k, counter);
    pthread_mutex_lock(&m);
    CHECK_EQ((intptr_t)finish(start(try_lock, &m)), EBUSY);
    struct timespec until = in_ms(CLOCK_REALTIME, 15);
    long long began = now_us();
    if (kinds[k] == PTHREAD_MUTEX_RECURSIVE) {
      CHECK_RC(pthread_mutex_lock(&m), 0);
      CHECK_RC(pthread_mutex_trylock(&m), 0);
      pthread_mutex_unlock(&m);
      pthread_mutex_unlock(&m);
      CHECK_EQ((intptr_t)finish(start(try_lock, &m)), EBUSY);
      CHECK_EQ((intptr_t)finish(start(unlock_it, &m)), EPERM);
    } else if (kinds[k] == PTHREAD_MUTEX_ERRORCHECK) {
      CHECK_RC(pthread_mutex_lock(&m), EDEADLK);
      CHECK_EQ((intptr_t)finish(start(unlock_it, &m)), EPERM);
    } else {
      CHECK_RC(pthread_mutex_timedlock(&m, &until), ETIMEDOUT);
      CHECK_TOOK(began, 14);
      until = in_ms(CLOCK_MONOTONIC, 15);
      CHECK_RC(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &until), ETIMEDOUT);
    }
    CHECK_RC(pthread_mutex_unlock(&m), 0);
    CHECK_RC(pthread_mutex_destroy(&m), 0);
  }
}

static pthread_mutex_t robust;
static void* die_owning(void* arg) {
  pthread_mutex_lock(&robust);
  STORE(inside, 1);
  AWAIT(LOAD(gate));
  return arg;
}
static void* lock_robust(void* arg) {
  (void)arg;
  int error = pthread_mutex_lock(&robust);
  if (error == EOWNERDEAD) pthread_mutex_consistent(&robust);
  if (error == 0 || error == EOWNERDEAD) pthread_mutex_unlock(&robust);
  return (void*)(intptr_t)error;
}

static void robust_owner(void) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attr);
  for (int waiters = 0; waiters < 3; waiters++) {
    STORE(gate, 0);
    STORE(inside, 0);
    pthread_t owner = start(die_owning, NULL), t[2];
    AWAIT(LOAD(inside));
    for (int i = 0; i < waiters; i++) t[i] = start(lock_robust, NULL);
    settle();
    STORE(gate, 1);
    finish(owner);
    int dead = 0;
    for (int i = 0; i < waiters; i++) dead += (intptr_t)finish(t[i]) == EOWNERDEAD;
    int error = pthread_mutex_lock(&robust);
    FACT("robust with %d waiters: %d told, then %s", waiters, dead, check_error_name(error));
    if (error == EOWNERDEAD) pthread_mutex_consistent(&robust);
    pthread_mutex_unlock(&robust);
  }
  STORE(gate, 1);
  finish(start(die_owning, NULL));
  CHECK_RC(pthread_mutex_lock(&robust), EOWNERDEAD);
  pthread_mutex_unlock(&robust); /* not made consistent */
  CHECK_RC(pthread_mutex_lock(&robust), ENOTRECOVERABLE);
}

static int turns;
static void* take_turns(void* arg) {
  int me = (int)(intptr_t)arg;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < 2000; i++) {
    while (turns % 4 != me) pthread_cond_wait(&cond, &lock);
    turns++;
    pthread_cond_broadcast(&cond);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}
static void* wait_open(void* arg) {
  pthread_mutex_lock(&lock);
  inside++;
  while (!gate) pthread_cond_wait(&cond, &lock);
  inside--;
  pthread_mutex_unlock(&lock);
  return arg;
}

static void conditions(void) {
  pthread_t t[40];
  for (intptr_t i = 0; i < 4; i++) t[i] = start(take_turns, (void*)i);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("turns %d", turns);
  gate = inside = 0;
  for (int i = 0; i < 40; i++) t[i] = start(wait_open, NULL);
  AWAIT(LOAD(inside) == 40);
  pthread_mutex_lock(&lock);
  gate = 1;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < 40; i++) finish(t[i]);
  FACT("inside %d", inside);
  clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
  for (int c = 0; c < 2; c++) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    CHECK_RC(pthread_condattr_setclock(&attr, clocks[c]), 0);
    pthread_cond_t timed;
    pthread_cond_init(&timed, &attr);
    pthread_mutex_lock(&lock);
    struct timespec until, past = {1, 0};
    long long began = now_us();
    CHECK_OTHERS_RAN(until = in_ms(clocks[c], 20); CHECK_RC(pthread_cond_timedwait(&timed, &lock, &until), ETIMEDOUT));
    CHECK_TOOK(began, 19);
    CHECK_RC(pthread_cond_timedwait(&timed, &lock, &past), ETIMEDOUT);
    until = in_ms(clocks[!c], 5);
    CHECK_RC(pthread_cond_clockwait(&timed, &lock, clocks[!c], &until), ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    CHECK_RC(pthread_cond_destroy(&timed), 0);
  }
  FACT("conditions");
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int readers, most_readers, writers;
static void* read_it(void* arg) {
  pthread_rwlock_rdlock(&rw);
  int n = ADD(readers, 1);
  if (n > LOAD(most_readers)) STORE(most_readers, n);
  CHECK_EQ(LOAD(writers), 0);
  AWAIT(LOAD(most_readers) >= 4);
  ADD(readers, -1);
  pthread_rwlock_unlock(&rw);
  return arg;
}
static void* write_it(void* arg) {
  for (int i = 0; i < 200; i++) {
    pthread_rwlock_wrlock(&rw);
    CHECK_EQ(ADD(writers, 1), 1);
    CHECK_EQ(LOAD(readers), 0);
    if (i % 20 == 0) sched_yield();
    ADD(writers, -1);
    pthread_rwlock_unlock(&rw);
  }
  return arg;
}
static void rwlocks(void) {
  pthread_t t[8];
  for (int i = 0; i < 4; i++) t[i] = start(read_it, NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  for (int i = 0; i < 8; i++) t[i] = start(i % 2 ? write_it : read_it, NULL);
  for (int i = 0; i < 8; i++) finish(t[i]);
  pthread_rwlock_rdlock(&rw);
  struct timespec until = in_ms(CLOCK_REALTIME, 15);
  CHECK_RC(pthread_rwlock_timedwrlock(&rw, &until), ETIMEDOUT);
  CHECK_RC(pthread_rwlock_trywrlock(&rw), EBUSY);
  pthread_rwlock_unlock(&rw);
  pthread_rwlock_wrlock(&rw);
  until = in_ms(CLOCK_REALTIME, 15);
  CHECK_RC(pthread_rwlock_tryrdlock(&rw), EBUSY);
  CHECK_RC(pthread_rwlock_timedrdlock(&rw, &until), EDEADLK);
  pthread_rwlock_unlock(&rw);
  FACT("rwlocks");
}

static pthread_barrier_t barrier;
static int serials, arrivals;
static void* meet(void* arg) {
  for (int i = 0; i < 200; i++) {
    ADD(arrivals, 1);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) ADD(serials, 1);
    CHECK(LOAD(arrivals) >= 10 * (i + 1));
  }
  return arg;
}
static void barriers(void) {
  pthread_barrier_init(&barrier, NULL, 10);
  pthread_t t[10];
  for (int i = 0; i < 10; i++) t[i] = start(meet, NULL);
  for (int i = 0; i < 10; i++) finish(t[i]);
  pthread_barrier_destroy(&barrier);
  FACT("barrier met %d times, %d arrivals", serials, arrivals);
}

static sem_t sem;
static void* post_later(void* arg) {
  settle();
  sem_post((sem_t*)arg);
  return NULL;
}
static void* take_many(void* arg) {
  for (int i = 0; i < 500; i++) sem_wait((sem_t*)arg);
  return NULL;
}
static void semaphores(void) {
  sem_init(&sem, 0, 0);
  CHECK_ERR(sem_trywait(&sem), EAGAIN);
  struct timespec until = in_ms(CLOCK_REALTIME, 20);
  long long began = now_us();
  CHECK_ERR(sem_timedwait(&sem, &until), ETIMEDOUT);
  CHECK_TOOK(began, 19);
  until = in_ms(CLOCK_MONOTONIC, 10);
  CHECK_ERR(sem_clockwait(&sem, CLOCK_MONOTONIC, &until), ETIMEDOUT);
  pthread_t t[5];
  t[0] = start(post_later, &sem);
  CHECK_EQ(sem_wait(&sem), 0);
  finish(t[0]);
  for (int i = 0; i < 4; i++) t[i] = start(take_many, &sem);
  for (int i = 0; i < 2000; i++) sem_post(&sem);
  for (int i = 0; i < 4; i++) finish(t[i]);
  int value = -1;
  sem_getvalue(&sem, &value);
  CHECK_EQ(value, 0);
  sem_destroy(&sem);
  char name[64];
  snprintf(name, sizeof name, "/weft-test-%d", getpid());
  sem_t* named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(named != SEM_FAILED);
  t[0] = start(post_later, named);
  CHECK_EQ(sem_wait(named), 0);
  finish(t[0]);
  pid_t pid = fork();
  if (pid == 0) {
    sem_post(named);
    _exit(0);
  }
  CHECK_EQ(sem_wait(named), 0);
  CHECK_EQ(waitpid(pid, NULL, 0), pid);
  sem_close(named);
  CHECK_EQ(sem_unlink(name), 0);
  FACT("semaphores");
}

struct shared {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  pthread_barrier_t barrier;
  sem_t sem;
  int turn;
};
static void across_processes(void) {
  struct shared* s = (struct shared*)mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t ma;
  pthread_condattr_t ca;
  pthread_barrierattr_t ba;
  pthread_mutexattr_init(&ma);
  pthread_condattr_init(&ca);
  pthread_barrierattr_init(&ba);
  pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
  pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&s->lock, &ma);
  pthread_cond_init(&s->cond, &ca);
  pthread_barrier_init(&s->barrier, &ba, 2);
  sem_init(&s->sem, 1, 0);
  pid_t pid = fork();
  int me = pid != 0;
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&s->lock);
    while (s->turn % 2 != me) pthread_cond_wait(&s->cond, &s->lock);
    s->turn++;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
  }
  pthread_barrier_wait(&s->barrier);
  if (pid == 0) {
    sem_post(&s->sem);
    _exit(0);
  }
  CHECK_EQ(sem_wait(&s->sem), 0);
  CHECK_EQ(waitpid(pid, NULL, 0), pid);
  FACT("shared with a child: %d turns", s->turn);
  munmap(s, sizeof *s);
}

static pthread_spinlock_t spin;
static void* spin_up(void* arg) {
  for (int i = 0; i < 5000; i++) {
    pthread_spin_lock(&spin);
    counter++;
    pthread_spin_unlock(&spin);
  }
  return arg;
}
static mtx_t c11_lock;
static cnd_t c11_cond;
static int c11_open;
static once_flag c11_once = ONCE_FLAG_INIT;
static tss_t c11_key;
static void c11_init(void) { counter += 1000; }
static int c11_run(void* arg) {
  call_once(&c11_once, c11_init);
  tss_set(c11_key, arg);
  mtx_lock(&c11_lock);
  while (!c11_open) cnd_wait(&c11_cond, &c11_lock);
  mtx_unlock(&c11_lock);
  thrd_yield();
  return (int)(intptr_t)tss_get(c11_key);
}
static void c11_and_spin(void) {
  counter = 0;
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(spin_up, NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("spun %ld", counter);
  counter = 0;
  mtx_init(&c11_lock, mtx_timed);
  cnd_init(&c11_cond);
  tss_create(&c11_key, NULL);
  thrd_t c[5];
  int sum = 0, result;
  for (intptr_t i = 0; i < 5; i++) CHECK_EQ(thrd_create(&c[i], c11_run, (void*)(i + 1)), thrd_success);
  mtx_lock(&c11_lock);
  struct timespec until = in_ms(CLOCK_REALTIME, 10);
  CHECK_EQ(cnd_timedwait(&c11_cond, &c11_lock, &until), thrd_timedout);
  c11_open = 1;
  cnd_broadcast(&c11_cond);
  mtx_unlock(&c11_lock);
  for (int i = 0; i < 5; i++) {
    thrd_join(c[i], &result);
    sum += result;
  }
  FACT("C11: sum %d, once %ld", sum, counter);
}

static void* all(void* arg) {
  mutexes();
  robust_owner();
  turns = 0;
  conditions();
  rwlocks();
  serials = arrivals = 0;
  barriers();
  semaphores();
  across_processes();
  c11_and_spin();
  return arg;
}

int main(void) {
  begin();
  all(NULL);
  STORE(gate, 0);
  counter = 0;
  most_readers = 0;
  finish(start(all, NULL));
  return end();
}
