// SPDX-License-Identifier: MIT
// vfork, posix_spawn, system, popen, exec from a thread; wait in every form while other threads go on.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>

#include "check.h"

extern char** environ;

static pid_t spawn(const char* script) {
  pid_t pid = -1;
  char* argv[] = {(char*)"sh", (char*)"-c", (char*)script, NULL};
  CHECK_RC(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
  return pid;
}

static void spawns(void) {
  int status = -1;
  CHECK_OTHERS_RAN(CHECK_EQ(waitpid(spawn("sleep 0.05; exit 5"), &status, 0) > 0, 1));
  FACT("spawned: %x", status);
  pid_t pid = -1;
  char* argv[] = {(char*)"no-such-program", NULL};
  CHECK_RC(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), ENOENT);
  int fds[2];
  CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
  posix_spawn_file_actions_addopen(&actions, 7, "/dev/null", O_RDONLY, 0);
  char* list[] = {(char*)"sh", (char*)"-c", (char*)"ls /proc/self/fd | tr '\\n' ' '", NULL};
  CHECK_RC(posix_spawn(&pid, "/bin/sh", &actions, NULL, list, environ), 0);
  close(fds[1]);
  char text[200];
  ssize_t n, size = 0;
  while ((n = read(fds[0], text + size, sizeof text - 1 - (size_t)size)) > 0) size += n;
  text[size] = 0;
  FACT("the child of a child saw descriptors %s", text);
  close(fds[0]);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  posix_spawn_file_actions_destroy(&actions);
}

static void shells(void) {
  int status = 0;
  CHECK_OTHERS_RAN(status = system("sleep 0.03; exit 3"));
  FACT("system: %x", status);
  CHECK_EQ(system(NULL) != 0, 1);
  FILE* p = popen("echo one; sleep 0.03; echo two", "r");
  char line[20];
  while (fgets(line, sizeof line, p)) printf("popen: %s", line);
  FACT("pclose: %x", pclose(p));
  p = popen("read a; exit $a", "w");
  fputs("7\n", p);
  FACT("pclose: %x", pclose(p));
}

static void* shells_in_thread(void* arg) {
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(system("exit 4"), 0x400);
    FILE* p = popen("echo hello", "r");
    char line[20];
    CHECK(fgets(line, sizeof line, p) && strcmp(line, "hello\n") == 0);
    CHECK_EQ(pclose(p), 0);
  }
  return arg;
}

static void vforks(void) {
  volatile int shared = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    shared = 1;
    _exit(9);
  }
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(shared, 1);
  FACT("vfork: %x", status);
  pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 6", (char*)NULL);
    _exit(127);
  }
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("vfork and exec: %x", status);
}

static void waits(void) {
  siginfo_t info;
  int status = -1;
  pid_t pid = -1;
  CHECK_OTHERS_RAN(if (pid > 0) waitpid(pid, &status, 0); pid = spawn("sleep 0.05; exit 11");
                   memset(&info, 0, sizeof info); CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0));
  CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 11 && info.si_signo == SIGCHLD);
  CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
  CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
  CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
  CHECK_ERR(waitpid(-1, &status, WNOHANG), ECHILD);
  CHECK_ERR(waitpid(-1, &status, 12345678), EINVAL);
  pid = spawn("sleep 100");
  CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
  memset(&info, 1, sizeof info);
  CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(kill(pid, SIGSTOP), 0);
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK_EQ(kill(pid, SIGCONT), 0);
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(kill(pid, SIGTERM), 0);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  FACT("stopped, continued, ended: %x", status);
  int first = 0, sum = 0;
  for (int i = 1; i <= 5; i++) {
    char script[40];
    snprintf(script, sizeof script, "sleep 0.0%d; exit %d", i, i);
    spawn(script);
  }
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(wait(&status) > 0, 1);
    first += 1;
    sum += WEXITSTATUS(status);
  }
  FACT("any: %d children, sum %d", first, sum);
  CHECK_ERR(wait(&status), ECHILD);
  pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    nap();
    _exit(12);
  }
  setpgid(pid, pid);
  pid_t other = spawn("exit 1");
  CHECK_EQ(waitpid(-pid, &status, 0), pid);
  CHECK_EQ(WEXITSTATUS(status), 12);
  CHECK_EQ(waitpid(0, &status, 0), other);
  CHECK_ERR(waitpid(-pid, &status, 0), ECHILD);
  FACT("groups");
}

/* Several threads that wait for children at once: each child is got by one. */
static int reaped;
static void* wait_any(void* arg) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, 0)) > 0) ADD(reaped, 1);
  CHECK_EQ(errno, ECHILD);
  return arg;
}
static void* wait_for(void* arg) {
  int status = -1;
  CHECK_EQ(waitpid((pid_t)(intptr_t)arg, &status, 0), (pid_t)(intptr_t)arg);
  return (void*)(intptr_t)WEXITSTATUS(status);
}
static void many_waiters(void) {
  pthread_t t[4];
  pid_t pids[4];
  for (int i = 0; i < 4; i++) {
    char script[40];
    snprintf(script, sizeof script, "sleep 0.0%d; exit %d", 4 - i, i);
    pids[i] = spawn(script);
    t[i] = start(wait_for, (void*)(intptr_t)pids[i]);
  }
  for (int i = 0; i < 4; i++) CHECK_EQ((intptr_t)finish(t[i]), i);
  for (int i = 0; i < 8; i++) spawn("sleep 0.02");
  for (int i = 0; i < 4; i++) t[i] = start(wait_any, NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  FACT("reaped %d", reaped);
}

static int child_signals;
static pid_t child_pid;
static void on_child(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  if (info->si_code == CLD_EXITED) STORE(child_pid, info->si_pid);
  ADD(child_signals, 1);
}
static void child_signal(void) {
  struct sigaction action = {0}, old;
  action.sa_sigaction = on_child;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGCHLD, &action, &old);
  pid_t pid = spawn("exit 0");
  AWAIT(LOAD(child_pid) == pid);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel: wait ends with ECHILD when the last is gone */
  pid = spawn("sleep 0.03");
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
  sigaction(SIGCHLD, &old, NULL);
  FACT("child signal");
}

static void* exec_shell(void* arg) {
  execl("/bin/sh", "sh", "-c", "echo $WOVEN; kill -USR1 $$; exit 13", (char*)NULL);
  return arg;
}
static void* exec_grep(void* arg) {
  sigset_t set; /* the mask of the thread that calls exec is the new program's */
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  raise(SIGHUP); /* and what is pending stays so */
  execl("/bin/grep", "grep", "-E", "SigBlk|SigIgn|SigPnd", "/proc/self/status", (char*)NULL);
  return arg;
}
static void execs(void) {
  setenv("WOVEN", "yes", 1);
  for (int i = 0; i < 2; i++) {
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
      dup2(fds[1], 1);
      signal(SIGUSR1, SIG_IGN);
      start(i ? exec_grep : exec_shell, NULL);
      for (;;) pause();
    }
    close(fds[1]);
    FILE* in = fdopen(fds[0], "r");
    char line[100];
    while (fgets(line, sizeof line, in)) printf("exec: %s", line);
    fclose(in);
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    FACT("exec from a thread: %x", status);
  }
}

int main(void) {
  begin();
  spawns();
  shells();
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start(shells_in_thread, NULL);
  for (int i = 0; i < 4; i++) finish(t[i]);
  vforks();
  waits();
  many_waiters();
  child_signal();
  execs();
  FACT("next fd %d", dup(0));
  return end();
}
