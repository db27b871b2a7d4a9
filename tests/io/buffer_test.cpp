// SPDX-License-Identifier: MIT
#include "weft/buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
namespace {

static_assert(!std::is_convertible_v<const char*, const_buffer>, "a pointer says nothing of its size");
static_assert(!std::is_convertible_v<const std::string&, mutable_buffer>, "constant memory is not filled");
static_assert(!std::is_convertible_v<std::vector<std::string>&, mutable_buffer>, "objects are not bytes");
static_assert(!std::is_convertible_v<const_buffer, mutable_buffer>);
static_assert(!std::is_convertible_v<std::array<mutable_buffer, 2>&, mutable_buffer>, "a sequence of buffers is none");
static_assert(!std::is_convertible_v<std::vector<std::string_view>&, const_buffer>);
static_assert(!std::is_convertible_v<std::vector<const char*>&, const_buffer>);

TEST(buffer, ranges_convert_with_their_size_in_bytes) {
  char array[8];
  EXPECT_EQ(mutable_buffer(array).data(), array);
  EXPECT_EQ(mutable_buffer(array).size(), 8U);
  std::array<int, 3> ints{};
  EXPECT_EQ(mutable_buffer(ints).size(), 3 * sizeof(int));
  std::vector<std::byte> bytes(5);
  EXPECT_EQ(mutable_buffer(bytes).size(), 5U);
  EXPECT_EQ(mutable_buffer(std::span(bytes).first(2)).size(), 2U);
  std::string text = "abc";
  EXPECT_EQ(mutable_buffer(text).data(), text.data());
  EXPECT_EQ(const_buffer(std::string_view("abcd")).size(), 4U);
  EXPECT_EQ(const_buffer(std::as_const(text)).size(), 3U);
  EXPECT_EQ(const_buffer(mutable_buffer(array)).size(), 8U);
  EXPECT_EQ(mutable_buffer().size(), 0U);
}

TEST(buffer, a_literal_counts_without_its_zero_and_an_array_with_it) {
  EXPECT_EQ(const_buffer("GET /").size(), 5U);
  EXPECT_EQ(const_buffer("a\0b").size(), 3U);
  EXPECT_EQ(const_buffer("").size(), 0U);
  char filled[4] = {'a', 'b', 'c', '\0'};
  EXPECT_EQ(const_buffer(filled).size(), 4U);
  const char table[2] = {'a', 'b'};
  EXPECT_EQ(const_buffer(table).size(), 2U);
}

TEST(buffer, the_rest_behind_what_is_done) {
  char array[4];
  const mutable_buffer whole(array);
  EXPECT_EQ((whole + 1).data(), array + 1);
  EXPECT_EQ((whole + 1).size(), 3U);
  EXPECT_EQ((whole + 4).size(), 0U);
  EXPECT_EQ((whole + 9).size(), 0U);
  EXPECT_EQ((const_buffer("abc") + 2).size(), 1U);
}

}  // namespace
}  // namespace weft
