// SPDX-License-Identifier: MIT
#include "weft/scope.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "plain_order.hpp"
#include "tests/core/cancelling.hpp"
#include "tests/core/other_hubs.hpp"
#include "tests/plain_threads.hpp"
#include "tests/task/reports.hpp"
#include "weft/event.hpp"
#include "weft/test_clock.hpp"
#include "weft/timeout.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using ::testing::UnorderedElementsAre;
using testing_support::cancels;
using testing_support::reports;

void sleep_long() { this_fiber::sleep_for(1h); }

// Counts up when it goes.
struct unwinding {
  int* count;
  ~unwinding() { ++*count; }
};

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "?";
  }
}

TEST(scope, its_children_have_ended_behind_run) {
  scope s;
  int ended = 0;
  task<int> child;
  EXPECT_TRUE(s.run([&] {
    child = s.spawn([](int a) { return a + 1; }, 4);
    for (int i = 0; i < 10; ++i) {
      s.spawn({.name = "child"}, [&ended] {
        this_fiber::yield();
        ++ended;
      });
    }
    EXPECT_EQ(s.size(), 11U);
  }));
  EXPECT_EQ(ended, 10);
  EXPECT_EQ(s.size(), 0U);
  EXPECT_TRUE(child.ready());
  EXPECT_EQ(child.get(), 5);
  EXPECT_TRUE(s.failures().empty());
  EXPECT_TRUE(s.run([] {})) << "again, and without children";
}

TEST(scope, a_child_spawns_into_it_and_is_waited_for) {
  scope s;
  int ran = 0;
  std::function<void(int)> body = [&](int depth) {
    this_fiber::yield();
    ++ran;
    if (depth > 0) {
      s.spawn(body, depth - 1);
      s.spawn(body, depth - 1);
    }
  };
  EXPECT_TRUE(s.run([&] { s.spawn(body, 5); }));
  EXPECT_EQ(ran, 63);
}

TEST(scope, a_child_takes_a_stop_token) {
  scope s;
  bool stopped = false;
  EXPECT_FALSE(s.run([&] {
    s.spawn(
        [&](const std::stop_token& token, int) {
          const shield guard;
          while (!token.stop_requested()) this_fiber::yield();
          stopped = true;
        },
        1);
    this_fiber::yield();
    s.cancel();
  }));
  EXPECT_TRUE(stopped);
}

TEST(scope, the_first_failure_cancels_the_rest_and_is_rethrown) {
  scope s;
  int unwound = 0;
  try {
    s.run([&] {
      s.spawn([&] {
        const unwinding mine{&unwound};
        sleep_long();
      });
      s.spawn([] {
        this_fiber::yield();
        throw std::domain_error("first");
      });
      const unwinding mine{&unwound};
      sleep_long();
    });
    ADD_FAILURE();
  } catch (const std::domain_error& e) {
    EXPECT_STREQ(e.what(), "first");
  }
  EXPECT_EQ(unwound, 2) << "the other child and the block";
  ASSERT_EQ(s.failures().size(), 1U);
}

TEST(scope, all_failures_can_be_reached) {
  const reports noted;
  scope s;
  EXPECT_THROW(s.run([&] {
    for (const char* name : {"a", "b"}) {
      s.spawn([name] {
        try {
          sleep_long();
        } catch (const cancelled&) {
          throw std::runtime_error(std::string(name) + " while it left");
        }
      });
    }
    s.spawn([] {
      this_fiber::yield();  // the others have begun
      throw std::runtime_error("first");
    });
    try {
      sleep_long();
    } catch (const cancelled&) {
      throw std::logic_error("block");
    }
  }),
               std::runtime_error);
  std::vector<std::string> texts;
  for (const auto& failure : s.failures()) texts.push_back(text_of(failure));
  EXPECT_THAT(texts, UnorderedElementsAre("first", "a while it left", "b while it left", "block"));
  EXPECT_EQ(texts.front(), "first");
  EXPECT_TRUE(s.run([] {}));
  EXPECT_TRUE(s.failures().empty()) << "of the last run";
  EXPECT_EQ(noted.count(), 0) << "all were asked for";
}

TEST(scope, failures_that_nobody_asks_for_are_reported) {
  WEFT_NEEDS_PLAIN_ORDER();
  const reports noted;
  {
    scope s;
    EXPECT_THROW(s.run([&] {
      s.spawn([] { throw std::runtime_error("first"); });
      s.spawn([] { throw std::runtime_error("second"); });
    }),
                 std::runtime_error);
  }
  EXPECT_EQ(noted.count(), 0) << "the second one never began";
  {
    scope s;
    EXPECT_THROW(s.run([&] {
      s.spawn([] {
        const shield guard;
        this_fiber::yield();
        throw std::runtime_error("second");
      });
      s.spawn([] { throw std::runtime_error("first"); });
    }),
                 std::runtime_error);
    EXPECT_EQ(noted.count(), 0) << "somebody may ask yet";
  }
  EXPECT_EQ(noted.count(), 1);
}

