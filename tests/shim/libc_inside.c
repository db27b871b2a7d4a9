// SPDX-License-Identifier: MIT
// What libc does inside itself when several threads use it: stdio locks, the resolver, locale, time zones, malloc, getline on pipes.
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <syslog.h>

#include "check.h"

static FILE* stream;
static void* print_lines(void* arg) {
  for (int i = 0; i < 300; i++) {
    flockfile(stream);
    fprintf(stream, "%d ", (int)(intptr_t)arg);
    if (i % 50 == 0) nap();
    fprintf(stream, "%d\n", i);
    funlockfile(stream);
  }
  return NULL;
}
static void stdio_locks(void) {
  stream = tmpfile();
  pthread_t t[6];
  for (intptr_t i = 0; i < 6; i++) t[i] = start(print_lines, (void*)i);
  for (int i = 0; i < 6; i++) finish(t[i]);
  rewind(stream);
  int next[6] = {0}, lines = 0, a, b;
  while (fscanf(stream, "%d %d\n", &a, &b) == 2) {
    CHECK(a >= 0 && a < 6 && b == next[a]);
    if (a >= 0 && a < 6) next[a]++;
    lines++;
  }
  fclose(stream);
  FACT("stdio: %d lines", lines);
}

static FILE *in, *out;
static void* getlines(void* arg) {
  char* line = NULL;
  size_t size = 0;
  long n = 0;
  while (getline(&line, &size, in) > 0) n++;
  free(line);
  (void)arg;
  return (void*)n;
}
static void stdio_pipe(void) {
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  in = fdopen(fds[0], "r");
  out = fdopen(fds[1], "w");
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start(getlines, NULL);
  for (int i = 0; i < 3000; i++) {
    fprintf(out, "line %d\n", i);
    if (i % 100 == 0) fflush(out);
  }
  fclose(out);
  long sum = 0;
  for (int i = 0; i < 3; i++) sum += (long)(intptr_t)finish(t[i]);
  fclose(in);
  FACT("getline: %ld", sum);
}

static void* resolve(void* arg) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  int error = getaddrinfo("localhost", "80", &hints, &list);
  CHECK_EQ(error, 0);
  if (!error) freeaddrinfo(list);
  hints.ai_flags = AI_NUMERICHOST;
  CHECK_EQ(getaddrinfo("no number", NULL, &hints, &list), EAI_NONAME);
  struct passwd entry, *found = NULL;
  char buffer[4096];
  CHECK_EQ(getpwnam_r("root", &entry, buffer, sizeof buffer, &found), 0);
  CHECK(found && entry.pw_uid == 0);
  time_t when = 86400;
  struct tm tm;
  localtime_r(&when, &tm);
  gmtime_r(&when, &tm);
  strftime(buffer, sizeof buffer, "%c", &tm);
  CHECK(strtod("1.5", NULL) == 1.5);
  CHECK(strcmp(strerror(ENOENT), "No such file or directory") == 0);
  locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  locale_t before = uselocale(own);
  nap();
  CHECK(uselocale((locale_t)0) == own);
  uselocale(before);
  freelocale(own);
  CHECK(dlopen("no-such-library.so", RTLD_NOW) == NULL);
  nap();
  CHECK(dlerror() != NULL);
  return arg;
}
static void resolver(void) {
  pthread_t t[8];
  for (int i = 0; i < 8; i++) t[i] = start(resolve, NULL);
  for (int i = 0; i < 8; i++) finish(t[i]);
  FACT("resolver");
}

static int queue_id, semaphore_id, lock_held;
static void* send_message(void* arg) {
  struct {
    long type;
    char text[8];
  } m = {7, "message"};
  settle();
  CHECK_EQ(msgsnd(queue_id, &m, 8, 0), 0);
  struct sembuf up = {0, 2, 0};
  settle();
  CHECK_EQ(semop(semaphore_id, &up, 1), 0);
  return arg;
}
static void system_v(void) {
  struct {
    long type;
    char text[8];
  } m;
  queue_id = msgget(IPC_PRIVATE, 0600);
  semaphore_id = semget(IPC_PRIVATE, 1, 0600);
  pthread_t t = start(send_message, NULL);
  CHECK_EQ(msgrcv(queue_id, &m, 8, 7, 0), 8);
  CHECK_EQ(strcmp(m.text, "message"), 0);
  struct sembuf down = {0, -2, 0}, try = {0, -1, IPC_NOWAIT};
  CHECK_EQ(semop(semaphore_id, &down, 1), 0);
  CHECK_ERR(semop(semaphore_id, &try, 1), EAGAIN);
  struct timespec limit = {0, 20000000};
  long long began = now_us();
  CHECK_OTHERS_RAN(CHECK_ERR(semtimedop(semaphore_id, &down, 1, &limit), EAGAIN));
  CHECK_TOOK(began, 20);
  finish(t);
  msgctl(queue_id, IPC_RMID, NULL);
  semctl(semaphore_id, 0, IPC_RMID);
  FACT("System V");
}

static void* lock_file(void* arg) {
  int fd = open("locked", O_RDWR);
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  CHECK_EQ(LOAD(lock_held), 0);
  close(fd);
  return arg;
}
static void* lock_region(void* arg) {
  int fd = open("locked", O_RDWR);
  struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  CHECK_EQ(fcntl(fd, F_OFD_SETLKW, &f), 0);
  CHECK_EQ(LOAD(lock_held), 0);
  close(fd);
  return arg;
}
static void file_locks(void) {
  int fd = open("locked", O_CREAT | O_RDWR, 0600);
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  STORE(lock_held, 1);
  pthread_t t = start(lock_file, NULL);
  for (int i = 0; i < 3; i++) settle();
  STORE(lock_held, 0);
  CHECK_EQ(flock(fd, LOCK_UN), 0);
  finish(t);
  struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  CHECK_EQ(fcntl(fd, F_OFD_SETLK, &f), 0);
  STORE(lock_held, 1);
  t = start(lock_region, NULL);
  for (int i = 0; i < 3; i++) settle();
  STORE(lock_held, 0);
  close(fd);
  finish(t);
  unlink("locked");
  FACT("file locks");
}

int main(void) {
  begin();
  setlocale(LC_ALL, "");
  stdio_locks();
  stdio_pipe();
  resolver();
  system_v();
  file_locks();
  syslog(LOG_DEBUG, "nobody listens");
  return end();
}
