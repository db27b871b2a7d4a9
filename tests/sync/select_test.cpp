// SPDX-License-Identifier: MIT
#include "weft/select.hpp"

#include <gtest/gtest.h>

#include <array>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/fiber.hpp"
#include "weft/test_clock.hpp"

using namespace std::chrono_literals;

namespace weft {
namespace {

using namespace test;

const auto nothing = [](auto&&...) {};

TEST(select, does_the_case_that_needs_no_wait) {
  channel<int> a(1), b(1);
  EXPECT_TRUE(b.send(7));
  std::optional<int> got;
  EXPECT_EQ(select(on_receive(a, nothing), on_receive(b, [&](std::optional<int> v) { got = v; })), 1u);
  EXPECT_EQ(got, 7);
  EXPECT_EQ(select(on_send(a, 3, [&](bool sent) { EXPECT_TRUE(sent); }), on_receive(b, nothing)), 0u);
  EXPECT_EQ(a.try_receive(), 3);
}

TEST(select, waits_for_the_first_that_becomes_possible) {
  channel<int> a(0), b(0);
  std::optional<std::size_t> which;
  std::optional<int> got;
  const fiber f = spawn([&] {
    which = select(on_receive(a, [&](std::optional<int> v) { got = v; }),
                   on_receive(b, [&](std::optional<int> v) { got = v; }));
  });
  let_others_run();
  EXPECT_EQ(which, std::nullopt);
  EXPECT_TRUE(b.try_send(5));
  EXPECT_FALSE(a.try_send(6)) << "one case alone is done, and is taken out of the other queue at the latest now";
  f.join();
  EXPECT_EQ(which, 1u);
  EXPECT_EQ(got, 5);
}

TEST(select, sends_to_a_receiver_that_comes_later) {
  channel<std::unique_ptr<int>> a(0), b(0);
  bool sent = false;
  auto value = std::make_unique<int>(1);
  const fiber f = spawn([&] { select(on_send(a, offer(value), [&](bool ok) { sent = ok; }), on_receive(b, nothing)); });
  let_others_run();
  EXPECT_FALSE(b.try_send(nullptr) && b.try_send(nullptr));
  f.join();
  EXPECT_FALSE(sent);
  ASSERT_NE(value, nullptr) << "the other case was done: the value is untouched";
  const fiber g = spawn([&] { select(on_send(a, offer(value), [&](bool ok) { sent = ok; }), on_receive(b, nothing)); });
  EXPECT_EQ(**a.receive(), 1);
  g.join();
  EXPECT_TRUE(sent);
}

TEST(select, two_selects_meet_on_a_rendezvous) {
  channel<int> a(0), b(0);
  int got = 0;
  bool sent = false;
  const fiber f = spawn([&] {
    select(on_receive(a, [&](std::optional<int> v) { got = *v; }),
           on_receive(b, [&](std::optional<int> v) { got = -*v; }));
  });
  const fiber g = spawn([&] { select(on_send(b, 4, [&](bool ok) { sent = ok; }), on_receive(a, nothing)); });
  f.join();
  g.join();
  EXPECT_EQ(got, -4);
  EXPECT_TRUE(sent);
}

TEST(select, does_not_serve_itself) {
  WEFT_TEST_CLOCK(clock);
  channel<int> a(0);
  EXPECT_EQ(select(on_receive(a, nothing), on_send(a, 1, nothing), 1ms), std::nullopt);
  EXPECT_FALSE(a.try_send(1));
  EXPECT_EQ(a.try_receive(), std::nullopt);
}

TEST(select, the_same_channel_twice) {
  channel<int> a(0);
  std::optional<std::size_t> which;
  const fiber f = spawn([&] { which = select(on_receive(a, nothing), on_receive(a, nothing)); });
  let_others_run();
  EXPECT_TRUE(a.try_send(1));
  EXPECT_FALSE(a.try_send(2));
  f.join();
  EXPECT_TRUE(which == 0u || which == 1u);
}

TEST(select, otherwise_means_now_or_never) {
  channel<int> a(0);
  bool idle = false;
  EXPECT_EQ(select(on_receive(a, nothing), on_send(a, 1, nothing), otherwise([&] { idle = true; })), 2u);
  EXPECT_TRUE(idle);
  channel<int> b(1);
  EXPECT_EQ(select(otherwise(nothing), on_send(b, 1, nothing)), 1u);
}

TEST(select, ends_at_its_deadline_and_does_nothing) {
  WEFT_TEST_CLOCK(clock);
  channel<int> a(0), b(0);
  EXPECT_EQ(select(on_receive(a, nothing), on_send(b, 1, nothing), 0s), std::nullopt);
  EXPECT_EQ(select(on_receive(a, nothing), on_send(b, 1, nothing), 1ms), std::nullopt);
  EXPECT_FALSE(a.try_send(1));
  EXPECT_EQ(b.try_receive(), std::nullopt);
  channel<int> c(1);
  EXPECT_EQ(select(on_send(c, 1, nothing), 0s), 0u) << "no wait is needed";
}

TEST(select, a_timer_is_a_case) {
  WEFT_TEST_CLOCK(clock);
  channel<int> a(0);
  bool rang = false;
  EXPECT_EQ(select(on_receive(a, nothing), on_timeout(1ms, [&] { rang = true; }), on_timeout(1h, nothing)), 1u);
  EXPECT_TRUE(rang);
  EXPECT_EQ(select(on_timeout(deadline::never(), nothing), 1ms), std::nullopt);
  EXPECT_EQ(select(on_timeout(1h, nothing), on_receive(a, nothing), 1ms), std::nullopt) << "the earlier one counts";
  // One that is due does not starve behind a channel that always has something.
  channel<int> busy(1);
  const deadline tick = 0s;
  int ticks = 0;
  for (int i = 0; i < 1000 && ticks == 0; ++i) {
    (void)busy.try_send(1);
    select(on_receive(busy, nothing), on_timeout(tick, [&] { ++ticks; }));
  }
  EXPECT_GT(ticks, 0);
}

TEST(select, a_closed_channel_is_ready) {
  channel<int> a(1), b(0);
  EXPECT_TRUE(a.send(1));
  a.close();
  std::optional<int> got;
  EXPECT_EQ(select(on_receive(a, [&](std::optional<int> v) { got = v; }), on_receive(b, nothing)), 0u);
  EXPECT_EQ(got, 1);
  EXPECT_EQ(select(on_receive(a, [&](std::optional<int> v) { got = v; }), on_receive(b, nothing)), 0u);
  EXPECT_EQ(got, std::nullopt);
  bool sent = true;
  EXPECT_EQ(select(on_send(a, 1, [&](bool ok) { sent = ok; })), 0u);
  EXPECT_FALSE(sent);
}

TEST(select, close_ends_the_wait) {
  channel<int> a(0), b(1), idle(0);
  EXPECT_TRUE(b.send(1));
  std::optional<int> got = 5;
  bool sent = true;
  const fiber f = spawn([&] {
    select(on_receive(idle, nothing), on_receive(a, [&](std::optional<int> v) { got = v; }));
    select(on_receive(idle, nothing), on_send(b, 2, [&](bool ok) { sent = ok; }));
  });
  let_others_run();
  a.close();
  let_others_run();
  b.close();
  f.join();
  EXPECT_EQ(got, std::nullopt);
  EXPECT_FALSE(sent);
  EXPECT_EQ(b.try_receive(), 1);
  EXPECT_EQ(b.try_receive(), std::nullopt);
}

TEST(select, waits_in_turn_with_plain_receivers) {
  channel<int> a(0), b(0);
  std::string order;
  const fiber f =
      spawn([&] { select(on_receive(a, [&](std::optional<int>) { order += 's'; }), on_receive(b, nothing)); });
  let_others_run();
  const fiber g = spawn([&] {
    (void)a.receive();
    order += 'p';
  });
  let_others_run();
  EXPECT_TRUE(a.try_send(1));
  let_others_run();
  EXPECT_TRUE(a.try_send(2));
  f.join();
  g.join();
  EXPECT_EQ(order, "sp");
}

TEST(select, is_fair_among_what_is_possible) {
  std::array<std::unique_ptr<channel<int>>, 4> all;
  for (auto& c : all) c = std::make_unique<channel<int>>(1);
  std::array<int, 4> chosen{};
  for (int round = 0; round < 4000; ++round) {
    for (std::size_t i : {0u, 1u, 3u}) (void)all[i]->try_send(round);
    ++chosen[*select(on_receive(*all[0], nothing), on_receive(*all[1], nothing), on_receive(*all[2], nothing),
                     on_receive(*all[3], nothing))];
  }
  // 1,333 each is meant; ten standard deviations are 300.
  for (std::size_t i : {0u, 1u, 3u}) EXPECT_NEAR(chosen[i], 1333, 300);
  EXPECT_EQ(chosen[2], 0);
}

TEST(select, any_number_of_cases_at_run_time) {
  std::list<channel<int>> channels;
  int sum = 0;
  const auto add = [&](std::optional<int> v) { sum += *v; };
  for (int i = 0; i < 100; ++i) channels.emplace_back(1);
  for (auto& c : channels) EXPECT_TRUE(c.send(1));
  for (int i = 0; i < 100; ++i) {
    std::list<on_receive<int, decltype(add)>> cases;
    std::vector<select_case*> pointers;
    for (auto& c : channels) pointers.push_back(&cases.emplace_back(c, add));
    ASSERT_TRUE(select(std::span(pointers)));
  }
  EXPECT_EQ(sum, 100);
}

TEST(select, its_functions_may_wait_throw_and_select) {
  WEFT_TEST_CLOCK(clock);
  channel<int> a(1);
  EXPECT_TRUE(a.send(1));
  int inner = 0;
  select(on_receive(a, [&](std::optional<int>) {
    this_fiber::sleep_for(100us);
    select(on_timeout(0s, [&] { ++inner; }));
  }));
  EXPECT_EQ(inner, 1);
  EXPECT_TRUE(a.send(1));
  EXPECT_THROW(select(on_receive(a, [](std::optional<int>) { throw std::string(); })), std::string);
  EXPECT_TRUE(a.empty());
}

TEST(select_cancel, no_case_was_done) {
  channel<std::unique_ptr<int>> a(0), b(0);
  auto value = std::make_unique<int>(1);
  victim caught([&] { select(on_receive(a, nothing), on_send(b, offer(value), nothing), on_timeout(1h, nothing)); });
  let_others_run();
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_NE(value, nullptr);
  EXPECT_FALSE(a.try_send(nullptr));
  EXPECT_EQ(b.try_receive(), std::nullopt);
}

TEST(select_cancel, a_case_that_was_done_first_counts) {
  channel<int> a(0), b(0);
  int got = 0;
  victim caught([&] {
    select(on_receive(a, [&](std::optional<int> v) { got = *v; }), on_receive(b, nothing));
    this_fiber::sleep_for(1h);
  });
  let_others_run();
  EXPECT_TRUE(a.try_send(1));
  caught.cancel();
  EXPECT_TRUE(was_cancelled(caught));
  EXPECT_EQ(got, 1);
}

// Selects of both kinds meet across hubs and threads; each value sent is received once.
TEST(select_stress, several_hubs_and_plain_threads) {
  constexpr int each = 5'000;
  constexpr int workers = 3;
  channel<int> a(0), b(0), c(2);
  std::atomic<long> sent{0}, received{0}, sum_sent{0}, sum_received{0};
  const auto send_some = [&](int seed) {
    for (int i = 1; i <= each; ++i) {
      const int value = seed * each + i;
      const auto count = [&](bool ok) {
        if (!ok) return;
        ++sent;
        sum_sent += value;
      };
      if (i % 7 == 0) {
        select(on_send(a, value, count), on_send(c, value, count), 10us);
      } else {
        select(on_send(b, value, count), on_send(a, value, count), on_send(c, value, count));
      }
    }
  };
  const auto receive_all = [&] {
    bool open = true;
    const auto count = [&](std::optional<int> v) {
      if (!v) {
        open = false;
        return;
      }
      ++received;
      sum_received += *v;
    };
    unsigned turn = 0;
    while (open) {
      if (turn++ % 5 == 0) {
        select(on_receive(b, count), on_receive(a, count), 10us);
      } else {
        select(on_receive(a, count), on_receive(c, count), on_receive(b, count));
      }
    }
    while (auto v = c.receive()) count(v);
  };
  std::vector<std::thread> senders, receivers;
  for (int t = 0; t < workers; ++t) {
    senders.emplace_back([&, t] {
      if (t == 0) return send_some(t);
      spawn([&] { send_some(t); }).join();
    });
    receivers.emplace_back([&, t] {
      if (t == 0) return receive_all();
      const fiber f = spawn(receive_all);
      const fiber g = spawn(receive_all);
      f.join();
      g.join();
    });
  }
  for (std::thread& t : senders) t.join();
  for (auto* closing : {&a, &b, &c}) closing->close();
  for (std::thread& t : receivers) t.join();
  EXPECT_EQ(sent, received);
  EXPECT_EQ(sum_sent, sum_received);
  EXPECT_GE(sent, workers * each * 6 / 7);
}

}  // namespace
}  // namespace weft
