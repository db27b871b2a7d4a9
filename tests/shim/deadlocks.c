// SPDX-License-Identifier: MIT
// Two threads that lock two mutexes in opposite orders.
//
//     deadlocks            main joins one of them: nothing can end that
//     deadlocks handler    main waits for what a handler of SIGUSR2 does, and ends
#include <semaphore.h>
#include <signal.h>

#include "check.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold_one;

static void* backwards(void* arg) {
  pthread_setname_np(pthread_self(), "backwards");
  pthread_mutex_lock(&second);
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&first);
  return arg;
}
static void* forwards(void* arg) {
  pthread_setname_np(pthread_self(), "forwards");
  pthread_mutex_lock(&first);
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&second);
  return arg;
}

static sem_t posted;
static void post(int number) {
  (void)number;
  sem_post(&posted);
}

int main(int argc, char** argv) {
  (void)argv;
  sem_init(&posted, 0, 0);
  if (argc > 1) signal(SIGUSR2, post);
  pthread_barrier_init(&both_hold_one, NULL, 2);
  pthread_t one = start(forwards, NULL);
  start(backwards, NULL);
  FACT("started");
  if (argc == 1) return finish(one) != NULL;
  while (sem_wait(&posted) != 0) {
  }
  FACT("woken");
  _exit(0);
}
