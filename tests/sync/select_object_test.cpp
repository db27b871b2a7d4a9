// SPDX-License-Identifier: MIT
// `select` over other things than channels.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sync/helpers.hpp"
#include "tests/plain_threads.hpp"
#include "weft/barrier.hpp"
#include "weft/channel.hpp"
#include "weft/event.hpp"
#include "weft/future.hpp"
#include "weft/io.hpp"
#include "weft/latch.hpp"
#include "weft/queue.hpp"
#include "weft/readiness.hpp"
#include "weft/select.hpp"
#include "weft/semaphore.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

constexpr auto nothing = [](auto&&...) {};

// One of each, none of which is ready, and a select over all.
struct everything {
  everything()
      : f(p.get_future()), t(spawn([this] {
          gate.wait();
          return 5;
        })) {}
  ~everything() {
    gate.set();
    t.join();
    weft::close(fd);
  }
  std::optional<std::size_t> look(deadline by = deadline::never()) {
    readable in(fd);
    return select(on_receive(c, [&](std::optional<int> v) { log += "c" + std::to_string(*v); }),
                  on_send(full, 7, [&](bool) { log += "s"; }), on(e, [&] { log += "e"; }),
                  on(f, [&](future<int>& got) { log += "f" + std::to_string(got.get()); }),
                  on(t, [&](const task<int>& got) { log += "t" + std::to_string(got.get()); }),
                  on_acquire(units, [&] { log += "u"; }),
                  on_pop(q, [&](std::optional<int> v) { log += "q" + std::to_string(*v); }),
                  on(in,
                     [&] {
                       std::uint64_t count = 0;
                       EXPECT_EQ(read(fd, &count, sizeof count), 8);
                       log += "i" + std::to_string(count);
                     }),
                  by);
  }

  channel<int> c{0}, full{0};
  event e, gate;
  promise<int> p;
  future<int> f;
  task<int> t;
  counting_semaphore<> units{0};
  queue<int> q;
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::string log;
};

TEST(select_object, everything_in_one_wait) {
  WEFT_TEST_CLOCK(clock);
  using act = void (*)(everything&);
  const std::array<std::pair<act, const char*>, 8> acts{{
      {[](everything& a) { EXPECT_TRUE(a.c.try_send(1)); }, "c1"},
      {[](everything& a) { EXPECT_EQ(a.full.try_receive(), 7); }, "s"},
      {[](everything& a) { a.e.set(); }, "e"},
      {[](everything& a) { a.p.set_value(3); }, "f3"},
      {[](everything& a) { a.gate.set(); }, "t5"},
      {[](everything& a) { a.units.release(); }, "u"},
      {[](everything& a) { EXPECT_TRUE(a.q.try_push(4)); }, "q4"},
      {[](everything& a) { EXPECT_EQ(eventfd_write(a.fd, 6), 0); }, "i6"},
  }};
  for (std::size_t i = 0; i < acts.size(); ++i) {
    everything all;
    EXPECT_EQ(all.look(0s), std::nullopt);
    EXPECT_EQ(all.look(1ms), std::nullopt);
    std::optional<std::size_t> which;
    const fiber waits = spawn([&] { which = all.look(); });
    let_others_run();
    EXPECT_EQ(which, std::nullopt);
    acts[i].first(all);
    EXPECT_TRUE(waits.join(60s));
    EXPECT_EQ(which, i);
    EXPECT_EQ(all.log, acts[i].second);
    EXPECT_EQ(all.units.available() + static_cast<std::ptrdiff_t>(all.q.size()), 0);
  }
}

TEST(select_object, what_is_ready_needs_no_wait) {
  everything all;
  all.e.set();
  EXPECT_EQ(all.look(0s), 2u);
  EXPECT_EQ(select(on(all.e, nothing), otherwise(nothing)), 0u);
  all.e.clear();
  EXPECT_EQ(select(on(all.e, nothing), otherwise(nothing)), 1u);
}

