// SPDX-License-Identifier: MIT
// Patches its own process. Each test runs in a child, so that every one starts unpatched.
#include "shim/sites.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/clock.hpp"
#include "base/syscall.hpp"

using namespace weft;

namespace {

unsigned long dispatched = 0;

long pass_on(shim::frame* f) {
  ++dispatched;
  return base::raw_syscall(static_cast<long>(f->rax), f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
}

long (*on_dispatch)(shim::frame*) = pass_on;

}  // namespace

extern "C" {
unsigned char weft_handled[WEFT_HANDLED_COUNT];
long weft_dispatch(shim::frame* f) { return on_dispatch(f); }
}

namespace {

template <class Body>
void in_child(Body body) {
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << (status & 127);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

void handle(int nr, long (*how)(shim::frame*)) {
  weft_handled[nr] = 1;
  on_dispatch = how;
}

/// Until the thread sleeps in a read: the first word of this file is the number of its system call.
void wait_until_in_read(pid_t tid) {
  std::string path = "/proc/self/task/" + std::to_string(tid) + "/syscall";
  for (char first[3] = ""; std::strcmp(first, "0 ") != 0;) {
    FILE* file = fopen(path.c_str(), "r");
    ASSERT_NE(file, nullptr);
    if (fgets(first, sizeof first, file) == nullptr) first[0] = '\0';
    fclose(file);
  }
}

void report_left() {
  unsigned n = 0;
  const shim::site* s = shim::all(n);
  for (unsigned i = 0; i < n; ++i) {
    if (s[i].k == shim::kind::left) {
      std::printf("left: %s %#lx nr %d: %s\n", s[i].object, s[i].address, s[i].nr, shim::reason_text(s[i].reason));
    }
  }
}

TEST(sites, patches_this_process) {
  in_child([] {
    std::int64_t start = base::monotonic_ns();
    ASSERT_TRUE(shim::patch_clone_sites());
    std::int64_t middle = base::monotonic_ns();
    EXPECT_EQ(shim::counts().patched, 2u);
    ASSERT_TRUE(shim::patch_all_sites());
    std::int64_t end = base::monotonic_ns();
    shim::site_counts c = shim::counts();
    std::printf("clone sites %.3f ms, all %.3f ms; found %u patched %u left %u\n", double(middle - start) / 1e6,
                double(end - middle) / 1e6, c.found, c.patched, c.left);
    report_left();
    EXPECT_GE(c.patched * 100, c.found * 99);
    EXPECT_EQ(getpid(), base::raw_syscall(SYS_getpid));
    EXPECT_EQ(dispatched, 0u);
    std::memset(weft_handled, 1, sizeof weft_handled);
    EXPECT_EQ(getppid(), base::raw_syscall(SYS_getppid));
    EXPECT_EQ(dispatched, 1u);
    char name[] = "/tmp/weft-sites-XXXXXX";
    int fd = mkstemp(name);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(write(fd, "hello", 5), 5);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    char text[6] = {};
    EXPECT_EQ(read(fd, text, 5), 5);
    EXPECT_STREQ(text, "hello");
    EXPECT_EQ(close(fd), 0);
    EXPECT_EQ(close(fd), -1);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(unlink(name), 0);
    std::printf("%lu calls dispatched\n", dispatched);
    EXPECT_GT(dispatched, 7u);
  });
}

TEST(sites, where_text_may_not_be_changed_nothing_is) {
  in_child([] {
    constexpr int set_mdwe = 65, refuse_exec_gain = 1;  // <linux/prctl.h> from Linux 6.3 on
    if (prctl(set_mdwe, refuse_exec_gain, 0L, 0L, 0L) != 0) return;
    EXPECT_FALSE(shim::patch_clone_sites());
    EXPECT_FALSE(shim::patch_all_sites());
    shim::site_counts c = shim::counts();
    EXPECT_GE(c.found, 2u);
    EXPECT_EQ(c.left, c.found);
    std::memset(weft_handled, 1, sizeof weft_handled);
    EXPECT_EQ(getppid(), base::raw_syscall(SYS_getppid));
    EXPECT_EQ(dispatched, 0u);
  });
}

// ---- unwinding: from the dispatcher through a stub and libc

TEST(unwinding, an_exception_passes_from_the_dispatcher_to_the_caller_of_libc) {
  in_child([] {
    ASSERT_TRUE(shim::patch_all_sites());
    handle(SYS_getppid, [](shim::frame*) -> long { throw std::runtime_error("from the dispatcher"); });
    // The header says that it throws nothing, which the compiler would believe.
    pid_t (*volatile may_throw)() = getppid;
    int caught = 0;
    try {
      may_throw();
    } catch (const std::runtime_error&) {
      ++caught;
    }
    // A site whose comparison is replayed.
    handle(SYS_read, [](shim::frame*) -> long { throw 4711; });
    char text[4];
    try {
      read(-1, text, sizeof text);
    } catch (int value) {
      EXPECT_EQ(value, 4711);
      ++caught;
    }
    EXPECT_EQ(caught, 2);
  });
}

bool names(void* const* frames, int count, const char* function) {
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (dladdr(static_cast<char*>(frames[i]) - 1, &info) != 0 && info.dli_sname != nullptr &&
        std::strcmp(info.dli_sname, function) == 0) {
      return true;
    }
  }
  return false;
}

void* trace[64];
int traced = 0;

TEST(unwinding, a_backtrace_from_the_dispatcher_reaches_main) {
  in_child([] {
    traced = backtrace(trace, 64);  // loads libgcc before anything is patched
    int whole = traced;
    ASSERT_TRUE(shim::patch_all_sites());
    handle(SYS_getppid, [](shim::frame* f) {
      traced = backtrace(trace, 64);
      return pass_on(f);
    });
    getppid();
    EXPECT_GE(traced, whole + 2);
    EXPECT_TRUE(names(trace, traced, "getppid"));
    EXPECT_TRUE(names(trace, traced, "__libc_start_main"));
  });
}

void trace_here(int) { traced = backtrace(trace, 64); }

TEST(unwinding, a_backtrace_from_a_signal_in_a_stub_reaches_main) {
  in_child([] {
    traced = backtrace(trace, 64);
    struct sigaction action {};
    action.sa_handler = trace_here;
    sigaction(SIGALRM, &action, nullptr);
    ASSERT_TRUE(shim::patch_all_sites());
    // Not handled: read's own syscall was overwritten, so the stub makes it and is interrupted in it.
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    itimerval soon{{0, 0}, {0, 1000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    char c;
    EXPECT_EQ(read(ends[0], &c, 1), -1);
    EXPECT_EQ(errno, EINTR);
    EXPECT_TRUE(names(trace, traced, "read") || names(trace, traced, "__read"));
    EXPECT_TRUE(names(trace, traced, "__libc_start_main"));
  });
}

/// Interrupted at every single instruction between a site and the dispatcher and back, the stack can be walked.
std::uint64_t stepped = 0, broken = 0;

void on_step(int, siginfo_t*, void* context) {
  auto* c = static_cast<ucontext_t*>(context);
  auto pc = static_cast<std::uint64_t>(c->uc_mcontext.gregs[REG_RIP]);
  if (!shim::in_stub(pc)) return;
  ++stepped;
  void* frames[64];
  int count = backtrace(frames, 64);
  if (!names(frames, count, "getppid") || !names(frames, count, "__libc_start_main")) ++broken;
}

void set_trap_flag(bool on) {
  if (on) {
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
  } else {
    asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
  }
}

TEST(unwinding, works_at_every_instruction_of_a_stub) {
  in_child([] {
    traced = backtrace(trace, 64);
    struct sigaction action {};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);
    ASSERT_TRUE(shim::patch_all_sites());
    for (bool handled : {false, true}) {
      weft_handled[SYS_getppid] = handled;
      std::uint64_t before = stepped;
      set_trap_flag(true);
      getppid();
      set_trap_flag(false);
      EXPECT_GE(stepped, before + (handled ? 60u : 7u));
    }
    EXPECT_EQ(broken, 0u);
  });
}

TEST(unwinding, pthread_exit_runs_through_a_stub) {
  in_child([] {
    ASSERT_TRUE(shim::patch_all_sites());
    static int cleaned;
    struct cleaner {
      ~cleaner() { ++cleaned; }
    };
    handle(SYS_getppid, [](shim::frame*) -> long { pthread_exit(&cleaned); });
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                    cleaner c;
                    pid_t (*volatile may_throw)() = getppid;
                    may_throw();
                    return nullptr;
                  },
                  nullptr),
              0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, &cleaned);
    EXPECT_EQ(cleaned, 1);
  });
}