TEST(scope, what_the_block_throws_cancels_the_children) {
  scope s;
  int unwound = 0;
  EXPECT_THROW(s.run([&] {
    s.spawn([&] {
      const unwinding mine{&unwound};
      sleep_long();
    });
    this_fiber::yield();
    throw std::domain_error("block");
  }),
               std::domain_error);
  EXPECT_EQ(unwound, 1);
  ASSERT_EQ(s.failures().size(), 1U);
}

TEST(scope, a_failure_read_by_the_block_is_still_that_of_the_child) {
  scope s;
  EXPECT_THROW(s.run([&] {
    const auto sleeper = s.spawn(sleep_long);
    s.spawn([] { throw std::domain_error("child"); });
    sleeper.get();  // is cancelled, and says so
  }),
               std::domain_error);
}

TEST(scope, cancel_ends_block_and_children) {
  scope s;
  int unwound = 0;
  bool behind = false, ran = false;
  EXPECT_FALSE(s.run([&] {
    s.spawn([&] {
      const unwinding mine{&unwound};
      sleep_long();
    });
    this_fiber::yield();
    s.spawn([&ran] { ran = true; });
    s.cancel();
    s.cancel();
    s.spawn([&ran] { ran = true; });
    this_fiber::yield();
    behind = true;
  }));
  EXPECT_EQ(unwound, 1);
  EXPECT_FALSE(behind);
  EXPECT_FALSE(ran) << "neither what had not begun nor what came later";
  s.cancel();
  EXPECT_TRUE(s.run([] { this_fiber::yield(); })) << "a cancel of one that does not run does nothing";
}

TEST(scope, a_child_or_a_thread_cancels_it) {
  scope s;
  EXPECT_FALSE(s.run([&] {
    s.spawn([&] { s.cancel(); });
    sleep_long();
  }));
  EXPECT_TRUE(s.run([&] { s.spawn([&] { s.cancel(); }); })) << "there was nothing left to end";
  EXPECT_FALSE(s.run([&] {
    s.spawn([&] {
      s.cancel();
      sleep_long();
    });
  })) << "while it waits for its children";
  std::atomic<bool> begun{false};
  std::thread other([&] {
    while (!begun) std::this_thread::yield();
    s.cancel();
  });
  EXPECT_FALSE(s.run([&] {
    s.spawn([&] {
      begun = true;
      sleep_long();
    });
  }));
  other.join();
}

// Children and block are told at once, and either may come first.
TEST(scope, one_that_was_cancelled_says_so_whoever_ends_first) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const random_schedule any_order(seed);
    scope s;
    const fiber other = spawn([&] {
      this_fiber::idle();
      s.cancel();
    });
    EXPECT_FALSE(s.run([&] {
      for (int i = 0; i < 3; ++i) s.spawn(sleep_long);
    })) << "seed "
        << seed;
    other.join();
  }
}

TEST(scope, a_deadline) {
  WEFT_TEST_CLOCK(clock);
  scope s(2ms);
  EXPECT_FALSE(s.run([&] { s.spawn(sleep_long); })) << "while it waits";
  s.set_deadline(2ms);
  EXPECT_FALSE(s.run([&] {
    s.spawn(sleep_long);
    sleep_long();
  }));
  s.set_deadline(1h);
  EXPECT_TRUE(s.run([] {}));
  EXPECT_FALSE(s.run([&] {
    s.spawn(sleep_long);
    s.set_deadline(1ms);
    EXPECT_FALSE(s.get_deadline().is_never());
  }));
}

TEST(scope, a_child_that_is_plainly_killed_has_not_failed_one_killed_with_an_exception_has) {
  scope s;
  EXPECT_TRUE(s.run([&] {
    const auto child = s.spawn(sleep_long);
    this_fiber::yield();
    EXPECT_TRUE(child.kill());
  }));
  EXPECT_THROW(s.run([&] {
    const auto child = s.spawn(sleep_long);
    child.kill(std::make_exception_ptr(std::domain_error("before it began")));
    sleep_long();
  }),
               std::domain_error);
  EXPECT_THROW(s.run([&] {
    const auto child = s.spawn(sleep_long);
    this_fiber::yield();
    child.kill(std::make_exception_ptr(std::domain_error("of choice")));
    sleep_long();
  }),
               std::domain_error);
}