TEST(select_object, does_one_and_no_other) {
  everything all;
  std::optional<std::size_t> which;
  const fiber waits = spawn([&] { which = all.look(); });
  let_others_run();
  EXPECT_TRUE(all.q.try_push(4));
  all.units.release();
  EXPECT_TRUE(all.c.try_send(1)) << "its claim is open until it runs";
  all.e.set();
  EXPECT_TRUE(waits.join(60s));
  EXPECT_EQ(which, 0u) << "what changed hands counts";
  EXPECT_EQ(all.log, "c1");
  EXPECT_EQ(all.q.size(), 1u);
  EXPECT_EQ(all.units.available(), 1);
}

TEST(select_object, who_is_told_and_loses_waits_on) {
  event e;
  queue<int> q;
  binary_semaphore s(0);
  std::optional<std::size_t> which;
  const fiber waits = spawn([&] { which = select(on(e, nothing), on_pop(q, nothing), on_acquire(s, nothing)); });
  let_others_run();
  EXPECT_TRUE(q.try_push(1));
  EXPECT_EQ(q.try_pop(), 1);
  s.release();
  EXPECT_TRUE(s.try_acquire());
  e.set();
  e.clear();
  let_others_run();
  EXPECT_EQ(which, std::nullopt);
  EXPECT_TRUE(q.try_push(2));
  EXPECT_TRUE(waits.join(60s));
  EXPECT_EQ(which, 1u);
}

TEST(select_object, a_queue_that_is_shut_down_is_ready) {
  queue<int> q;
  EXPECT_TRUE(q.try_push(1));
  std::vector<std::optional<int>> got;
  const auto keep = [&](std::optional<int> v) { got.push_back(v); };
  const fiber waits = spawn([&] {
    select(on_pop(q, keep));
    select(on_pop(q, keep));
  });
  let_others_run();
  q.shutdown();
  EXPECT_TRUE(waits.join(60s));
  EXPECT_EQ(got, (std::vector<std::optional<int>>{1, std::nullopt}));
}

TEST(select_object, a_latch_and_a_phase_of_a_barrier) {
  latch l(1);
  barrier<> b(2);
  const auto arrived = b.arrive();
  std::optional<std::size_t> which;
  const fiber waits = spawn([&] { which = select(on(l, nothing), on(arrived, nothing), 1min); });
  let_others_run();
  static_cast<void>(b.arrive());
  waits.join();
  EXPECT_EQ(which, 1u);
  const auto next = b.arrive();
  const fiber waits_again = spawn([&] { which = select(on(l, nothing), on(next, nothing), 1min); });
  let_others_run();
  l.count_down();
  waits_again.join();
  EXPECT_EQ(which, 0u);
}

TEST(select_object, a_cancelled_one_took_nothing_and_has_left) {
  auto all = std::make_unique<everything>();
  victim v([&] { (void)all->look(); });
  let_others_run();
  v.cancel();
  EXPECT_TRUE(was_cancelled(v));
  EXPECT_TRUE(all->q.try_push(1));
  all->units.release();
  all->e.set();
  EXPECT_EQ(all->log, "");
  EXPECT_EQ(all->q.size(), 1u);
  EXPECT_EQ(all->units.available(), 1);
  all.reset();  // aborts if somebody waited still
}

TEST(select_object, a_wake_wins_against_a_cancellation) {
  channel<int> c(0);
  event e;
  std::optional<int> got;
  victim v([&] { select(on(e, nothing), on_receive(c, [&](std::optional<int> x) { got = x; })); });
  let_others_run();
  EXPECT_TRUE(c.try_send(1));
  v.cancel();
  EXPECT_FALSE(was_cancelled(v));
  EXPECT_EQ(got, 1);
}

TEST(select_object, is_fair) {
  event a(true), b(true);
  counting_semaphore<> s(100000);
  std::array<int, 3> chosen{};
  for (int i = 0; i < 3000; ++i) ++chosen[*select(on(a, nothing), on(b, nothing), on_acquire(s, nothing))];
  for (const int each : chosen) EXPECT_NEAR(each, 1000, 200);
}

