// SPDX-License-Identifier: MIT
#include "weft/std_future.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "weft/fiber.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using testing_support::cancels;

TEST(std_future, is_waited_for_while_other_fibers_run) {
  std::promise<int> p;
  future<int> f = to_future(p.get_future());
  const fiber setter = spawn([&] { p.set_value(4); });
  EXPECT_EQ(f.get(), 4);
  setter.join();
}

TEST(std_future, that_is_ready_takes_no_thread) {
  std::promise<int> p;
  p.set_value(1);
  future<int> f = to_future(p.get_future());
  EXPECT_TRUE(f.ready());
  EXPECT_EQ(f.get(), 1);
  std::promise<void> broken;
  auto g = broken.get_future();
  broken.set_exception(std::make_exception_ptr(std::domain_error("x")));
  EXPECT_THROW(to_future(std::move(g)).get(), std::domain_error);
}

TEST(std_future, a_deferred_one_is_run) {
  EXPECT_EQ(to_future(std::async(std::launch::deferred, [] { return 3; })).get(), 3);
  EXPECT_EQ(to_future(std::async(std::launch::async, [] { return 3; })).get(), 3);
}

TEST(std_future, shared_ones) {
  std::promise<int> p;
  const std::shared_future<int> s = p.get_future().share();
  EXPECT_FALSE(wait(s, 1ms));
  EXPECT_TRUE(cancels([&] { wait(s); }));
  future<int> f = to_future(s);
  p.set_value(6);
  EXPECT_TRUE(wait(s));
  EXPECT_EQ(f.get() + s.get(), 12);
}

TEST(std_future, many_that_depend_on_each_other) {
  std::vector<std::promise<int>> promises(20);
  std::vector<fiber> links;
  for (std::size_t i = 19; i > 0; --i) {
    links.push_back(spawn(
        [&promises, i, f = to_future(promises[i].get_future())]() mutable { promises[i - 1].set_value(f.get() + 1); }));
  }
  future<int> last = to_future(promises[0].get_future());
  promises[19].set_value(0);
  EXPECT_EQ(last.get(), 19);
  for (const fiber& f : links) f.join();
}

TEST(std_future, an_invalid_one_is_refused) {
  EXPECT_THROW(to_future(std::future<int>()), std::future_error);
  EXPECT_THROW(to_future(std::shared_future<int>()), std::future_error);
  EXPECT_THROW(wait(std::shared_future<int>()), std::future_error);
}

}  // namespace
}  // namespace weft
