// SPDX-License-Identifier: MIT
#include "weft/offload.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/core/cancelling.hpp"
#include "weft/fiber.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

// Blocks a real thread until it is opened.
class gate {
 public:
  gate() { closed_.lock(); }
  void open() { closed_.unlock(); }
  void pass() { const std::lock_guard through(closed_); }

 private:
  std::mutex closed_;
};

TEST(offload, calls_on_a_real_thread) {
  const auto here = std::this_thread::get_id();
  EXPECT_NE(offload([] { return std::this_thread::get_id(); }), here);
  EXPECT_THROW(offload([] { throw std::domain_error("x"); }), std::domain_error);
  EXPECT_EQ(*offload([p = std::make_unique<int>(3)]() mutable { return std::move(p); }), 3);
}

TEST(offload, lets_other_fibers_run) {
  gate g;
  bool done = false;
  const fiber blocked = spawn([&] {
    offload([&] { g.pass(); });
    done = true;
  });
  this_fiber::idle();
  EXPECT_FALSE(done);
  g.open();
  blocked.join();
  EXPECT_TRUE(done);
}

TEST(offload, inside_itself_is_inline) {
  EXPECT_TRUE(offload([] {
    const auto here = std::this_thread::get_id();
    return offload([here] { return here == std::this_thread::get_id(); });
  }));
}

TEST(offload, gives_up_at_a_deadline_and_keeps_what_the_call_holds) {
  auto g = std::make_shared<gate>();
  std::weak_ptr<gate> watch = g;
  gate& raw = *g;
  EXPECT_EQ(offload([g]() -> int { return g->pass(), 1; }, 1ms), std::nullopt);
  EXPECT_FALSE(offload([g] { g->pass(); }, 1ms));
  g.reset();
  EXPECT_FALSE(watch.expired()) << "the calls go on";
  raw.open();
  while (!watch.expired()) this_fiber::yield();
  EXPECT_EQ(offload([] { return 5; }, 60s), 5);
  EXPECT_TRUE(offload([] {}, 60s));
  EXPECT_THROW(offload([]() -> int { throw 1; }, 60s), int);
}

TEST(offload, a_cancelled_call_goes_on_with_what_it_holds) {
  auto g = std::make_shared<gate>();
  auto counter = std::make_shared<std::atomic<int>>(0);
  EXPECT_TRUE(cancels([&] {
    offload([g, counter] {
      g->pass();
      ++*counter;
    });
  }));
  g->open();
  while (counter.use_count() > 1) this_fiber::yield();
  // It was given up before or after it began.
  EXPECT_LE(*counter, 1);
}

TEST(offload, one_that_has_not_begun_is_not_called_any_more) {
  const std::size_t limit = default_thread_pool().limit();
  EXPECT_TRUE(default_thread_pool().join());
  default_thread_pool().limit(1);
  gate g;
  std::atomic<bool> inside{false};
  const fiber first = spawn([&] {
    offload([&] {
      inside = true;
      g.pass();
    });
  });
  while (!inside) this_fiber::yield();
  bool ran = false;
  EXPECT_TRUE(cancels([&] { offload([&] { ran = true; }); }));
  EXPECT_FALSE(offload([&] { ran = true; }, 1ms));
  g.open();
  first.join();
  EXPECT_TRUE(default_thread_pool().join());
  EXPECT_FALSE(ran);
  default_thread_pool().limit(limit);
}

TEST(offload, from_a_plain_thread_waits_for_it) {
  std::thread([] { EXPECT_EQ(offload([] { return 2; }), 2); }).join();
}

}  // namespace
}  // namespace weft
