// SPDX-License-Identifier: MIT
#include "loop/watchers.hpp"

#include <ev.h>

namespace weft::loop {

namespace {

constexpr double seconds(std::int64_t ns) noexcept { return static_cast<double>(ns) * 1e-9; }

ev_timer* watcher(timer& w) noexcept { return reinterpret_cast<ev_timer*>(&w); }
const ev_timer* watcher(const timer& w) noexcept { return reinterpret_cast<const ev_timer*>(&w); }
ev_stat* watcher(path& w) noexcept { return reinterpret_cast<ev_stat*>(&w); }
const ev_stat* watcher(const path& w) noexcept { return reinterpret_cast<const ev_stat*>(&w); }

void dispatch_timer(struct ev_loop*, ev_timer* w, int) noexcept {
  reinterpret_cast<timer::callback>(w->data)(*reinterpret_cast<timer*>(w));
}
void dispatch_path(struct ev_loop*, ev_stat* w, int) noexcept {
  reinterpret_cast<path::callback>(w->data)(*reinterpret_cast<path*>(w));
}

}  // namespace

void timer::set(callback call, int priority) noexcept {
  static_assert(sizeof(ev_timer) <= sizeof storage_ && alignof(ev_timer) <= 8);
  ev_timer* w = watcher(*this);
  ev_timer_init(w, dispatch_timer, 0., 0.);
  ev_set_priority(w, priority);
  w->data = reinterpret_cast<void*>(call);
}

void timer::start(struct ev_loop* loop, std::int64_t after_ns, std::int64_t repeat_ns) noexcept {
  ev_timer* w = watcher(*this);
  // The loop's clock stands since the last look at I/O: what the fiber has computed since must not shorten the wait.
  ev_now_update(loop);
  ev_timer_set(w, seconds(after_ns), seconds(repeat_ns));
  ev_timer_start(loop, w);
}

void timer::again(struct ev_loop* loop, std::int64_t repeat_ns) noexcept {
  ev_timer* w = watcher(*this);
  ev_now_update(loop);
  w->repeat = seconds(repeat_ns);
  ev_timer_again(loop, w);
}

void timer::stop(struct ev_loop* loop) noexcept { ev_timer_stop(loop, watcher(*this)); }
bool timer::active() const noexcept { return ev_is_active(watcher(*this)) != 0; }
std::int64_t timer::remaining_ns(struct ev_loop* loop) noexcept {
  ev_now_update(loop);
  return static_cast<std::int64_t>(ev_timer_remaining(loop, watcher(*this)) * 1e9);
}

void path::set(callback call, int priority, const char* name, std::int64_t interval_ns) noexcept {
  static_assert(sizeof(ev_stat) <= sizeof storage_ && alignof(ev_stat) <= 8);
  ev_stat* w = watcher(*this);
  ev_stat_init(w, dispatch_path, name, seconds(interval_ns));
  ev_set_priority(w, priority);
  w->data = reinterpret_cast<void*>(call);
}

void path::start(struct ev_loop* loop) noexcept {
  ev_now_update(loop);
  ev_stat_start(loop, watcher(*this));
}
void path::stop(struct ev_loop* loop) noexcept { ev_stat_stop(loop, watcher(*this)); }
bool path::active() const noexcept { return ev_is_active(watcher(*this)) != 0; }
const struct stat& path::now() const noexcept { return watcher(*this)->attr; }
const struct stat& path::before() const noexcept { return watcher(*this)->prev; }

}  // namespace weft::loop
