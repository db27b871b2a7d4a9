// SPDX-License-Identifier: MIT
// A process that never makes a thread, and is never touched, but makes children that do.
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "check.h"

static int handled;
static void note(int number) {
  (void)number;
  handled++;
}
static void* in_child(void* arg) {
  nap();
  return arg;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  sigaction(SIGALRM, &action, NULL);
  alarm(1);
  CHECK_ERR(poll(NULL, 0, -1), EINTR);
  CHECK_EQ(handled, 1);
  for (int i = 0; i < 5; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      pthread_t t[5];
      for (int k = 0; k < 5; k++) t[k] = start(in_child, &t[k]);
      for (int k = 0; k < 5; k++)
        if (finish(t[k]) != &t[k]) _exit(1);
      _exit(40 + i);
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    FACT("child: %x", status);
  }
  FACT("system: %x", system("exit 7"));
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  FACT("descriptors %d %d", fds[0], fds[1]);
  FACT("passed");
  return check_failures ? 1 : 0;
}
