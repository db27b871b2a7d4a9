// SPDX-License-Identifier: MIT
#include "weft/io_error.hpp"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(io_error, codes_compare_with_the_portable_conditions) {
  const std::error_code passed = io_errc::timed_out;
  EXPECT_EQ(passed, std::errc::timed_out);
  EXPECT_EQ(passed, io_errc::timed_out);
  EXPECT_NE(passed, std::error_code(ETIMEDOUT, std::system_category()));
  EXPECT_EQ(std::error_code(io_errc::too_long), std::errc::message_size);
  EXPECT_NE(std::error_code(io_errc::end_of_stream), std::errc::timed_out);
}

TEST(io_error, each_has_a_text_of_its_own) {
  EXPECT_STREQ(io_category().name(), "weft.io");
  EXPECT_EQ(std::error_code(io_errc::end_of_stream).message(), "end of stream");
  EXPECT_EQ(std::error_code(io_errc::timed_out).message(), "deadline passed");
  EXPECT_EQ(io_category().message(99), "unknown");
}

}  // namespace
}  // namespace weft
