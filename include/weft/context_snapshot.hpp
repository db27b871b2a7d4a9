// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <utility>

#include "weft/detail/context_node.hpp"

namespace weft {

/// All that is set at a moment: a snapshot of the context variables of the fiber that asks for it.
///
/// Spawned fibers have that of their spawner by themselves. This is for calls that come from elsewhere, of callbacks and
/// thread pools: Python's contextvars.copy_context.
///
///     pool.submit([here = weft::context_snapshot::current()] { here.run(work); });
///
/// Lifetime  It keeps the values. One that was moved away has nothing set.
/// Threads   A value: copies are independent, and may go to other threads.
/// Cost      A pointer and a count.
class context_snapshot {
 public:
  /// One in which nothing is set.
  context_snapshot() noexcept = default;
  static context_snapshot current() noexcept {
    return context_snapshot(detail::share_context(detail::current_context()));
  }
  context_snapshot(const context_snapshot& other) noexcept : newest_(detail::share_context(other.newest_)) {}
  context_snapshot(context_snapshot&& other) noexcept : newest_(std::exchange(other.newest_, nullptr)) {}
  context_snapshot& operator=(context_snapshot other) noexcept {
    std::swap(newest_, other.newest_);
    return *this;
  }
  ~context_snapshot() { detail::release_context(newest_); }

  /// Calls @p function with what is set here, and returns what it returns. The caller's own settings are hidden meanwhile.
  /// What @p function throws comes through; an empty one throws std::bad_function_call.
  template <class F>
  decltype(auto) run(F&& function) const {
    struct exchanged {
      detail::context_node* before;
      ~exchanged() { detail::release_context(detail::exchange_context(before)); }
    } inside{detail::exchange_context(detail::share_context(newest_))};
    return std::invoke(std::forward<F>(function));
  }

 private:
  explicit context_snapshot(detail::context_node* newest) noexcept : newest_(newest) {}
  detail::context_node* newest_ = nullptr;
};

}  // namespace weft