TEST(unwinding, a_thread_is_cancelled_in_the_raw_call_of_a_stub) {
  in_child([] {
    ASSERT_TRUE(shim::patch_all_sites());
    static int cleaned, ends[2];
    static std::atomic<pid_t> tid;
    struct cleaner {
      ~cleaner() { ++cleaned; }
    };
    ASSERT_EQ(pipe(ends), 0);
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                    cleaner c;
                    tid = gettid();
                    char byte;
                    read(ends[0], &byte, 1);
                    return nullptr;
                  },
                  nullptr),
              0);
    while (tid == 0) sched_yield();
    wait_until_in_read(tid);
    ASSERT_EQ(pthread_cancel(thread), 0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_EQ(cleaned, 1);
  });
}

// ---- threads

TEST(threads, one_that_sits_in_a_site_while_all_are_patched) {
  in_child([] {
    static int ends[2];
    static std::atomic<pid_t> tid;
    ASSERT_EQ(pipe(ends), 0);
    pthread_t thread;
    auto reader = [](void*) -> void* {
      tid = gettid();
      char byte = 0;
      long count = read(ends[0], &byte, 1);
      return reinterpret_cast<void*>(count + byte);
    };
    ASSERT_EQ(pthread_create(&thread, nullptr, reader, nullptr), 0);
    while (tid == 0) sched_yield();
    wait_until_in_read(tid);
    ASSERT_TRUE(shim::patch_all_sites());
    unsigned n = 0, in_use = 0;
    const shim::site* s = shim::all(n);
    for (unsigned i = 0; i < n; ++i) in_use += s[i].reason == shim::left_reason::in_use;
    EXPECT_EQ(in_use, 1u);
    EXPECT_GE(shim::counts().patched, 500u);
    weft_handled[SYS_getppid] = 1;
    EXPECT_EQ(getppid(), base::raw_syscall(SYS_getppid));
    EXPECT_EQ(dispatched, 1u);
    EXPECT_EQ(write(ends[1], "*", 1), 1);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(reinterpret_cast<long>(result), 1 + '*');
  });
}

