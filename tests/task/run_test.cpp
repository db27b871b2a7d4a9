// SPDX-License-Identifier: MIT
#include "weft/run.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "core/runtime.hpp"
#include "tests/plain_threads.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/mutex.hpp"
#include "weft/scope.hpp"
#include "weft/wait.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

TEST(run, gives_what_main_gives_and_throws_what_it_throws) {
  EXPECT_EQ(run({.hubs = 2}, [] { return 5; }), 5);
  EXPECT_THROW(run({.hubs = 2}, [] { throw std::domain_error("main"); }), std::domain_error);
  int variable = 0;
  run({.hubs = 1}, [&]() -> int& { return variable; }) = 3;
  EXPECT_EQ(variable, 3);
  EXPECT_GE(run([] { return hubs().size(); }), 1U);
}

TEST(run, as_many_hubs_as_the_process_may_use) {
  WEFT_NEEDS_PLAIN_THREADS();
  cpu_set_t allowed, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed) && CPU_COUNT(&one) == 0) CPU_SET(i, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(run([] { return hubs().size(); }), 1U);
  sched_setaffinity(0, sizeof allowed, &allowed);
}

TEST(run, the_threads_serve_the_next_one) {
  std::vector<hub> before;
  for (int i = 0; i < 100; ++i) {
    const auto now = run({.hubs = 3}, hubs);
    EXPECT_EQ(now.size(), 3U);
    EXPECT_EQ(now[0], hub::current());
    if (!before.empty()) {
      EXPECT_EQ(std::set<core::hub*>({now[1].get(), now[2].get()}),
                std::set<core::hub*>({before[1].get(), before[2].get()}));
    }
    before = now;
  }
  EXPECT_EQ(hubs(), std::vector<hub>{hub::current()});
}

TEST(run, spreads_fibers_over_the_hubs) {
  run({.hubs = 3}, [] {
    event leave;
    mutex lock;
    std::map<core::hub*, int> where;
    scope all;
    all.run([&] {
      for (int i = 0; i < 30; ++i) {
        all.spawn([&] {
          {
            const std::lock_guard guard(lock);
            ++where[hub::current().get()];
          }
          leave.wait();
        });
      }
      leave.set();
    });
    EXPECT_EQ(where.size(), 3U);
    for (const auto& [h, count] : where) EXPECT_GE(count, 5);
  });
}

// In turn they would go to both.
TEST(run, a_fiber_goes_to_the_hub_with_the_fewest) {
  run({.hubs = 2}, [] {
    const hub here = hub::current();
    event leave;
    scope all;
    all.run([&] {
      for (int i = 0; i < 10; ++i) all.spawn({.on = hubs()[1]}, [&] { leave.wait(); });
      for (int i = 0; i < 8; ++i) {
        all.spawn([&] {
          EXPECT_EQ(hub::current(), here);
          leave.wait();
        });
      }
      this_fiber::yield();
      leave.set();
    });
  });
}

TEST(run, a_fiber_stays_on_the_hub_it_was_asked_to) {
  run({.hubs = 2}, [] {
    for (const hub there : hubs()) {
      const task<> t = spawn({.on = there}, [there] {
        for (int i = 0; i < 100; ++i) {
          EXPECT_EQ(hub::current(), there);
          this_fiber::yield();
        }
      });
      t.link([here = hub::current()](const fiber&) { EXPECT_EQ(hub::current(), here); });
      t.join();
    }
    this_fiber::yield();
  });
}

