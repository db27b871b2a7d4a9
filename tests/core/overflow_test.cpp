// SPDX-License-Identifier: MIT
#include "core/overflow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/this_fiber.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_SANITIZED
#endif
#endif

namespace weft::core {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::KilledBySignal;
using testing::Not;

volatile bool bottomless = true;

__attribute__((noinline)) int dig(volatile char* above) {
  volatile char here[1024];
  here[0] = above[0];
  return bottomless ? dig(here) + here[0] : 0;
}

int overflow() {
  volatile char c = 0;
  return dig(&c);
}

void overflow_in_a_fiber(std::size_t stack_size = 0) {
  spawn({.name = "digger", .stack_size = stack_size}, [] { overflow(); }).join();
}

void leave(int) { _exit(3); }

void handle_faults_with(void (*handler)(int)) {
  struct sigaction act {};
  act.sa_handler = handler;
  act.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &act, nullptr);
}

// Each body runs in a process of its own.
class overflows : public testing::Test {
 protected:
  void SetUp() override {
    WEFT_NEEDS_PLAIN_THREADS();  // the shim's own report is tested in tests/shim
#if defined(WEFT_SANITIZED)
    GTEST_SKIP() << "the sanitizer handles SIGSEGV";
#endif
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
  }
};
using overflows_DeathTest = overflows;

TEST_F(overflows_DeathTest, of_a_fiber_is_told_with_its_name_and_size) {
  EXPECT_EXIT(overflow_in_a_fiber(), KilledBySignal(SIGSEGV),
              ContainsRegex("stack overflow in fiber [0-9]+ \"digger\": its 60 KiB are used up. Give it more "
                            ".fiber_attributes::stack_size."));
  EXPECT_EXIT(overflow_in_a_fiber(200 * 1024), KilledBySignal(SIGSEGV), HasSubstr("its 252 KiB are used up"));
  EXPECT_EXIT(overflow_in_a_fiber(), KilledBySignal(SIGSEGV),
              ContainsRegex("\n    0x[0-9a-f]+ /.*core_overflow_test.0x[0-9a-f]+\n"))
      << "where";
}

TEST_F(overflows_DeathTest, is_told_on_every_thread_that_has_a_hub) {
  const auto in_others = [] {
    this_fiber::yield();
    std::jthread([] { spawn([] {}).join(); }).join();
    std::jthread([] { overflow_in_a_fiber(); }).join();  // on the hub of the one that has ended
  };
  EXPECT_EXIT(in_others(), KilledBySignal(SIGSEGV), HasSubstr("stack overflow in fiber"));
}

TEST_F(overflows_DeathTest, other_faults_say_nothing_and_end_as_ever) {
  const auto fault = [] { spawn([] { *reinterpret_cast<volatile int*>(sysconf(_SC_PAGESIZE)) = 1; }).join(); };
  EXPECT_EXIT(fault(), KilledBySignal(SIGSEGV), Not(HasSubstr("overflow")));
  EXPECT_EXIT(spawn([] { raise(SIGSEGV); }).join(), KilledBySignal(SIGSEGV), Not(HasSubstr("overflow")));
  const auto of_a_thread = [] {
    this_fiber::yield();
    overflow();  // main's: not ours to tell of
  };
  const rlimit little{1 << 20, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &little);
  EXPECT_EXIT(of_a_thread(), KilledBySignal(SIGSEGV), Not(HasSubstr("overflow")));
}

TEST_F(overflows_DeathTest, a_handler_of_the_program_is_called_whenever_it_came) {
  const auto before = [] {
    handle_faults_with(leave);
    stack_t own{};
    own.ss_sp = new char[64 * 1024];
    own.ss_size = 64 * 1024;
    sigaltstack(&own, nullptr);
    this_fiber::yield();
    stack_t now{};
    sigaltstack(nullptr, &now);
    if (now.ss_sp != own.ss_sp) _exit(4);
    overflow_in_a_fiber();
  };
  EXPECT_EXIT(before(), testing::ExitedWithCode(3), Not(HasSubstr("overflow")));
  const auto behind = [] {
    this_fiber::yield();
    handle_faults_with(leave);  // it has a stack to run on
    overflow_in_a_fiber();
  };
  EXPECT_EXIT(behind(), testing::ExitedWithCode(3), Not(HasSubstr("overflow")));
}

}  // namespace
}  // namespace weft::core