// ---- clone and vfork

long clone_by_hand(shim::frame* f) {
  const bool three = f->rax == SYS_clone3;
  const unsigned long args[6] = {f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9};
  std::uint64_t stack = f->rsi;
  if (three) {
    auto* a = reinterpret_cast<const clone_args*>(f->rdi);
    stack = a->stack != 0 ? a->stack + a->stack_size : 0;
  }
  return weft_raw_clone(f, stack, static_cast<long>(f->rax), args);
}

TEST(threads, start_through_weft_raw_clone) {
  in_child([] {
    ASSERT_TRUE(shim::patch_clone_sites());
    ASSERT_TRUE(shim::patch_all_sites());
    handle(SYS_clone3, clone_by_hand);
    handle(SYS_clone, clone_by_hand);
    static std::atomic<long> sum;
    for (int i = 0; i < 200; ++i) {
      pthread_t threads[4];
      for (pthread_t& t : threads) {
        ASSERT_EQ(pthread_create(
                      &t, nullptr, [](void*) -> void* { return sum += 1, nullptr; }, nullptr),
                  0);
      }
      for (pthread_t t : threads) pthread_join(t, nullptr);
    }
    EXPECT_EQ(sum, 800);
  });
}

int vforks_that_returned = 0;

[[gnu::noinline]] pid_t vfork_and_exit(int status) {
  pid_t child = vfork();
  if (child == 0) _exit(status);
  return child;
}

TEST(processes, vfork_through_weft_raw_vfork) {
  in_child([] {
    ASSERT_TRUE(shim::patch_all_sites());
    handle(SYS_vfork, [](shim::frame* f) -> long { weft_raw_vfork(f, []() noexcept { ++vforks_that_returned; }); });
    for (int status : {0, 7, 13}) {
      pid_t child = vfork_and_exit(status);
      EXPECT_GT(child, 0);
      int got = 0;
      EXPECT_EQ(waitpid(child, &got, 0), child);
      EXPECT_EQ(WEXITSTATUS(got), status);
    }
    EXPECT_EQ(vforks_that_returned, 3);
    handle(SYS_vfork, [](shim::frame* f) -> long { weft_raw_vfork(f, nullptr); });
    const pid_t child = vfork_and_exit(5);
    int got = 0;
    EXPECT_EQ(waitpid(child, &got, 0), child);
    EXPECT_EQ(WEXITSTATUS(got), 5);
    EXPECT_EQ(vforks_that_returned, 3);
  });
}

TEST(processes, posix_spawn_through_weft_raw_clone) {
  in_child([] {
    ASSERT_TRUE(shim::patch_all_sites());
    handle(SYS_clone3, clone_by_hand);
    handle(SYS_clone, clone_by_hand);
    EXPECT_EQ(WEXITSTATUS(system("exit 9")), 9);
    FILE* pipe = popen("echo spoken", "r");
    ASSERT_NE(pipe, nullptr);
    char line[32] = "";
    EXPECT_NE(fgets(line, sizeof line, pipe), nullptr);
    EXPECT_STREQ(line, "spoken\n");
    EXPECT_EQ(pclose(pipe), 0);
  });
}

}  // namespace
