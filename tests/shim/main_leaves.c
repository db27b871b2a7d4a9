// SPDX-License-Identifier: MIT
// main calls pthread_exit: the process goes on until its last thread has ended, and then its status is 0.
#include "check.h"

static pthread_t main_thread;
static int left;

static void cleanup(void* arg) {
  FACT("%s", (char*)arg);
  STORE(left, 1);
}

static void* child(void* arg) {
  long beats = LOAD(check_beats);
  AWAIT(LOAD(check_beats) > beats + 20);
  FACT("grandchild");
  return arg;
}

static void* survivor(void* arg) {
  AWAIT(LOAD(left));
  void* result = NULL;
  CHECK_RC(pthread_join(main_thread, &result), 0);
  CHECK(result == arg);
  FACT("main joined");
  settle();
  finish(start(child, NULL));
  settle();
  FACT("pid is still the tid of main: %d", getpid() != gettid());
  STORE(check_beat_stop, 1);
  return NULL;
}

static void at_exit(void) { FACT("exit handlers run in the last thread"); }

int main(void) {
  begin();
  atexit(at_exit);
  main_thread = pthread_self();
  pthread_detach(start(survivor, &left));
  pthread_cleanup_push(cleanup, (void*)"cleanup of main");
  pthread_exit(&left);
  pthread_cleanup_pop(0);
}
