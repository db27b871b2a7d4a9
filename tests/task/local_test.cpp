// SPDX-License-Identifier: MIT
#include "weft/local.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/hub.hpp"
#include "tests/plain_threads.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

constinit local<int> number;
constinit local<std::string> text([] { return std::string("made"); });

// Notes its end in a string.
struct noting {
  std::string* to = nullptr;
  char name = 0;
  ~noting() {
    if (to != nullptr) *to += name;
  }
};
constinit local<noting> first, second;

TEST(local, each_fiber_has_its_own) {
  *number = 1;
  std::vector<task<int>> all;
  all.reserve(5);
  for (int i = 0; i < 5; ++i) {
    all.push_back(spawn([i] {
      EXPECT_FALSE(number.has_value());
      EXPECT_EQ(*number, 0);
      *number = i;
      this_fiber::yield();
      EXPECT_EQ(text->size(), 4U);
      return number.get();
    }));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i);
  EXPECT_EQ(*number, 1);
  number.reset();
  EXPECT_FALSE(number.has_value());
  number.reset();
}

TEST(local, is_destroyed_at_the_end_the_last_one_first) {
  std::string order;
  const task<> t = spawn([&] {
    first->to = &order;
    second->to = &order;
    first->name = '1';
    second->name = '2';
  });
  t.join();
  EXPECT_EQ(order, "21");
}

TEST(local, is_destroyed_though_the_fiber_failed_or_was_killed) {
  std::string order;
  auto body = [&](bool fails) {
    first->to = &order;
    first->name = 'x';
    if (fails) throw std::domain_error("x");
    this_fiber::sleep_for(1h);
  };
  EXPECT_THROW(spawn(body, true).get(), std::domain_error);
  EXPECT_EQ(order, "x");
  const task<> sleeps = spawn(body, false);
  this_fiber::yield();
  sleeps.kill();
  EXPECT_EQ(order, "xx");
}

TEST(local, a_destructor_may_wait_and_nothing_cancels_it_and_it_may_use_others) {
  struct waiting {
    event* until = nullptr;
    bool* done = nullptr;
    ~waiting() {
      if (until == nullptr) return;
      until->wait();
      *text += "!";
      *done = *text == "made!";
    }
  };
  static constinit local<waiting> waits;
  event go;
  bool done = false;
  const task<> t = spawn([&] {
    waits->until = &go;
    waits->done = &done;
  });
  this_fiber::yield();
  EXPECT_FALSE(t.ready());
  t.request_kill();
  this_fiber::yield();
  EXPECT_FALSE(done);
  go.set();
  t.join();
  EXPECT_TRUE(done);
}

TEST(local, of_threads_with_and_without_a_hub) {
  WEFT_NEEDS_PLAIN_THREADS();
  for (const bool with_hub : {false, true}) {
    std::string order;
    std::thread([&] {
      if (with_hub) this_fiber::sleep_for(1ns);
      first->to = &order;
      first->name = 't';
      EXPECT_EQ(*number, 0);
      *number = 5;
      EXPECT_EQ(*number, 5);
      EXPECT_EQ(weft_this_hub != nullptr, with_hub);
    }).join();
    EXPECT_EQ(order, "t");
  }
}

TEST(local, a_value_is_kept_when_the_thread_gets_a_hub) {
  std::thread([] {
    *number = 3;
    this_fiber::sleep_for(1ns);
    EXPECT_EQ(*number, 3);
    EXPECT_EQ(spawn([] { return *number; }).get(), 0);
  }).join();
}

TEST(local, one_at_the_place_of_another_is_not_taken_for_it) {
  alignas(local<int>) std::byte place[sizeof(local<int>)];
  auto* one = new (place) local<int>;
  **one = 7;
  one->~local();
  auto* two = new (place) local<int>;
  EXPECT_EQ(**two, 0);
  two->reset();
  two->~local();
}

TEST(local, a_value_that_cannot_be_made) {
  static bool fail = true;
  static constinit local<int> hard([]() -> int {
    if (fail) throw std::runtime_error("not now");
    return 4;
  });
  EXPECT_THROW(*hard, std::runtime_error);
  EXPECT_FALSE(hard.has_value());
  fail = false;
  EXPECT_EQ(*hard, 4);
}

}  // namespace
}  // namespace weft
