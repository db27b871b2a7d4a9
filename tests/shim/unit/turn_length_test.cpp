// SPDX-License-Identifier: MIT
#include "shim/turn_length.hpp"

#include <gtest/gtest.h>

namespace weft::shim {
namespace {

// A hub whose fibers use their turns up: each end of a turn is two switches.
class turn_lengths : public testing::Test {
 protected:
  void use_up(unsigned turns) {
    for (unsigned i = 0; i < turns; ++i) length.used_up(switches += 2);
  }
  turn_length length;
  std::uint64_t switches = 1000;
};

TEST_F(turn_lengths, are_short_once_nobody_goes_of_his_own_will) {
  use_up(turn_length::used_up_before);
  EXPECT_EQ(length.interval_ns(), turn_length::long_ns);  // the first was behind other switches
  use_up(1);
  EXPECT_EQ(length.interval_ns(), turn_length::short_ns);
  use_up(1000);
  EXPECT_EQ(length.interval_ns(), turn_length::short_ns);
}

TEST_F(turn_lengths, are_long_again_when_somebody_has_waited) {
  use_up(100);
  switches += 1;
  use_up(1);
  EXPECT_EQ(length.interval_ns(), turn_length::long_ns);
  use_up(turn_length::used_up_before - 1);
  EXPECT_EQ(length.interval_ns(), turn_length::long_ns);
  use_up(1);
  EXPECT_EQ(length.interval_ns(), turn_length::short_ns);
}

TEST_F(turn_lengths, stay_long_where_turns_are_used_up_now_and_then) {
  for (int i = 0; i < 100; ++i) {
    switches += 50;
    use_up(turn_length::used_up_before);
    EXPECT_EQ(length.interval_ns(), turn_length::long_ns);
  }
}

}  // namespace
}  // namespace weft::shim
