// SPDX-License-Identifier: MIT
#include "base/memory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace weft::base {
namespace {

// Each size is on another side of a class border; the last are blocks of their own.
constexpr std::size_t sizes[] = {1, 16, 17, 100, 4096, 32 * 1024, 32 * 1024 + 1, 100'000, 3'000'000};

TEST(reallocate, keeps_what_was_written_while_a_block_grows_and_shrinks) {
  char* block = nullptr;
  std::size_t filled = 0;
  for (std::size_t size : sizes) {
    block = static_cast<char*>(reallocate(block, size));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t), 0u);
    for (std::size_t i = 0; i < filled; ++i) ASSERT_EQ(block[i], static_cast<char>(i * 7)) << "at size " << size;
    for (std::size_t i = filled; i < size; ++i) block[i] = static_cast<char>(i * 7);
    filled = size;
  }
  for (std::size_t n = std::size(sizes); n-- > 0;) {
    block = static_cast<char*>(reallocate(block, sizes[n]));
    ASSERT_NE(block, nullptr);
    for (std::size_t i = 0; i < sizes[n]; ++i) ASSERT_EQ(block[i], static_cast<char>(i * 7)) << "at size " << sizes[n];
  }
  EXPECT_EQ(reallocate(block, 0), nullptr);
}

TEST(reallocate, blocks_do_not_overlap) {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (int round = 0; round < 50; ++round) {
    for (std::size_t size : sizes) {
      if (size > 40'000) continue;
      blocks.emplace_back(static_cast<char*>(reallocate(nullptr, size)), size);
      std::memset(blocks.back().first, static_cast<int>(blocks.size() % 251), size);
    }
  }
  for (std::size_t n = 0; n < blocks.size(); ++n) {
    for (std::size_t i = 0; i < blocks[n].second; ++i) {
      ASSERT_EQ(static_cast<unsigned char>(blocks[n].first[i]), (n + 1) % 251);
    }
    reallocate(blocks[n].first, 0);
  }
}

TEST(slab, hands_out_distinct_aligned_blocks_and_takes_them_back) {
  slab blocks(72);
  std::set<void*> taken;
  for (int i = 0; i < 5000; ++i) {
    void* block = blocks.take();
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
    ASSERT_TRUE(taken.insert(block).second);
    std::memset(block, 0xff, 72);
  }
  for (void* block : taken) blocks.give(block);
  for (int i = 0; i < 5000; ++i) EXPECT_TRUE(taken.contains(blocks.take())) << "a freed block was not used again";
}

TEST(slab, serves_threads_at_once) {
  slab blocks(64);
  auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      auto* block = static_cast<int*>(blocks.take());
      *block = i;
      ASSERT_EQ(*block, i);
      blocks.give(block);
    }
  };
  std::thread other(work);
  work();
  other.join();
}

}  // namespace
}  // namespace weft::base
