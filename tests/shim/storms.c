// SPDX-License-Identifier: MIT
// Transfers while a thread pelts all others with signals: with SA_RESTART nothing shows, without it every call may end with
// EINTR or short and the program goes on. A peer that trickles makes reads and writes short. No byte is lost or doubled.
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

enum { PAIRS = 4, BYTES = 300000 };
static int restart, stop, hits, finished;
static pthread_t targets[PAIRS * 2 + 2];
static sem_t sem;

static void hit(int number) {
  (void)number;
  ADD(hits, 1);
}
static unsigned char byte_at(int pair, int i) { return (unsigned char)(pair * 17 + i * 31 + (i >> 8)); }

struct pipe_pair {
  int in, out, index;
};
static void* write_all(void* arg) {
  struct pipe_pair* p = (struct pipe_pair*)arg;
  unsigned char buffer[5000];
  unsigned seed = (unsigned)p->index + 1;
  for (int at = 0; at < BYTES;) {
    int size = (int)(rand_r(&seed) % sizeof buffer) + 1;
    if (size > BYTES - at) size = BYTES - at;
    for (int i = 0; i < size; i++) buffer[i] = byte_at(p->index, at + i);
    ssize_t n = write(p->out, buffer, (size_t)size);
    if (n < 0) {
      CHECK_EQ(errno, EINTR);
      CHECK_EQ(restart, 0);
      continue;
    }
    at += (int)n;
  }
  close(p->out);
  ADD(finished, 1);
  while (!LOAD(stop)) nap();
  return NULL;
}
static void* read_all(void* arg) {
  struct pipe_pair* p = (struct pipe_pair*)arg;
  unsigned char buffer[3000];
  unsigned seed = (unsigned)p->index + 100;
  int at = 0;
  for (;;) {
    if (rand_r(&seed) % 4 == 0) {
      struct pollfd f = {p->in, POLLIN, 0};
      int n = poll(&f, 1, 60000);
      CHECK(n == 1 || (n == -1 && errno == EINTR));
    }
    ssize_t n = read(p->in, buffer, rand_r(&seed) % sizeof buffer + 1);
    if (n < 0) {
      CHECK_EQ(errno, EINTR);
      CHECK_EQ(restart, 0);
      continue;
    }
    if (n == 0) break;
    for (int i = 0; i < n; i++)
      if (buffer[i] != byte_at(p->index, at + i)) {
        CHECK(!"the next byte");
        break;
      }
    at += (int)n;
  }
  CHECK_EQ(at, BYTES);
  close(p->in);
  ADD(finished, 1);
  while (!LOAD(stop)) nap();
  return NULL;
}
static int taken;
static void* take(void* arg) {
  for (int i = 0; i < 200; i++) {
    while (sem_wait(&sem) != 0) CHECK(errno == EINTR && !restart);
    ADD(taken, 1);
  }
  ADD(finished, 1);
  while (!LOAD(stop)) nap();
  return arg;
}
static void* give(void* arg) {
  for (int i = 0; i < 200; i++) {
    if (i % 10 == 0) nap();
    sem_post(&sem);
  }
  ADD(finished, 1);
  while (!LOAD(stop)) nap();
  return arg;
}
static void* pelt(void* arg) {
  int n = (int)(intptr_t)arg;
  while (!LOAD(stop)) {
    for (int i = 0; i < n; i++) pthread_kill(targets[i], SIGUSR1);
    nap();
  }
  return NULL;
}

static void transfer(int kind) {
  struct pipe_pair pairs[PAIRS];
  STORE(stop, 0);
  STORE(finished, 0);
  STORE(hits, 0);
  STORE(taken, 0);
  int n = 0;
  for (int i = 0; i < PAIRS; i++) {
    int fds[2];
    CHECK_EQ(kind ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
    pairs[i] = (struct pipe_pair){fds[0], fds[1], i};
    targets[n++] = start(write_all, &pairs[i]);
    targets[n++] = start(read_all, &pairs[i]);
  }
  targets[n++] = start(take, NULL);
  targets[n++] = start(give, NULL);
  pthread_t pelter = start(pelt, (void*)(intptr_t)n);
  AWAIT(LOAD(finished) == n);
  AWAIT(LOAD(hits) > 20);
  STORE(stop, 1);
  finish(pelter);
  for (int i = 0; i < n; i++) finish(targets[i]);
  FACT("%s, %s: taken %d", kind ? "sockets" : "pipes", restart ? "SA_RESTART" : "EINTR", taken);
}

/* The peer is another process that gives and takes in odd pieces. */
static void trickle(void) {
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(fds[0]);
    unsigned seed = 7;
    char buffer[64];
    int n = 0;
    ssize_t k;
    while (n < 20000 && (k = read(fds[1], buffer, rand_r(&seed) % sizeof buffer + 1)) > 0) {
      n += (int)k;
      if (rand_r(&seed) % 50 == 0) nap();
      for (ssize_t at = 0; at < k;) {
        ssize_t w = write(fds[1], buffer + at, (size_t)(at + 3 < k ? 3 : k - at));
        if (w <= 0) _exit(1);
        at += w;
      }
    }
    _exit(n == 20000 ? 0 : 2);
  }
  close(fds[1]);
  struct pipe_pair p = {fds[0], fds[0], 0};
  unsigned char sent[100], back[100];
  for (int at = 0; at < 20000; at += 100) {
    for (int i = 0; i < 100; i++) sent[i] = byte_at(1, at + i);
    CHECK_EQ(send(p.out, sent, 100, 0), 100);
    CHECK_EQ(recv(p.in, back, 100, MSG_WAITALL), 100);
    if (memcmp(sent, back, 100) != 0) CHECK(!"the same bytes");
  }
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("trickle: %x", status);
  close(fds[0]);
}

int main(void) {
  begin();
  sem_init(&sem, 0, 0);
  for (restart = 0; restart < 2; restart++) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = hit;
    action.sa_flags = restart ? SA_RESTART : 0;
    sigaction(SIGUSR1, &action, NULL);
    transfer(0);
    transfer(1);
  }
  trickle();
  return end();
}
