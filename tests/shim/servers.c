// SPDX-License-Identifier: MIT
// Whole servers in small: a thread for each connection, a pool that shares one listener, processes that share one listener,
// a daemon whose signals are taken by one thread with sigwait.
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

enum { CLIENTS = 200, ROUNDS = 20 };
static struct sockaddr_in where;
static int listener;

static void begin_listening(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_EQ(bind(listener, (struct sockaddr*)&a, sizeof a), 0);
  CHECK_EQ(listen(listener, CLIENTS), 0);
  socklen_t size = sizeof where;
  CHECK_EQ(getsockname(listener, (struct sockaddr*)&where, &size), 0);
}

static void echo_until_closed(int fd) {
  char buffer[256];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0)
    if (write(fd, buffer, (size_t)n) != n) break;
  close(fd);
}
static void* connection(void* arg) {
  echo_until_closed((int)(intptr_t)arg);
  return NULL;
}
static void* accept_each(void* arg) {
  for (int i = 0; i < CLIENTS; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    pthread_detach(start(connection, (void*)(intptr_t)fd));
  }
  return arg;
}
static void* pooled(void* arg) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
      CHECK_EQ(errno, EINVAL); /* shut down */
      return arg;
    }
    echo_until_closed(fd);
  }
}

static int answered;
static void* client(void* arg) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), me = (int)(intptr_t)arg;
  CHECK_EQ(connect(fd, (struct sockaddr*)&where, sizeof where), 0);
  int right = 0;
  for (int i = 0; i < ROUNDS; i++) {
    char text[64], back[64];
    memset(text, 0, sizeof text);
    snprintf(text, sizeof text, "client %d round %d", me, i);
    if (send(fd, text, sizeof text, MSG_NOSIGNAL) != sizeof text) break;
    if (recv(fd, back, sizeof back, MSG_WAITALL) != sizeof back) break;
    right += memcmp(text, back, sizeof text) == 0;
  }
  close(fd);
  if (right == ROUNDS) ADD(answered, 1);
  return NULL;
}
static void clients(const char* name, int count) {
  pthread_t t[CLIENTS];
  STORE(answered, 0);
  for (intptr_t i = 0; i < count; i++) t[i] = start(client, (void*)i);
  for (int i = 0; i < count; i++) finish(t[i]);
  FACT("%s: %d of %d clients were answered", name, answered, count);
}

static int reloads, terminated;
static void* signal_thread(void* arg) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  for (;;) {
    int number = 0;
    CHECK_RC(sigwait(&set, &number), 0);
    if (number == SIGHUP) ADD(reloads, 1);
    if (number == SIGTERM) break;
  }
  STORE(terminated, 1);
  return arg;
}

static int serve_in_child(void) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(pooled, NULL);
  pthread_t signals = start(signal_thread, NULL);
  finish(signals);
  _exit(reloads == 1 ? 33 : 34);
  (void)t;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  begin();

  begin_listening();
  pthread_t acceptor = start(accept_each, NULL);
  clients("a thread each", CLIENTS);
  finish(acceptor);

  pthread_t pool[8];
  for (int i = 0; i < 8; i++) pool[i] = start(pooled, NULL);
  clients("a pool", 100);
  CHECK_EQ(shutdown(listener, SHUT_RDWR), 0);
  for (int i = 0; i < 8; i++) finish(pool[i]);
  close(listener);

  begin_listening();
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = fork();
    if (children[i] == 0) serve_in_child();
  }
  clients("processes", 60);
  int sum = 0;
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(kill(children[i], SIGHUP), 0);
    settle();
    settle();
    int status = 0;
    CHECK_EQ(kill(children[i], SIGTERM), 0);
    CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
    sum += WEXITSTATUS(status);
  }
  FACT("their statuses add up to %d", sum);
  close(listener);

  pthread_t daemon_thread = start(signal_thread, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    kill(getppid(), SIGHUP);
    _exit(0);
  }
  CHECK_EQ(waitpid(pid, NULL, 0), pid);
  AWAIT(LOAD(reloads) == 1);
  CHECK_EQ(kill(getpid(), SIGTERM), 0);
  AWAIT(LOAD(terminated));
  finish(daemon_thread);
  FACT("daemon");
  return end();
}
