// SPDX-License-Identifier: MIT
// A program of Weft's library, run by `weft run`: CMakeLists.txt says with which options.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "own_process.hpp"
#include "weft/patch.hpp"
#include "weft/weft.hpp"

namespace {

using weft::test::in_a_process;
using weft::test::os_threads;

unsigned hubs() { return static_cast<unsigned>(std::stoul(getenv("WEFT_HUBS"))); }
bool switched_off() { return std::string(getenv("WEFT") != nullptr ? getenv("WEFT") : "") == "0"; }
bool without_groups() { return std::string(getenv("WEFT_PATCH") != nullptr ? getenv("WEFT_PATCH") : "") == "none"; }

// A thread fiber has variables of its own, and its sleep lets others run.
void expect_thread_fibers() {
  static thread_local int mine = 0;
  mine = 5;
  int turns = 0;
  auto a = weft::spawn([&] {
    EXPECT_EQ(mine, 0);
    usleep(1);
    ++turns;
  });
  auto b = weft::spawn([&] { EXPECT_EQ(turns++, 0); });
  a.get();
  b.get();
  EXPECT_EQ(mine, 5);
}

TEST(preloaded, a_spawn_takes_the_process_over) {
  if (switched_off() || without_groups()) GTEST_SKIP() << "not with these options";
  in_a_process([] {
    EXPECT_FALSE(weft::patch::is_patched());
    expect_thread_fibers();
    EXPECT_TRUE(weft::patch::is_patched("all"));
    EXPECT_EQ(os_threads(), hubs());
  });
}

TEST(preloaded, a_patch_from_inside_is_at_once) {
  if (switched_off()) GTEST_SKIP() << "not with these options";
  in_a_process([] {
    EXPECT_TRUE(weft::patch::all());
    EXPECT_TRUE(weft::patch::is_patched("all"));
    EXPECT_EQ(os_threads(), hubs());
    expect_thread_fibers();
    std::thread(expect_thread_fibers).join();
    EXPECT_TRUE(weft::patch::all());
    EXPECT_EQ(os_threads(), hubs());
  });
}

TEST(preloaded, a_patch_comes_when_there_are_threads_of_the_shims) {
  if (switched_off() || without_groups()) GTEST_SKIP() << "not with these options";
  in_a_process([] {
    weft::event end;
    std::thread other([&] { end.wait(); });
    EXPECT_TRUE(weft::patch::all());
    end.set();
    other.join();
  });
}

TEST(preloaded, what_is_switched_off_stays_so) {
  if (!switched_off()) GTEST_SKIP() << "not with these options";
  in_a_process([] {
    EXPECT_FALSE(weft::patch::all());
    EXPECT_FALSE(weft::patch::is_patched());
    EXPECT_EQ(weft::spawn([] { return 3; }).get(), 3);
  });
}

}  // namespace