TEST(run, values_and_wakes_cross_hubs) {
  run({.hubs = 4}, [] {
    channel<int> numbers(4);
    std::atomic<long> sum{0};
    scope all;
    all.run([&] {
      for (const hub there : hubs()) {
        all.spawn({.on = there}, [&] {
          while (auto n = numbers.receive()) sum += *n;
        });
      }
      for (int i = 1; i <= 1000; ++i) EXPECT_TRUE(numbers.send(i));
      numbers.close();
    });
    EXPECT_EQ(sum, 500'500);
  });
}

struct counting {
  std::atomic<int>* count;
  ~counting() { ++*count; }
};

TEST(run, what_is_left_on_the_other_hubs_is_killed_and_waited_for) {
  for (const bool fails : {false, true}) {
    std::atomic<int> unwound{0}, begun{0};
    std::vector<task<>> left;
    auto body = [&] {
      run({.hubs = 3}, [&] {
        for (int i = 1; i < 3; ++i) {
          for (int j = 0; j < 5; ++j) {
            left.push_back(spawn({.on = hubs()[static_cast<std::size_t>(i)]}, [&] {
              const counting mine{&unwound};
              ++begun;
              try {
                this_fiber::sleep_for(1h);
              } catch (const cancelled&) {
                spawn([] { this_fiber::sleep_for(1h); });  // it goes too
                this_fiber::yield();
                throw;
              }
            }));
          }
        }
        while (begun != 10) this_fiber::yield();
        if (fails) throw std::domain_error("main");
      });
    };
    if (fails) {
      EXPECT_THROW(body(), std::domain_error);
    } else {
      body();
    }
    EXPECT_EQ(unwound, 10);
    for (const task<>& t : left) EXPECT_TRUE(t.ready());
  }
}

TEST(run, the_end_kills_what_a_killed_fiber_waits_for) {
  for (const std::size_t other : {1U, 2U}) {  // the killed one's own hub, and one that was empty already
    bool cleaned_up = false;
    run({.hubs = 3}, [&] {
      event begun;
      spawn({.on = hubs()[1]}, [&, where = hubs()[other]] {
        try {
          begun.set();
          this_fiber::sleep_for(1h);
        } catch (const cancelled&) {
          const task<> helper = spawn({.on = where}, [] { this_fiber::sleep_for(1h); });
          cleaned_up = helper.join();  // a second kill would be thrown here
          throw;
        }
      });
      begun.wait();
    });
    EXPECT_TRUE(cleaned_up);
  }
}

TEST(run, what_is_left_on_the_callers_hub_runs_on) {
  event leave;
  const task<> stays = run({.hubs = 2}, [&] { return spawn({.on = hubs()[0]}, [&leave] { leave.wait(); }); });
  EXPECT_FALSE(stays.ready());
  leave.set();
  EXPECT_TRUE(stays.join());
}

TEST(run, ends_though_the_caller_is_killed) {
  std::atomic<int> unwound{0}, begun{0};
  const task<> caller = spawn([&] {
    run({.hubs = 2}, [&] {
      spawn({.on = hubs()[1]}, [&] {
        const counting mine{&unwound};
        ++begun;
        this_fiber::sleep_for(1h);
      });
      this_fiber::sleep_for(1h);
    });
  });
  while (begun == 0) this_fiber::yield();
  EXPECT_TRUE(caller.kill());
  EXPECT_EQ(unwound, 1);
}

TEST(run, misuse) {
  EXPECT_THROW(run({.hubs = core::max_hubs + 1}, [] {}), std::system_error);
  run({.hubs = 2}, [] {
    try {
      run({.hubs = 2}, [] {});
      ADD_FAILURE();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::operation_in_progress);
    }
  });
}

TEST(run, two_fibers_of_a_hub_cannot_have_one_each) {
  // More hubs than any other case has: their making suspends the first one, and the second comes meanwhile.
  int ran = 0, refused = 0;
  event leave;
  auto one = [&] {
    try {
      run({.hubs = 8}, [&] {
        ++ran;
        EXPECT_EQ(hubs().size(), 8U);
        leave.wait();
        EXPECT_EQ(hubs().size(), 8U);
      });
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::operation_in_progress);
      ++refused;
      leave.set();
    }
  };
  const task<> first = spawn(one);
  const task<> second = spawn(one);
  second.join();
  leave.set();
  first.join();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(hubs().size(), 1U);
}

TEST(run, of_several_threads_at_once) {
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        run({.hubs = 2}, [&] {
          std::vector<task<>> all;
          all.reserve(10);
          for (int n = 0; n < 10; ++n) all.push_back(spawn([&] { ++ran; }));
          join_all(all);
        });
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(ran, 600);
}

TEST(run, a_fork_inside_has_the_caller_alone) {
  const int status = run({.hubs = 2}, [] {
    const pid_t child = fork();
    if (child == 0) return 0;
    int how = -1;
    waitpid(child, &how, 0);
    return how == 0 ? 1 : 2;
  });
  if (status == 0) {              // the child: its run has ended
#if defined(__SANITIZE_THREAD__)  // which allows no new threads in a child
    _exit(0);
#else
    _exit(run({.hubs = 2}, [] { return spawn({.on = hubs()[1]}, [] { return 0; }).get(); }));
#endif
  }
  EXPECT_EQ(status, 1);
}

}  // namespace
}  // namespace weft
