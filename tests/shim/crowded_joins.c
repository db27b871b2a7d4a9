// SPDX-License-Identifier: MIT
// Joins on a processor that many want: a thread may lose it at any point of its end, and its joiner, on another hub, looks meanwhile.
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 8, ROUNDS = 30, THREADS = 100 };

static void* short_life(void* arg) {
  nap();
  return arg;
}

static int live_and_join(void) {
  begin();
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) threads[i] = start(short_life, NULL);
    for (int i = 0; i < THREADS; i++) finish(threads[i]);
  }
  STORE(check_beat_stop, 1);
  finish(check_beat_thread);
  return LOAD(check_failures);
}

int main(void) {
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] == 0) _exit(live_and_join());
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = -1;
    CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
    CHECK_EQ(status, 0);
  }
  FACT(LOAD(check_failures) ? "failed" : "passed");
  return LOAD(check_failures) != 0;
}
