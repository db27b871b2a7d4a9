// SPDX-License-Identifier: MIT
// What fails, is left or is killed on the way; the ordinary reading is pool_test's.
#include "weft/imap_results.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/core/cancelling.hpp"
#include "tests/plain_threads.hpp"
#include "tests/task/ranges.hpp"
#include "weft/event.hpp"
#include "weft/pool.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using namespace test;
using testing_support::cancels;
using testing_support::sleep_long;

int divided(int n) {
  if (n == 0) throw std::domain_error("zero");
  return 100 / n;
}

TEST(imap_results, throws_the_first_failure) {
  pool p(3);
  EXPECT_THROW(p.map(divided, std::vector<int>{1, 0, 2}), std::domain_error);
  EXPECT_TRUE(p.empty()) << "the others have ended too";
}

TEST(imap_results, reading_goes_on_behind_a_failure) {
  pool p(1);
  auto read = [](auto&& results) {
    EXPECT_EQ(results.next(), 100);
    EXPECT_THROW(results.next(), std::domain_error);
    EXPECT_EQ(results.next(), 50);
    EXPECT_EQ(results.next(), std::nullopt);
  };
  read(p.imap(divided, std::vector<int>{1, 0, 2}));
  read(p.imap_unordered(divided, std::vector<int>{1, 0, 2}));
}

struct breaking_range {
  struct iterator {
    int at;
    int operator*() const {
      if (at == 3) throw std::out_of_range("broken");
      return at;
    }
    iterator& operator++() {
      ++at;
      return *this;
    }
    bool operator==(const iterator&) const { return false; }
  };
  iterator begin() const { return {1}; }
  iterator end() const { return {0}; }
};

TEST(imap_results, a_range_that_throws) {
  pool p(3);
  EXPECT_THROW(p.map([](int n) { return n; }, breaking_range()), std::out_of_range);
  EXPECT_THROW(to_vector(p.imap_unordered([](int n) { return n; }, breaking_range())), std::out_of_range);
  auto results = p.imap([](int n) { return n; }, breaking_range());
  EXPECT_EQ(results.next(), 1);
  EXPECT_EQ(results.next(), 2);
  EXPECT_THROW(results.next(), std::out_of_range);
  EXPECT_EQ(results.next(), std::nullopt);
  EXPECT_TRUE(results.done());
}

TEST(imap_results, a_member_that_is_killed_is_a_failure_of_its_element) {
  pool p(1);
  event begun;
  auto results = p.imap(
      [&](int) {
        begun.set();
        sleep_long();
      },
      up_to(3));
  begun.wait();
  p.request_kill();
  EXPECT_THROW(results.next(), task_cancelled);
  EXPECT_TRUE(results.kill()) << "the next one knows of the event, too";
}

TEST(imap_results, results_that_are_left_take_no_more) {
  WEFT_TEST_CLOCK(clock);
  pool p(2);
  event leave;
  int begun = 0;
  {
    auto results = p.imap_unordered(
        [&](int) {
          ++begun;
          leave.wait();
        },
        up_to(1000));
    EXPECT_TRUE(cancels([&] { results.next(); }));
    EXPECT_EQ(results.next(1ms), std::nullopt);
  }
  leave.set();
  EXPECT_TRUE(p.join());
  EXPECT_EQ(begun, 2);
}

TEST(imap_results, results_that_are_left_while_their_range_waits) {
  pool p(2);
  mailbox box;
  const auto results = p.imap([](int n) { return n; }, box);
  this_fiber::yield();
}

TEST(imap_results, of_a_plain_thread) {
  std::thread([] {
    pool p(2);
    EXPECT_EQ(p.map([](int n) { return n + 1; }, std::vector<int>{1, 2, 3}), (std::vector<int>{2, 3, 4}));
  }).join();
}

}  // namespace
}  // namespace weft
