// SPDX-License-Identifier: MIT
// A process that makes threads, and a child of it that makes another number of them: each has a report of its own.
#include <sys/wait.h>

#include "check.h"

static void* nothing(void* unused) { return unused; }

int main(void) {
  pthread_t all[4];
  for (int i = 0; i < 4; ++i) all[i] = start(nothing, NULL);
  for (int i = 0; i < 4; ++i) finish(all[i]);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 2; ++i) finish(start(nothing, NULL));
    return 0;
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  return LOAD(check_failures) != 0;
}
