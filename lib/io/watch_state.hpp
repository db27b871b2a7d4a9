// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <stdexcept>
#include <utility>

#include "base/list.hpp"
#include "core/hub.hpp"
#include "weft/watcher.hpp"

namespace weft::detail {

class watch_engine;

/// @throws std::invalid_argument  @p call is empty: nobody would be there to be told of it when the hub calls
template <class Signature>
[[gnu::visibility("hidden")]] std::function<Signature> not_empty(std::function<Signature> call) {
  if (call == nullptr) throw std::invalid_argument("weft: a watcher without a function");
  return call;
}

/// In which list of its engine an active watcher stands: those that the hub's loop itself calls are found by it.
enum class watch_kind : unsigned char { event, prepare, check, idle };
inline constexpr unsigned watch_kinds = 4;

/// What is behind a watcher: kept by it, and by a call that is due or under way. Touched on its hub's OS thread only.
struct [[gnu::visibility("hidden")]] watch_state
    : base::list_link {  // linked into its engine's queue while a call is due
  struct membership : base::list_link {
    watch_state* owner = nullptr;
  };

  explicit watch_state(watch_kind k = watch_kind::event) noexcept : kind(k) { member.owner = this; }
  watch_state(const watch_state&) = delete;
  watch_state& operator=(const watch_state&) = delete;

  membership member;  // linked while active
  core::hub* home = nullptr;
  watch_engine* engine = nullptr;
  unsigned references = 1;
  const watch_kind kind;
  signed char priority = 0;
  bool active = false;
  bool pending = false;  // a call is due
  bool running = false;  // one is under way
  bool fed = false;      // the call that is due is for `feed`
  bool counts = true;    // see watcher::ref

  /// Has the loop look; may throw. And the contrary.
  virtual void arm() {}
  virtual void disarm() noexcept {}
  /// The watcher's function, on a fiber.
  virtual void call(bool was_fed) = 0;

  /// A call is due. @p in_event  called back by libev, on the loop fiber: the function is then run at once
  void happened(bool in_event) noexcept;
  /// It watches no more.
  void deactivate() noexcept;
  void keep() noexcept { ++references; }
  void release() noexcept {
    if (--references == 0) dispose();
  }

 protected:
  virtual void dispose() noexcept { delete this; }
  virtual ~watch_state() = default;
};

/// The watchers of one hub, and the fibers that call their functions: one is always at hand, so that a function that waits
/// holds up nobody.
class [[gnu::visibility("hidden")]] watch_engine {
 public:
  /// Of the calling thread's hub. @throws std::bad_alloc, std::system_error
  static watch_engine& local();

  void add(watch_state & s);
  void remove(watch_state & s) noexcept;
  void enqueue(watch_state & s, bool in_event) noexcept;

 private:
  struct worker {
    core::waker who;
    worker* next;
  };

  explicit watch_engine(core::hub & h) noexcept : hub_(h) {}
  static void work(watch_engine * e);
  void add_worker();
  void call(watch_state & s);
  void call_all(watch_kind kind) noexcept;
  static bool before_poll(core::hub & h) noexcept;
  static void after_poll(core::hub & h, bool idle) noexcept;
  static bool in_use(const core::hub& h) noexcept;
  static void forget_after_fork() noexcept;

  core::hub& hub_;
  base::list<watch_state> due_;
  base::list<watch_state::membership> active_[watch_kinds];
  worker* idle_ = nullptr;
  unsigned idle_count_ = 0;
  bool gone_ = false;  // in a fork's child: it was the parent's
};

}  // namespace weft::detail
