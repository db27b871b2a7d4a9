// SPDX-License-Identifier: MIT
// The fast ways through a program's text beside the slow ones.
#include "shim/text_search.hpp"

#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "shim/arch/x86_64/decoder.hpp"
#include "shim/arch/x86_64/length.hpp"

namespace {

using weft::shim::address_range;
using weft::shim::decoder;
using weft::shim::image;
using weft::shim::instruction;
using weft::shim::quick_length;

constexpr unsigned seed = 20261122;
using bytes = std::vector<std::uint8_t>;

std::int32_t distance_at(const bytes& text, std::size_t i) {
  std::int32_t distance;
  std::memcpy(&distance, text.data() + i + 1, sizeof distance);
  return distance;
}

void write_distance(bytes& text, std::size_t i, std::int64_t distance) {
  const auto low = static_cast<std::int32_t>(distance);
  std::memcpy(text.data() + i + 1, &low, sizeof low);
}

TEST(text_search, finds_the_jumps_to_a_place_that_all_jumps_are_looked_at_for) {
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t address = 0x5555'5555'0000 + random() % 8192;
    bytes text(9000 + random() % 100);
    for (std::uint8_t& b : text) b = static_cast<std::uint8_t>(random());
    const std::uint64_t begin = address + text.size() * 3 + random() % 200'000 - 100'000;
    const address_range to{begin, begin + 1 + random() % weft::shim::max_reach};
    for (std::size_t i = 0; i + 5 <= text.size(); i += 5 + random() % 3) {
      text[i] = 0xe9;
      const auto wanted = static_cast<std::int64_t>(to.begin + random() % (to.end - to.begin) - (address + i + 5));
      write_distance(text, i, wanted);
    }
    const auto leads_there = [&](std::size_t i) {
      return to.contains(address + i + 5 + static_cast<std::uint64_t>(std::int64_t{distance_at(text, i)}));
    };
    std::vector<std::size_t> expected, found;
    weft::shim::each_distance(text.data(), text.size(), [&](std::size_t i) {
      if (leads_there(i)) expected.push_back(i);
    });
    weft::shim::each_distance_to(to, text.data(), text.size(), address, [&](std::size_t i) {
      if (leads_there(i)) found.push_back(i);
    });
    EXPECT_GT(expected.size(), 1000U);
    EXPECT_EQ(found, expected);
  }
}

unsigned quick(const bytes& code) { return quick_length(code.data(), code.size()); }

TEST(quick_length, of_what_has_several_forms) {
  EXPECT_EQ(quick({0x90}), 1U);
  EXPECT_EQ(quick({0xb8, 1, 0, 0, 0, 0x0f, 0x05}), 5U);
  EXPECT_EQ(quick({0x66, 0xb8, 1, 0}), 4U);
  EXPECT_EQ(quick({0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}), 10U);
  EXPECT_EQ(quick({0x0f, 0x05, 0x90}), 2U);
  EXPECT_EQ(quick({0x66, 0x66, 0x48, 0xe8, 1, 2, 3, 4}), 8U);           // of a thread-local variable
  EXPECT_EQ(quick({0xc4, 0xe3, 0x79, 0x14, 0x44, 0x24, 8, 1}), 8U);     // vpextrb
  EXPECT_EQ(quick({0x62, 0xf1, 0x7c, 0x48, 0x10, 0x44, 0x24, 1}), 8U);  // vmovups of 64 bytes
  EXPECT_EQ(quick({0xf6, 0x05, 1, 2, 3, 4, 5}), 7U);                    // test with an immediate
  EXPECT_EQ(quick({0xf6, 0x15, 1, 2, 3, 4}), 6U);                       // not, without
  EXPECT_EQ(quick({0xc8, 1, 2, 3}), 4U);
}

TEST(quick_length, is_not_told_of_what_is_doubtful) {
  EXPECT_EQ(quick({0x66, 0xe8, 1, 2, 3, 4}), 0U);  // two lengths, by who made the processor
  EXPECT_EQ(quick({0x48, 0x66, 0xb8, 1, 2, 3, 4}), 0U);
  EXPECT_EQ(quick({0x06}), 0U);
  EXPECT_EQ(quick({0xb8, 1, 0, 0}), 0U);  // cut off
  EXPECT_EQ(quick({0x8b, 0x84}), 0U);
  EXPECT_EQ(quick({0x8b}), 0U);
  EXPECT_EQ(quick(bytes(15, 0x66)), 0U);
  EXPECT_EQ(quick({}), 0U);
}

struct tally {
  unsigned long compared = 0, unknown = 0;
};

// Code of one function; what the decoder does not know says nothing.
void compare(decoder& decode, const std::uint8_t* p, std::uint64_t address, std::uint64_t end, tally& sum) {
  for (instruction i; address < end; p += i.length, address = i.end()) {
    const auto left = static_cast<std::size_t>(end - address);
    if (!decode.decode(p, left, address, i)) return;
    ++sum.compared;
    const unsigned length = quick_length(p, left);
    if (length == 0) ++sum.unknown;
    if (length != 0 && length != i.length) {
      ADD_FAILURE() << length << " instead of " << unsigned{i.length} << " at " << std::hex << address << ": " << +p[0]
                    << ' ' << +p[1] << ' ' << +p[2] << ' ' << +p[3];
    }
  }
}

int visit(dl_phdr_info* info, std::size_t, void* data) {
  static_cast<std::vector<image>*>(data)->emplace_back(*info);
  return 0;
}

// Libc and the C++ library: half a million instructions.
TEST(quick_length, is_the_decoders_in_what_is_loaded_here) {
  std::vector<image> objects;
  dl_iterate_phdr(visit, &objects);
  decoder decode;
  ASSERT_TRUE(decode.open());
  tally sum;
  for (const image& object : objects) {
    for (unsigned n = 0; n < object.segment_count(); ++n) {
      const weft::shim::segment& s = object.segment_at(n);
      if (!s.executable) continue;
      address_range f;
      for (std::uint64_t at = s.address; at < s.range().end; at = std::max(at + 1, f.end)) {
        std::uint64_t described_end = 0;
        f = {at, at};
        if (!object.find_function(at, f, &described_end)) continue;
        compare(decode, s.bytes + (f.begin - s.address), f.begin, std::min(f.end, described_end), sum);
      }
    }
  }
  EXPECT_GT(sum.compared, 100'000U);
  EXPECT_LT(sum.unknown * 1000, sum.compared);
}

TEST(quick_length, is_the_decoders_in_random_bytes) {
  std::mt19937 random(seed);
  decoder decode;
  ASSERT_TRUE(decode.open());
  unsigned compared = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::uint8_t code[15];
    for (std::uint8_t& b : code) b = static_cast<std::uint8_t>(random());
    instruction i;
    const unsigned length = quick_length(code, sizeof code);
    if (length == 0 || !decode.decode(code, sizeof code, 0x1000, i)) continue;
    ++compared;
    EXPECT_EQ(length, i.length) << std::hex << +code[0] << ' ' << +code[1] << ' ' << +code[2] << ' ' << +code[3];
  }
  EXPECT_GT(compared, 100'000U);
}

}  // namespace
