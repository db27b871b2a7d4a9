// SPDX-License-Identifier: MIT
#include "base/text.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "base/words.hpp"

namespace weft::base {
namespace {

TEST(text, prints_numbers_and_words) {
  fixed_text<200> t;
  t << "a " << 0 << ' ' << -7 << ' ' << 18446744073709551615U << ' ' << hex{0xbeef} << ' '
    << static_cast<const char*>(nullptr);
  EXPECT_EQ(t.view(), "a 0 -7 18446744073709551615 0xbeef (none)");
  t.clear();
  t << std::numeric_limits<std::int64_t>::min() << ' ' << std::uint8_t{200};
  EXPECT_EQ(t.view(), "-9223372036854775808 200");
}

TEST(text, cuts_what_does_not_fit) {
  char room[8] = "1234567";
  text t(room, 4);
  t << "abc" << 12345;
  EXPECT_EQ(t.view(), "abc1");
  EXPECT_EQ(room[4], '5') << "nothing is written past the end";
}

TEST(text, lines_columns_up) {
  fixed_text<100> t;
  t.left("name", 6).right(1234567, 10).right(12, 4).right("x", 3);
  EXPECT_EQ(t.view(), "name   1,234,567  12  x");
  t.clear();
  t.left("longer", 2).right(1000, 1);
  EXPECT_EQ(t.view(), "longer1,000");
}

TEST(words, are_taken_off_the_front) {
  std::string_view list = "a,,bc";
  EXPECT_EQ(take(list, ','), "a");
  EXPECT_EQ(take(list, ','), "");
  EXPECT_EQ(take(list, ','), "bc");
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(take(list, ','), "");
  EXPECT_EQ(last_component("/usr/bin/make"), "make");
  EXPECT_EQ(last_component("make"), "make");
  EXPECT_EQ(last_component("dir/"), "");
}

}  // namespace
}  // namespace weft::base
