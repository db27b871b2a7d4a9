// SPDX-License-Identifier: MIT
#include "shim/outsiders.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "shim/threads.hpp"

namespace {

using weft::shim::clone_request;
using weft::shim::expected_outsider;
using weft::shim::frame;
using weft::shim::is_outsider;
using weft::shim::outsiders;

constexpr std::uint64_t shares = CLONE_VM | CLONE_FS | CLONE_FILES;

/// A clone that is about to be made.
struct planned {
  explicit planned(const clone_request& r) : request(r), args{r.flags | SIGCHLD, r.stack} {
    at.rax = SYS_clone;
    outsider.emplace(at, request, args);
  }
  explicit planned(const clone_args& a) : request{.flags = a.flags, .stack = a.stack + a.stack_size} {
    at.rax = SYS_clone3;
    at.rdi = args[0] = reinterpret_cast<unsigned long>(&a);
    at.rsi = args[1] = sizeof a;
    outsider.emplace(at, request, args);
  }
  frame at{};
  clone_request request;
  unsigned long args[6]{};
  std::optional<expected_outsider> outsider;
};

class outsider : public testing::Test {
 protected:
  outsider() { weft::shim::forget_outsiders(); }
  ~outsider() override { weft::shim::forget_outsiders(); }
};

TEST_F(outsider, is_none_of_a_clone_that_copies_memory_has_storage_of_its_own_or_holds_its_maker) {
  const planned fork{clone_request{}};
  const planned thread{clone_request{.flags = shares | CLONE_SETTLS, .stack = 64}};
  const planned spawn{clone_request{.flags = shares | CLONE_VFORK, .stack = 64}};
  EXPECT_EQ(outsiders, 0U);
  for (const planned* p : {&fork, &thread, &spawn}) EXPECT_EQ(p->args[0], p->request.flags | SIGCHLD);
}

#if !defined(__SANITIZE_THREAD__)
std::atomic<bool> may_end;
int wait_and_end(void*) {
  while (!may_end) syscall(SYS_sched_yield);
  return 3;
}

TEST_F(outsider, is_counted_until_it_has_ended) {
  for (int round = 0; round < 40; ++round) {
    may_end = false;
    alignas(16) static std::array<char, 1 << 16> stack;
    planned p{clone_request{.flags = shares, .stack = reinterpret_cast<std::uint64_t>(stack.data() + stack.size())}};
    EXPECT_EQ(outsiders, 1U);
    const pid_t child = clone(wait_and_end, stack.data() + stack.size(), static_cast<int>(p.args[0]), nullptr, nullptr,
                              nullptr, reinterpret_cast<pid_t*>(p.args[3]));
    ASSERT_GT(child, 0);
    EXPECT_FALSE(is_outsider());
    EXPECT_EQ(outsiders, 1U);
    may_end = true;
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 3);
    EXPECT_FALSE(is_outsider());
    EXPECT_EQ(outsiders, 0U);
  }
}
#endif

TEST_F(outsider, is_told_of_by_clone3_too) {
  clone_args asked{};
  asked.flags = shares;
  asked.stack = 4096;
  const planned p{asked};
  const auto* const told = reinterpret_cast<const clone_args*>(p.args[0]);
  EXPECT_EQ(told->flags, shares | CLONE_CHILD_CLEARTID);
  EXPECT_EQ(told->stack, asked.stack);
  EXPECT_EQ(asked.flags, shares);
  EXPECT_FALSE(is_outsider());
  EXPECT_EQ(outsiders, 1U);
  *reinterpret_cast<int*>(told->child_tid) = 0;  // as the kernel does
  EXPECT_FALSE(is_outsider());
  EXPECT_EQ(outsiders, 0U);
}

TEST_F(outsider, does_not_count_when_its_clone_failed) {
  planned p{clone_request{.flags = shares, .stack = 64}};
  p.outsider->is_none();
  EXPECT_FALSE(is_outsider());
  EXPECT_EQ(outsiders, 0U);
}

TEST_F(outsider, counts_for_ever_with_a_word_of_the_programs_own) {
  int word = 0;
  const planned p{clone_request{.flags = shares | CLONE_CHILD_CLEARTID, .stack = 64, .child_tid = &word}};
  EXPECT_EQ(p.args[3], 0U);
  EXPECT_FALSE(is_outsider());
  EXPECT_EQ(outsiders, 1U);
  planned failed{clone_request{.flags = shares | CLONE_CHILD_CLEARTID, .stack = 64, .child_tid = &word}};
  EXPECT_EQ(outsiders, 2U);
  failed.outsider->is_none();
  EXPECT_EQ(outsiders, 1U);
}

TEST_F(outsider, counts_for_ever_where_too_many_live) {
  std::vector<std::unique_ptr<planned>> all;
  all.reserve(20);
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::make_unique<planned>(clone_request{.flags = shares, .stack = 64}));
  }
  EXPECT_EQ(outsiders, 20U);
  int told_of = 0;
  for (const auto& p : all) {
    if (p->args[3] == 0) continue;
    ++told_of;
    *reinterpret_cast<int*>(p->args[3]) = 0;
  }
  EXPECT_EQ(told_of, 16);
  EXPECT_FALSE(is_outsider());
  EXPECT_EQ(outsiders, 4U);
}

}  // namespace
