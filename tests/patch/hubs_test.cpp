// SPDX-License-Identifier: MIT
// Which hubs the threads of a program run on, and OS threads that have none: run by `weft run` with one hub and with two.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "weft/weft.hpp"

namespace {

using weft::hub;

// A thread that stays on its hub until it is told to end.
class resident {
 public:
  resident()
      : thread_([this] {
          began_.set_value(hub::current());
          end_.get_future().wait();
        }) {
    home = began_.get_future().get();
  }
  ~resident() {
    end_.set_value();
    thread_.join();
  }
  hub home;

 private:
  std::promise<hub> began_;
  std::promise<void> end_;
  std::thread thread_;
};

// How many of main and @p all are on each of the program's hubs.
std::map<weft::core::hub*, int> places(const std::vector<std::unique_ptr<resident>>& all) {
  const hub mine = hub::current();  // the first call makes all of them
  std::map<weft::core::hub*, int> count;
  for (unsigned i = 0; i < weft::core::hub_count; ++i) count[weft::core::hubs[i]] = 0;
  ++count[mine.get()];
  for (const auto& each : all) ++count[each->home.get()];
  return count;
}

void add_one(std::vector<std::unique_ptr<resident>>& all) {
  const auto before = places(all);
  all.push_back(std::make_unique<resident>());
  const auto fewest =
      std::min_element(before.begin(), before.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_EQ(before.at(all.back()->home.get()), fewest->second);
}

TEST(threads, new_ones_are_placed_where_the_fewest_are) {
  std::vector<std::unique_ptr<resident>> all;
  for (int i = 0; i < 21; ++i) add_one(all);
  EXPECT_EQ(places(all).size(), static_cast<std::size_t>(std::stoi(getenv("WEFT_HUBS"))));
  const hub left = all.front()->home;
  std::erase_if(all, [&](const auto& each) { return each->home == left; });
  for (int i = 0; i < 21; ++i) add_one(all);
}

long wake(std::atomic<unsigned>& word, int most) {
  return syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, most, nullptr, nullptr, 0);
}

// Waits for a change of @p word, once.
void wait_once(std::atomic<unsigned>& word, std::atomic<int>& waiting, std::atomic<int>& woken) {
  ++waiting;
  EXPECT_EQ(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0), 0);
  ++woken;
}

// Wakes one after the other until all of @p count have gone on: each found one, and only one.
void wake_all(std::atomic<unsigned>& word, int count, std::atomic<int>& woken) {
  for (int found = 0; found < count;) {
    const long n = wake(word, 1);
    ASSERT_GE(n, 0);
    ASSERT_LE(n, 1);
    found += static_cast<int>(n);
    if (n == 0) std::this_thread::yield();
  }
  EXPECT_EQ(wake(word, 1 << 30), 0);
  while (woken != count) std::this_thread::yield();
}

// OS threads that no hub knows, which `offload` has, and fibers.
TEST(native_threads, wait_for_one_futex_with_fibers_and_each_wake_is_for_one) {
  for (const bool native_wakes : {false, true}) {
    std::atomic<unsigned> word{0};
    std::atomic<int> waiting{0}, woken{0};
    std::vector<std::thread> fibers;
    std::vector<weft::future<void>> natives;
    weft::thread_pool pool({.limit = 8});
    for (int i = 0; i < 3; ++i) {
      fibers.emplace_back([&] { wait_once(word, waiting, woken); });
      natives.push_back(pool.submit([&] { wait_once(word, waiting, woken); }));
    }
    while (waiting != 6) std::this_thread::yield();
    if (native_wakes) {
      pool.submit([&] { wake_all(word, 6, woken); }).get();
    } else {
      wake_all(word, 6, woken);
    }
    for (auto& t : fibers) t.join();
    for (auto& n : natives) n.get();
    EXPECT_EQ(woken, 6);
  }
}

// A lock and a condition of libstdc++, which hand a ball from side to side.
TEST(native_threads, play_with_a_fiber_over_a_lock_and_a_condition) {
  constexpr int turns = 2000;
  std::mutex lock;
  std::condition_variable changed;
  int ball = 0;
  const auto play = [&](int side) {
    for (int i = 0; i < turns; ++i) {
      std::unique_lock held(lock);
      changed.wait(held, [&] { return ball % 2 == side; });
      ++ball;
      changed.notify_one();
    }
  };
  weft::thread_pool pool({.limit = 1});
  auto other = pool.submit([&] { play(1); });
  std::thread fiber([&] { play(0); });
  fiber.join();
  other.get();
  EXPECT_EQ(ball, 2 * turns);
}

}  // namespace