TEST(scope, a_kill_of_the_parent_reaches_the_children) {
  for (const bool in_block : {true, false}) {
    int unwound = 0;
    bool behind = false;
    const task<> parent = spawn([&] {
      scope s;
      s.run([&] {
        s.spawn([&] {
          const unwinding mine{&unwound};
          sleep_long();
        });
        if (in_block) sleep_long();
      });
      behind = true;
    });
    this_fiber::yield();
    this_fiber::yield();
    EXPECT_TRUE(parent.kill());
    EXPECT_EQ(unwound, 1);
    EXPECT_FALSE(behind) << "the kill goes on its way";
    EXPECT_TRUE(parent.successful());
  }
}

TEST(scope, a_timeout_and_a_scope_further_out_reach_the_children) {
  WEFT_TEST_CLOCK(clock);
  int unwound = 0;
  scope inner, outer;
  auto body = [&] {
    inner.run([&] {
      inner.spawn([&] {
        const unwinding mine{&unwound};
        sleep_long();
      });
    });
  };
  EXPECT_FALSE(within(1ms, body));
  EXPECT_EQ(unwound, 1);
  EXPECT_FALSE(outer.run([&] {
    outer.spawn(body);
    outer.spawn([&] {
      for (int i = 0; i < 3; ++i) this_fiber::yield();
      outer.cancel();
    });
  }));
  EXPECT_EQ(unwound, 2);
  EXPECT_TRUE(cancels(body));
  EXPECT_EQ(unwound, 3);
}

TEST(scope, a_kill_is_not_lost_behind_a_failure) {
  bool killed = false, failed = false;
  event go;
  const task<> parent = spawn([&] {
    scope s;
    try {
      s.run([&] {
        s.spawn([&] {
          go.wait();
          throw std::domain_error("child");
        });
      });
    } catch (const std::domain_error&) {
      failed = true;
      try {
        this_fiber::yield();
      } catch (const cancelled&) {
        killed = true;
        throw;
      }
    }
  });
  this_fiber::yield();
  this_fiber::yield();
  go.set();
  this_fiber::yield();  // the child has failed; the parent has not run yet
  parent.request_kill();
  parent.join();
  EXPECT_TRUE(failed && killed);
  EXPECT_TRUE(parent.successful());
}

TEST(scope, a_shielded_one_is_not_cancelled_from_outside) {
  bool whole = false;
  const task<> parent = spawn([&] {
    scope s(deadline::never(), shielding::on);
    whole = s.run([&] {
      s.spawn([] {
        for (int i = 0; i < 5; ++i) this_fiber::yield();
      });
      this_fiber::yield();
    });
    this_fiber::yield();
    ADD_FAILURE();
  });
  this_fiber::yield();
  EXPECT_TRUE(parent.kill());
  EXPECT_TRUE(whole);
}

TEST(scope, one_that_does_not_run_takes_no_children) {
  scope s;
  EXPECT_THROW(s.spawn([] {}), scope_closed);
  s.run([] {});
  EXPECT_THROW(s.spawn([] {}), scope_closed);
}

TEST(scope, a_fiber_that_cannot_be_made_leaves_it_as_it_was) {
  struct bomb {
    bomb() = default;
    bomb(const bomb&) { throw std::runtime_error("copied"); }
    void operator()() const {}
  };
  scope s;
  EXPECT_TRUE(s.run([&] {
    const bomb b;
    EXPECT_THROW(s.spawn(b), std::runtime_error);
    EXPECT_EQ(s.size(), 0U);
  }));
}

TEST(scope_death, running_twice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        scope s;
        s.run([&] { s.run([] {}); });
      },
      "a scope is run while it runs");
}

TEST(scope, the_first_to_finish_ends_the_others) {
  scope s;
  int answer = 0;
  EXPECT_FALSE(s.run([&] {
    auto slow = [](int n) {
      for (int i = 0; i < n * 5; ++i) this_fiber::yield();
      return n;
    };
    std::vector tries{s.spawn(slow, 3), s.spawn(slow, 1), s.spawn(slow, 2)};
    answer = weft::wait(tries, 1).front()->get();
    s.cancel();
  }));
  EXPECT_EQ(answer, 1);
}

TEST(scope, children_on_several_hubs) {
  const test::other_hubs others(1);
  const hub there = others.hubs.front();
  scope s;
  std::atomic<int> ended{0};
  for (int round = 0; round < 100; ++round) {
    ended = 0;
    EXPECT_TRUE(s.run([&] {
      for (int i = 0; i < 20; ++i) {
        s.spawn({.on = there}, [&] {
          s.spawn([&] { ++ended; });
          ++ended;
        });
      }
    }));
    EXPECT_EQ(ended, 40);
    EXPECT_THROW(s.run([&] {
      for (int i = 0; i < 20; ++i) {
        s.spawn({.on = there}, [i] {
          if (i == 7) throw std::domain_error("far");
          sleep_long();
        });
      }
    }),
                 std::domain_error);
  }
}

}  // namespace
}  // namespace weft
