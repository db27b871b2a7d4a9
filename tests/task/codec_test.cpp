// SPDX-License-Identifier: MIT
#include "weft/codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft {
struct person {
  std::string name;
  std::vector<std::string> friends;
  bool operator==(const person&) const = default;
};
template <>
struct codec<person> {
  static void encode(encoder& to, const person& p) { to.put(p.name, p.friends); }
  static person decode(decoder& from) {
    auto name = from.get<std::string>();
    return {std::move(name), from.get<std::vector<std::string>>()};
  }
};

namespace {

template <class T>
T round_trip(const T& value) {
  encoder to;
  to.put(value);
  decoder from(to.bytes());
  T back = from.get<T>();
  EXPECT_EQ(from.left(), 0U);
  return back;
}
template <class T>
void expect_same(const T& value) {
  EXPECT_EQ(round_trip(value), value);
}

struct point {
  int x;
  double y;
  bool operator==(const point&) const = default;
};

TEST(codec, trivially_copyable_types) {
  expect_same(42);
  expect_same(-1.5);
  expect_same(true);
  expect_same(point{1, 2.5});
  enum class color : char { red, green };
  expect_same(color::green);
}

TEST(codec, strings_and_containers) {
  expect_same(std::string());
  expect_same(std::string("a\0b", 3));
  expect_same(std::vector<int>{1, 2, 3});
  expect_same(std::vector<bool>{true, false, true});
  expect_same(std::vector<std::string>{"", "x"});
  expect_same(std::vector<std::vector<point>>{{}, {{1, 2}}});
  expect_same(std::list<int>{3, 1});
  expect_same(std::deque<std::string>{"q"});
  expect_same(std::set<std::string>{"b", "a"});
  expect_same(std::map<std::string, std::vector<int>>{{"k", {1}}, {"l", {}}});
  expect_same(std::unordered_map<int, std::string>{{1, "one"}, {2, "two"}});
}

TEST(codec, tuples_pairs_arrays_and_optionals) {
  expect_same(std::tuple<int, std::string, char>{1, "x", 'c'});
  expect_same(std::tuple<>());
  expect_same(std::pair<std::string, int>{"p", 2});
  expect_same(std::array<std::string, 2>{"a", "b"});
  expect_same(std::optional<std::string>("x"));
  expect_same(std::optional<std::string>());
  expect_same(std::vector<std::tuple<>>(3));
}

TEST(codec, a_type_that_was_taught) {
  expect_same(person{"ada", {"charles"}});
  expect_same(std::vector<person>{{"a", {}}, {"b", {"c"}}});
}

TEST(codec, several_values_in_their_order) {
  encoder to;
  to.put(1, std::string("two"), 3.0);
  decoder from(to.bytes());
  EXPECT_EQ(from.get<int>(), 1);
  EXPECT_EQ(from.get<std::string>(), "two");
  EXPECT_EQ(from.get<double>(), 3.0);
}

TEST(codec, what_was_cut_off_is_told_at_every_length) {
  encoder to;
  to.put(std::map<std::string, std::vector<int>>{{"key", {1, 2}}}, std::optional<std::string>("text"));
  for (std::size_t size = 0; size < to.bytes().size(); ++size) {
    decoder from(std::span(to.bytes().data(), size));
    EXPECT_THROW(
        {
          (from.get<std::map<std::string, std::vector<int>>>());
          from.get<std::optional<std::string>>();
        },
        codec_error)
        << size;
  }
}

TEST(codec, a_length_that_cannot_be_is_told_before_memory_is_taken) {
  encoder to;
  to.count(std::size_t{1} << 60);
  to.put(1);
  EXPECT_THROW(decoder(to.bytes()).get<std::string>(), codec_error);
  EXPECT_THROW(decoder(to.bytes()).get<std::vector<std::string>>(), codec_error);
  encoder close;  // enough bytes for one each, not for the elements
  close.count(8);
  close.put(std::uint64_t{0});
  EXPECT_THROW(decoder(close.bytes()).get<std::vector<std::uint64_t>>(), codec_error);
}

// What refers to something else is no bytes of a value.
static_assert(!detail::sendable_bytes<int*>);
static_assert(!detail::sendable_bytes<int[3]>);
static_assert(!detail::sendable_bytes<std::string_view>);
static_assert(!detail::sendable_bytes<std::span<int>>);
static_assert(!detail::sendable_bytes<std::reference_wrapper<int>>);
static_assert(!detail::sendable_bytes<void (*)()>);
static_assert(!detail::container<std::string_view>);

}  // namespace
}  // namespace weft
