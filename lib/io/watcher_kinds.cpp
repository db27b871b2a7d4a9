// SPDX-License-Identifier: MIT
// The watchers of what the hub's own loop knows: descriptors, time, paths, its own turns, and other threads.
#include <poll.h>

#include <atomic>
#include <stdexcept>
#include <utility>

#include "base/syscall.hpp"
#include "io/watch_state.hpp"
#include "loop/watchers.hpp"

namespace weft {

namespace {

using detail::not_empty;
using detail::watch_kind;
using detail::watch_state;

struct io_state final : watch_state {
  struct side : loop::io {
    io_state* owner = nullptr;
  };

  io_state(int f, short e, std::function<void(short)> c) : fd(f), events(e), function(std::move(c)) {
    for (side& s : sides) s.owner = this;
  }
  // The loop tells of readiness again and again, so it is not asked while a call is due or under way.
  void arm() override {
    constexpr short wanted[] = {POLLIN, POLLOUT};
    for (int i = 0; i < 2; ++i) {
      if ((events & wanted[i]) == 0) continue;
      sides[i].set(fd, static_cast<loop::direction>(i), [](loop::io& w) noexcept {
        io_state& s = *static_cast<side&>(w).owner;
        s.disarm();
        s.happened(/*in_event=*/true);
      });
      sides[i].start(home->events.get());
    }
  }
  void disarm() noexcept override {
    for (side& s : sides) {
      if (s.active()) s.stop(home->events.get());
    }
  }
  void call(bool was_fed) override {
    pollfd look{fd, events, 0};
    base::raw_syscall(SYS_poll, &look, 1, 0);
    if (was_fed || look.revents != 0) function(look.revents);
    if (active && !pending && !sides[0].active() && !sides[1].active()) arm();
  }

  const int fd;
  const short events;
  side sides[2];
  const std::function<void(short)> function;
};

struct timer_state final : watch_state {
  struct clock : loop::timer {
    timer_state* owner = nullptr;
  };

  timer_state(std::chrono::nanoseconds a, std::chrono::nanoseconds r, std::function<void()> c)
      : after(a), repeat(r), function(std::move(c)) {
    timer.owner = this;
  }
  void arm() override {
    timer.set([](loop::timer& w) noexcept { static_cast<clock&>(w).owner->happened(/*in_event=*/true); }, priority);
    timer.start(home->events.get(), after.count() > 0 ? after.count() : 0, repeat.count() > 0 ? repeat.count() : 0);
  }
  void disarm() noexcept override { timer.stop(home->events.get()); }
  void call(bool) override {
    if (!timer.active()) deactivate();  // it does not repeat
    function();
  }

  std::chrono::nanoseconds after, repeat;
  clock timer;
  const std::function<void()> function;
};

// Called by the engine itself, around the hub's looks at I/O.
struct turn_state final : watch_state {
  turn_state(watch_kind k, std::function<void()> c) : watch_state(k), function(std::move(c)) {}
  void call(bool) override { function(); }
  const std::function<void()> function;
};

// A send is a message to the hub, which may be under way when the watcher goes.
struct async_state final : watch_state, core::message {
  explicit async_state(std::function<void()> c) : function(std::move(c)) {
    run = [](core::message& m, core::hub&) noexcept {
      auto& s = static_cast<async_state&>(m);
      s.sent.store(false, std::memory_order_seq_cst);
      s.happened(/*in_event=*/false);
      if (s.orphan) delete &s;
    };
  }
  void arm() override { target.store(home, std::memory_order_release); }
  void disarm() noexcept override { target.store(nullptr, std::memory_order_release); }
  void call(bool) override { function(); }
  void dispose() noexcept override {
    orphan = true;
    if (!sent.load(std::memory_order_seq_cst)) delete this;
  }

  std::atomic<core::hub*> target{nullptr};  // while active
  std::atomic<bool> sent{false};
  bool orphan = false;
  const std::function<void()> function;
};

struct stat_state final : watch_state {
  using callback = std::function<void(const struct stat&, const struct stat&)>;
  struct look : loop::path {
    stat_state* owner = nullptr;
  };

  stat_state(std::string n, std::chrono::nanoseconds i, callback c)
      : name(std::move(n)), interval(i), function(std::move(c)) {
    path.owner = this;
  }
  void arm() override {
    path.set([](loop::path& w) noexcept { static_cast<look&>(w).owner->happened(/*in_event=*/true); }, priority,
             name.c_str(), interval.count() > 0 ? interval.count() : 0);
    path.start(home->events.get());
  }
  void disarm() noexcept override { path.stop(home->events.get()); }
  void call(bool) override {
    // Copies: the loop may look again while the function waits.
    const struct stat now = path.now();
    const struct stat before = path.before();
    function(now, before);
  }

  const std::string name;
  const std::chrono::nanoseconds interval;
  look path;
  const callback function;
};

template <class State>
State& as(watch_state* s) noexcept {
  return *static_cast<State*>(s);
}

}  // namespace

io_watcher::io_watcher(int fd, short events, std::function<void(short)> call)
    : watcher((events & ~(POLLIN | POLLOUT)) != 0 || events == 0
                  ? throw std::invalid_argument("weft: an io_watcher is for POLLIN, POLLOUT or both")
                  : new io_state(fd, events, not_empty(std::move(call)))) {}

timer_watcher::timer_watcher(std::chrono::nanoseconds after, std::chrono::nanoseconds repeat,
                             std::function<void()> call)
    : watcher(new timer_state(after, repeat, not_empty(std::move(call)))) {}

void timer_watcher::set(std::chrono::nanoseconds after, std::chrono::nanoseconds repeat) noexcept {
  as<timer_state>(state()).after = after;
  as<timer_state>(state()).repeat = repeat;
}

void timer_watcher::again() {
  auto& s = as<timer_state>(state());
  if (!active()) {
    if (s.repeat.count() <= 0) return;
    start();
  }
  if (s.repeat.count() <= 0) return stop();
  s.timer.again(s.home->events.get(), s.repeat.count());
}

std::chrono::nanoseconds timer_watcher::remaining() const {
  auto& s = as<timer_state>(state());
  if (!s.active || !s.timer.active()) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(s.timer.remaining_ns(s.home->events.get()));
}

idle_watcher::idle_watcher(std::function<void()> call)
    : watcher(new turn_state(watch_kind::idle, not_empty(std::move(call)))) {}
prepare_watcher::prepare_watcher(std::function<void()> call)
    : watcher(new turn_state(watch_kind::prepare, not_empty(std::move(call)))) {}
check_watcher::check_watcher(std::function<void()> call)
    : watcher(new turn_state(watch_kind::check, not_empty(std::move(call)))) {}

async_watcher::async_watcher(std::function<void()> call) : watcher(new async_state(not_empty(std::move(call)))) {}

void async_watcher::send() noexcept {
  auto& s = as<async_state>(state());
  core::hub* const h = s.target.load(std::memory_order_acquire);
  if (h != nullptr && !s.sent.exchange(true, std::memory_order_seq_cst)) h->post(s);
}

stat_watcher::stat_watcher(std::string path, std::chrono::nanoseconds interval,
                           std::function<void(const struct stat& now, const struct stat& before)> call)
    : watcher(new stat_state(std::move(path), interval, not_empty(std::move(call)))) {}

}  // namespace weft
