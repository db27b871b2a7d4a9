// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <memory>

#include "weft/detail/storage_key.hpp"

namespace weft {

/// A variable of which each fiber has its own: `thread_local` for fibers, gevent's local.
///
/// `thread_local` itself is shared by all light fibers of an OS thread, and may change at every suspension. For what a fiber is to
/// hand on to those it spawns take a `context_variable`; most often a parameter is better than both.
///
///     weft::local<std::string> user;   // a global, or a static member
///     *user = "eva";                   // in one fiber; the others have theirs
///
/// The first use in a fiber makes its value: T(), or what the function given to the constructor returns. On a thread's own
/// stack, with or without a hub, it is that thread's.
///
/// Blocking  Never.
/// Threads   Each use touches the caller's value alone.
/// Lifetime  A value lives until `reset`, or its fiber or thread ends: then the last one made goes first, on the fiber itself, before
///           who joins it goes on; nothing cancels their destructors. The variable may go before its values, which stay.
/// Cost      8 bytes more than a pointer. A use looks through the fiber's values, a few ns each; making one allocates.
template <class T>
class local {
 public:
  using value_type = T;

  constexpr local() noexcept requires std::default_initializable<T> : make_([] { return T(); }) {}
  constexpr explicit local(T (*initial)()) noexcept : make_(initial) {}
  local(const local&) = delete;
  local& operator=(const local&) = delete;

  /// The caller's value, made if it has none. @throws what making it throws; std::bad_alloc
  T& get() {
    void* found = detail::find_local(key_.number());
    return found != nullptr ? *static_cast<T*>(found) : make();
  }
  T& operator*() { return get(); }
  T* operator->() { return std::addressof(get()); }

  /// Whether the caller has a value.
  bool has_value() const noexcept { return detail::find_local(key_.number()) != nullptr; }
  /// Destroys the caller's value; the next use makes a new one.
  void reset() noexcept { detail::drop_local(key_.number()); }

 private:
  T& make() {
    auto made = std::unique_ptr<T>(new T(make_()));
    detail::add_local(key_.number(), made.get(), [](void* value) noexcept { delete static_cast<T*>(value); });
    return *made.release();
  }

  detail::storage_key key_;
  T (*make_)();
};

}  // namespace weft
