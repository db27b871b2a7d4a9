// SPDX-License-Identifier: MIT
// Objects that are loaded while threads run, with system calls of their own: those block a thread, not all of them.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static long (*raw_read)(int, void*, long);
static long (*raw_call)(long, long, long, long);
int dlopens_fd = -1;  // what the object's constructor reads from

static void* load(void) {
  void* object = dlopen(DLOPENED, RTLD_NOW);
  if (object == NULL) {
    check_failed(__FILE__, __LINE__, "%s", dlerror());
    exit(3);
  }
  raw_read = (long (*)(int, void*, long))dlsym(object, "dlopened_read");
  raw_call = (long (*)(long, long, long, long))dlsym(object, "dlopened_call");
  return object;
}

static long reading;

static void* read_one(void* fds) {
  char c = 0;
  ADD(reading, 1);
  CHECK_EQ(raw_read(((int*)fds)[0], &c, 1), 1);
  ADD(reading, 1);
  CHECK_EQ(raw_call(SYS_read, ((int*)fds)[0], (long)&c, 1), 1);
  CHECK_EQ(c, 'b');
  CHECK_EQ(raw_call(SYS_gettid, 0, 0, 0), gettid());  // under Weft not what the kernel would say
  return NULL;
}

static void calls_park(int fds[2]) {
  STORE(reading, 0);
  pthread_t reader = start(read_one, fds);
  AWAIT(LOAD(reading) == 1);
  settle();
  CHECK_EQ(write(fds[1], "a", 1), 1);
  AWAIT(LOAD(reading) == 2);
  settle();
  CHECK_EQ(write(fds[1], "b", 1), 1);
  finish(reader);
  char c;
  CHECK_EQ(raw_read(-1, &c, 1), -EBADF);
  CHECK_EQ(raw_call(SYS_getpid, 0, 0, 0), getpid());
}

static void* write_later(void* fd) {
  settle();
  CHECK_EQ(write(*(int*)fd, "x", 1), 1);
  return NULL;
}

// The constructor's own call waits for another thread.
static void* constructors_park(void* pipe) {
  int* fds = pipe;
  STORE(dlopens_fd, fds[0]);
  pthread_t writer = start(write_later, &fds[1]);
  void* object = load();
  STORE(dlopens_fd, -1);
  finish(writer);
  const char* got = dlsym(object, "dlopened_got");
  CHECK(got != NULL && *got == 'x');
  const long* tid = dlsym(object, "dlopened_tid");
  CHECK(tid != NULL && *tid == gettid());
  CHECK_EQ(dlclose(object), 0);
  return NULL;
}

// What was patched and is gone may come again, at the same place or elsewhere, more often than there are stubs.
static void again_and_again(int fds[2]) {
  for (int i = 0; i < 3000; ++i) {
    void* object = load();
    char c;
    if (raw_read(-1, &c, 1) != -EBADF) CHECK(!"a bad descriptor");
    CHECK_EQ(dlclose(object), 0);
  }
  void* object = load();
  calls_park(fds);
  CHECK_EQ(dlclose(object), 0);
}

static void* nothing(void* unused) { return unused; }

// A fork's child is one thread again: it loads, and then makes threads.
static void in_a_child(int fds[2]) {
  pid_t child = fork();
  if (child == 0) {
    void* object = load();
    finish(start(nothing, NULL));
    calls_park(fds);
    dlclose(object);
    _exit(LOAD(check_failures) != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

int main(int argc, char** argv) {
  (void)argv;
  begin();
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  int in_thread[2] = {fds[0], fds[1]};
  finish(start(constructors_park, in_thread));
  void* object = load();
  calls_park(fds);
  FACT("calls of a loaded object park");
  if (argc > 1) return end();  // with the object loaded, for the report
  CHECK_EQ(dlclose(object), 0);
  again_and_again(fds);
  FACT("loaded again");
  in_a_child(fds);
  FACT("in a child");
  return end();
}
