// SPDX-License-Identifier: MIT
// Says what it runs on: the stack of a thread, how many OS threads for eleven of its own and what it is preloaded
// with. Given `child`, it has another process say the same behind that.
#include <dirent.h>
#include <spawn.h>
#include <sys/wait.h>

#include "check.h"

extern char** environ;
enum { threads = 10 };
static pthread_barrier_t all_there, counted;
static size_t stack_size;

static void* one(void* arg) {
  if (arg != NULL) {
    pthread_attr_t attr;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstacksize(&attr, &stack_size), 0);
    pthread_attr_destroy(&attr);
  }
  pthread_barrier_wait(&all_there);
  pthread_barrier_wait(&counted);
  return NULL;
}

static int os_threads(void) {
  DIR* dir = opendir("/proc/self/task");
  int n = 0;
  for (struct dirent* e; (e = readdir(dir));) n += e->d_name[0] != '.';
  closedir(dir);
  return n;
}

int main(int argc, char** argv) {
  pthread_t t[threads];
  pthread_barrier_init(&all_there, NULL, threads + 1);
  pthread_barrier_init(&counted, NULL, threads + 1);
  for (int i = 0; i < threads; i++) t[i] = start(one, i == 0 ? &stack_size : NULL);
  pthread_barrier_wait(&all_there);
  int n = os_threads();
  pthread_barrier_wait(&counted);
  for (int i = 0; i < threads; i++) finish(t[i]);
  const char* preload = getenv("LD_PRELOAD");
  FACT("stack %zu tasks %d preload %s", stack_size, n, preload ? preload : "-");
  if (argc > 1) {
    char* command[] = {argv[0], NULL};
    pid_t pid;
    int status = -1;
    CHECK_RC(posix_spawn(&pid, argv[0], NULL, NULL, command, environ), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
  }
  return check_failures != 0;
}
