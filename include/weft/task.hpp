// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/fiber_block.hpp"
#include "weft/detail/fiber_link.hpp"
#include "weft/task_cancelled.hpp"

namespace weft {

/// A handle of a fiber, in the way of std::thread; `spawn` gives one that also knows the result, a `task`.
///
/// Unlike std::thread's, its destruction does not end the program: a fiber whose handles are all gone runs on, as a
/// detached thread does. For fibers that must not outlive a block take a `scope`.
///
/// Blocking  `join` and `kill`: only the calling fiber sleeps; a thread without a hub sleeps itself.
/// Order     Who waits for the end, and the links, are woken in the order of their coming.
/// Timeout   `join` and `kill` say false, and may be called again.
/// Cancel    Both are cancellation points; the fiber they are about goes on.
/// Threads   One handle is for one thread at a time; copies of it are independent.
/// Lifetime  The fiber's block and result live until it has ended and the last handle is gone. An exception that ended a
///           fiber and that nobody asked for is reported then: see `set_failure_handler`.
/// Cost      A pointer. See bench/switch_bench.cpp for spawn and join.
class fiber {
 public:
  fiber() noexcept = default;
  fiber(const fiber& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) detail::retain_fiber(block_);
  }
  fiber(fiber&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  fiber& operator=(fiber other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~fiber() {
    if (block_ != nullptr) detail::release_fiber(block_);
  }

  /// Whether this is a handle of some fiber. On one that is not, the others answer as for no fiber, or do nothing; it is never
  /// ready, so who waits for it beside others waits for those.
  bool joinable() const noexcept { return block_ != nullptr; }

  /// Waits until the fiber has ended. Any number of fibers, of any hub, and threads may wait for the same one.
  /// @return false if @p by passed first, or there is no fiber. A fiber that joins itself would wait for ever: it gets
  ///         false at once instead.
  bool join(deadline by = deadline::never()) const { return block_ != nullptr && detail::join_fiber(block_, by); }

  /// Throws @p with (null: `cancelled`) at the fiber's next suspension point that nothing shields, and waits for its end. One
  /// that has not begun never runs. Of several kills that were not thrown yet the first counts; a fiber that has ended is
  /// left alone. A fiber may catch what is thrown and go on: then this waits on. Killing oneself throws at once.
  /// @return whether it has ended
  bool kill(deadline by = deadline::never()) const { return kill(nullptr, by); }
  bool kill(std::exception_ptr with, deadline by = deadline::never()) const;
  /// The same without waiting.
  void request_kill(std::exception_ptr with = nullptr) const noexcept {
    if (block_ != nullptr) detail::kill_fiber(block_, std::move(with));
  }

  /// Whether the fiber has ended.
  bool ready() const noexcept { return block_ != nullptr && detail::fiber_done(block_); }
  /// Whether it has ended, by itself or by `cancelled`: one that was asked to leave and did has not failed.
  bool successful() const noexcept { return ready() && detail::fiber_successful(block_); }
  /// What it failed with; null if it has not. Whoever has asked is taken to have seen to it.
  std::exception_ptr exception() const noexcept { return ready() ? detail::fiber_failure(block_) : nullptr; }

  /// A small number, never reused in this process; 0 without a fiber.
  std::uint64_t get_id() const noexcept { return block_ == nullptr ? 0 : detail::fiber_id(block_); }
  /// As long as this handle lives.
  std::string_view name() const noexcept { return block_ == nullptr ? "" : detail::fiber_name(block_); }

  using link_id = std::uint64_t;
  /// Calls @p function with a handle of this fiber once it has ended (soon, if it has), in a fiber of its own on the hub of
  /// the caller of `link`: a light one, in a patched process too (patch.hpp). An exception that leaves it ends the program.
  /// @return a number for `unlink`; 0 without a fiber, and it is never called
  template <class F>
  link_id link(F&& function) const {
    return detail::link_fiber(*this, std::forward<F>(function), detail::link_when::ended);
  }
  /// The same, only if it is successful.
  template <class F>
  link_id link_value(F&& function) const {
    return detail::link_fiber(*this, std::forward<F>(function), detail::link_when::successful);
  }
  /// The same, only if it is not.
  template <class F>
  link_id link_exception(F&& function) const {
    return detail::link_fiber(*this, std::forward<F>(function), detail::link_when::failed);
  }
  /// Takes a link back. @return false if it was called already, or is none of this fiber's
  bool unlink(link_id which) const noexcept { return block_ != nullptr && detail::unlink_fiber(block_, which); }

  // What a waitable offers: see waitable.hpp.
  void add_waiter(detail::subscription& s) const noexcept {
    if (block_ != nullptr) detail::subscribe_to_end(block_, s);
  }
  void remove_waiter(detail::subscription& s) const noexcept {
    if (block_ != nullptr) detail::unsubscribe_from_end(block_, s);
  }

  /// Whether they name the same fiber.
  friend bool operator==(const fiber& a, const fiber& b) noexcept { return a.block_ == b.block_; }
  friend std::strong_ordering operator<=>(const fiber& a, const fiber& b) noexcept {
    return std::compare_three_way()(a.block_, b.block_);
  }

  /// For the library: takes over a reference to @p block.
  explicit fiber(core::fiber* block) noexcept : block_(block) {}
  core::fiber* block() const noexcept { return block_; }

 private:
  core::fiber* block_ = nullptr;
};

/// A handle of a fiber that gives a T (or nothing: void).
///
/// As `fiber`; several may ask for the result, each through a handle. To hand it on or combine it with others make it a
/// `future`.
///
/// Lifetime  The reference that `get` of an lvalue gives is good while any handle of the fiber lives.
template <class T = void>
class task : public fiber {
 public:
  using value_type = T;
  using fiber::fiber;

  /// Waits for the end, then gives the result: a reference to it, or from an rvalue the result itself, moved out.
  /// @throws what ended the fiber; task_cancelled, if it was cancelled
  /// @throws std::system_error  errc::timed_out: @p by passed first; errc::invalid_argument: there is no fiber, or it is
  ///         the calling one
  std::add_lvalue_reference_t<T> get(deadline by = deadline::never()) const&;
  T get(deadline by = deadline::never()) &&;
};

namespace detail {
/// Waits for the end of @p f, and throws unless it has given its result.
void require_result(core::fiber* f, deadline by);
}  // namespace detail

template <class T>
std::add_lvalue_reference_t<T> task<T>::get(deadline by) const& {
  detail::require_result(block(), by);
  if constexpr (std::is_reference_v<T>) {
    return **static_cast<std::remove_reference_t<T>**>(detail::body_of(block()));
  } else if constexpr (!std::is_void_v<T>) {
    return *static_cast<T*>(detail::body_of(block()));
  }
}

template <class T>
T task<T>::get(deadline by) && {
  if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
    return static_cast<const task&>(*this).get(by);
  } else {
    return std::move(static_cast<const task&>(*this).get(by));
  }
}

}  // namespace weft

/// Handles can be keys of hashed containers.
template <>
struct std::hash<weft::fiber> {
  std::size_t operator()(const weft::fiber& f) const noexcept { return std::hash<const void*>()(f.block()); }
};
template <class T>
struct std::hash<weft::task<T>> : std::hash<weft::fiber> {};
