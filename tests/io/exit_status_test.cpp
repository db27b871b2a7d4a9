// SPDX-License-Identifier: MIT
#include "weft/exit_status.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace weft {
namespace {

TEST(exit_statuses, of_a_process_that_exited) {
  constexpr exit_status s = exit_status::from_wait(7 << 8);
  static_assert(s.known() && s.exited() && s.code() == 7 && !s.signaled() && s.signal() == 0 && !s.success());
  static_assert(exit_status::from_wait(0).success());
  EXPECT_EQ(s.shell_code(), 7);
  EXPECT_EQ(s, exit_status::from_wait(7 << 8));
  EXPECT_NE(s, exit_status::from_wait(0));
}

TEST(exit_statuses, of_one_that_was_killed) {
  const exit_status s = exit_status::from_wait(SIGSEGV | 0x80);
  EXPECT_TRUE(s.signaled());
  EXPECT_TRUE(s.core_dumped());
  EXPECT_EQ(s.signal(), SIGSEGV);
  EXPECT_EQ(s.code(), 0);
  EXPECT_EQ(s.shell_code(), 128 + SIGSEGV);
  EXPECT_FALSE(exit_status::from_wait(SIGTERM).core_dumped());
}

TEST(exit_statuses, unknown_is_neither) {
  constexpr exit_status s;
  static_assert(!s.known() && !s.exited() && !s.signaled() && !s.success() && !s.core_dumped());
  EXPECT_EQ(s.shell_code(), 127);
}

}  // namespace
}  // namespace weft