// A fiber that sends to a channel and watches it: its own place in the queue makes the channel ready for others alone.
TEST(select_object, its_own_send_is_no_news_to_it) {
  WEFT_TEST_CLOCK(clock);
  channel<int> c(0);
  EXPECT_EQ(select(on_send(c, 1, nothing), on(c, nothing), 1ms), std::nullopt);
  std::optional<std::size_t> which, other;
  const fiber sends = spawn([&] { which = select(on_send(c, 1, nothing), on(c, nothing), 60s); });
  let_others_run();
  EXPECT_EQ(which, std::nullopt);
  EXPECT_EQ(select(on_send(c, 2, nothing), on(c, nothing), 60s), 1u) << "ready by the other's send";
  EXPECT_EQ(c.try_receive(), 1);
  EXPECT_TRUE(sends.join(60s));
  EXPECT_EQ(which, 0u);
  const fiber watches = spawn([&] { other = select(on_send(c, 3, nothing), on(c, nothing), 60s); });
  let_others_run();
  const fiber plain = spawn([&] { EXPECT_FALSE(c.send(4, 60s)); });
  EXPECT_TRUE(watches.join(60s));
  EXPECT_EQ(other, 1u) << "ready by a plain sender";
  c.close();
  plain.join();
}

// What others make ready while the select takes its places is not lost.
TEST(select_object, what_happens_while_it_takes_its_places_counts) {
  struct setter : detail::subscription {
    event* sets = nullptr;
  };
  channel<int> c(0);
  event e;
  setter s;
  s.sets = &e;
  s.notify = [](detail::subscription& told) noexcept {
    std::thread([&told] { static_cast<setter&>(told).sets->set(); }).join();
  };
  c.add_waiter(s);
  EXPECT_EQ(select(on_send(c, 1, nothing), on(c, nothing), on(e, nothing), 60s), 2u);
  c.remove_waiter(s);
}

TEST(select_object, an_object_that_cannot_be_subscribed_to) {
  event e;
  future<int> none;
  EXPECT_THROW(select(on(e, nothing), on(none, nothing)), std::future_error);
  EXPECT_THROW(select(on(none, nothing), on(e, nothing)), std::future_error);
}

TEST(select_object, over_a_number_known_at_run_time) {
  std::array<event, 5> all;
  using one = on<event, void (*)()>;
  for (std::size_t ready = 0; ready < all.size(); ++ready) {
    std::vector<std::unique_ptr<one>> owners;
    std::vector<select_case*> cases;
    cases.reserve(all.size());
    for (event& e : all) cases.push_back(owners.emplace_back(std::make_unique<one>(e, [] {})).get());
    const fiber sets = spawn([&] { all[ready].set(); });
    EXPECT_EQ(select(cases), ready);
    all[ready].clear();
    sets.join();
  }
}

// Fibers of several hubs and threads take from the same objects by select: everything is taken, and once.
TEST(select_object, takes_everything_once_in_a_crowd) {
  constexpr int each = 400;
  event done;
  counting_semaphore<> units(0);
  queue<int> q;
  channel<int> c(2);
  std::atomic<int> taken{0};
  std::atomic<long> sum{0};
  const fiber gives = spawn([&] {
    for (int i = 1; i <= each; ++i) {
      units.release();
      EXPECT_TRUE(q.push(i));
      EXPECT_TRUE(c.send(i));
    }
    EXPECT_TRUE(eventually([&] { return taken == 3 * each; }));
    done.set();
  });
  run_crowd({.hubs = 2, .fibers_per_hub = 3, .threads = 2}, [&](int) {
    const auto take = [&](std::optional<int> v) {
      taken.fetch_add(1);
      sum += *v;
    };
    while (!done.is_set()) {
      select(on_acquire(units, [&] { taken.fetch_add(1); }), on_pop(q, take), on_receive(c, take), on(done, nothing));
    }
  });
  gives.join();
  EXPECT_EQ(taken, 3 * each);
  EXPECT_EQ(sum, static_cast<long>(each) * (each + 1));
  EXPECT_EQ(units.available(), 0);
}

}  // namespace
}  // namespace weft
