// SPDX-License-Identifier: MIT
// Two thousand threads alive at once, then thousands one after the other; every one blocks, is woken and is counted.
#include <stdint.h>

#include "check.h"

#define MANY 2000
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int waiting, released;
static __thread int mine;

static void* wait_for_release(void* arg) {
  mine = (int)(intptr_t)arg;
  pthread_mutex_lock(&lock);
  if (++waiting == MANY) pthread_cond_broadcast(&changed);
  while (!released) pthread_cond_wait(&changed, &lock);
  waiting--;
  pthread_mutex_unlock(&lock);
  return (void*)(intptr_t)(mine + 1);
}

static void* short_life(void* arg) {
  void* block = malloc(100 + (size_t)(intptr_t)arg % 1000);
  mine++;
  nap();
  free(block);
  return (void*)(intptr_t)mine;
}

int main(void) {
  begin();
  static pthread_t threads[MANY];
  for (int round = 0; round < 2; round++) {
    released = 0;
    for (intptr_t i = 0; i < MANY; i++) threads[i] = start(wait_for_release, (void*)i);
    pthread_mutex_lock(&lock);
    while (waiting < MANY) pthread_cond_wait(&changed, &lock);
    released = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    long sum = 0;
    for (int i = 0; i < MANY; i++) sum += (long)(intptr_t)finish(threads[i]);
    FACT("sum %ld, waiting %d", sum, waiting);
  }
  long ones = 0;
  for (int round = 0; round < 40; round++) {
    for (intptr_t i = 0; i < 100; i++) threads[i] = start(short_life, (void*)i);
    for (int i = 0; i < 100; i++) ones += (long)(intptr_t)finish(threads[i]);
  }
  FACT("short lives %ld", ones);
  return end();
}
