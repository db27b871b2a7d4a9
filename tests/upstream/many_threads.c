// SPDX-License-Identifier: MIT
// For the debugger tests: COUNT threads, all of them blocked but one, which writes to /dev/null for ever,
// as descriptor 200, from three named functions. Prints "ready" once all threads exist; ends when its input does.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t ready;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int abort_after;  // calls, or 0 for never

__attribute__((noinline)) static long innermost(long calls) {
  long sum = write(200, "x", 1) + calls;
  if (abort_after && calls >= abort_after) abort();
  __asm__ volatile("" : "+r"(sum));
  return sum;
}

__attribute__((noinline)) static long middle(long calls) {
  long sum = innermost(calls) + 1;
  __asm__ volatile("" : "+r"(sum));
  return sum;
}

static void* running(void* unused) {
  (void)unused;
  pthread_barrier_wait(&ready);
  for (long calls = 1;; ++calls) {
    middle(calls);
    usleep(20);
  }
  return NULL;
}

static void* blocked(void* unused) {
  (void)unused;
  pthread_barrier_wait(&ready);
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return NULL;
}

int main(int argc, char** argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1000;
  abort_after = argc > 2 ? atoi(argv[2]) : 0;
  if (dup2(open("/dev/null", O_WRONLY), 200) != 200) {
    perror("/dev/null");
    return 1;
  }
  pthread_mutex_lock(&gate);
  pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 * 1024);
  for (int i = 0; i < count; ++i) {
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, i == 0 ? running : blocked, NULL);
    if (error) {
      fprintf(stderr, "pthread_create: %s\n", strerror(error));
      return 1;
    }
  }
  pthread_barrier_wait(&ready);
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0)
    ;
  _exit(0);
}
