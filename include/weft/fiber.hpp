// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"

namespace weft {

namespace core {
struct fiber;
}

namespace detail {
/// A control block with room for a closure of @p size bytes aligned to @p align; throws std::bad_alloc.
core::fiber* allocate_fiber(std::size_t size, std::size_t align, void** closure, void (*run)(void*) noexcept);
void discard_fiber(core::fiber* f) noexcept;
void launch_fiber(core::fiber* f, const char* name, std::size_t stack_size) noexcept;
void retain_fiber(core::fiber* f) noexcept;
void release_fiber(core::fiber* f) noexcept;
bool join_fiber(core::fiber* f, deadline by);
std::uint64_t fiber_id(const core::fiber* f) noexcept;
bool fiber_done(const core::fiber* f) noexcept;
}  // namespace detail

/// How a fiber is made; the defaults suit nearly all.
struct fiber_attributes {
  /// Shown in dumps; up to 15 bytes are kept.
  const char* name = nullptr;
  /// Usable stack bytes at least; 0 stands for 60 KiB. Rounded up to a power of two less a 4 KiB guard page; pages that
  /// are not touched cost nothing.
  std::size_t stack_size = 0;
};

/// A handle of a fiber, in the way of std::thread; to share state between fibers use the calls of their objects.
///
/// Unlike std::thread's, its destruction does not end the program: a fiber whose handles are all gone runs on, as a
/// detached thread does.
///
/// Threads   One handle is for one thread at a time; copies of it are independent.
/// Lifetime  The fiber's block lives until the fiber has ended and the last handle is gone.
/// Cost      spawn and join: no system call once the hub has a warm stack. See bench/switch_bench.cpp.
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

  /// Whether this is a handle of some fiber.
  bool joinable() const noexcept { return block_ != nullptr; }

  /// Waits until the fiber has ended. Any number of fibers, of any hub, may wait for the same one.
  /// On a thread that has no hub yet, this makes one for it.
  /// @return false if @p by passed first, or there is no fiber. A fiber that joins itself waits for ever: it returns
  ///         false at once instead.
  /// @throws cancelled  the calling fiber was cancelled
  bool join(deadline by = deadline::never()) const { return block_ != nullptr && detail::join_fiber(block_, by); }

  /// Whether the fiber has ended.
  bool ready() const noexcept { return block_ != nullptr && detail::fiber_done(block_); }

  /// A small number, never reused in this process; 0 without a fiber.
  std::uint64_t get_id() const noexcept { return block_ == nullptr ? 0 : detail::fiber_id(block_); }

 private:
  explicit fiber(core::fiber* block) noexcept : block_(block) {}
  core::fiber* block_ = nullptr;

  template <class F, class... Args>
  friend fiber spawn(const fiber_attributes& attributes, F&& function, Args&&... args);
};

/// Starts a fiber that calls @p function with @p args (copied or moved in, as std::thread does). It runs when the
/// spawning fiber waits or yields, after those that are ready already; until then it is its closure alone and has no
/// stack. An exception that leaves @p function ends the program by std::terminate, as with std::thread.
///
/// On a thread that has no hub yet, this makes one for it.
/// @throws std::bad_alloc, and std::system_error when the hub cannot be made (no descriptors left)
template <class F, class... Args>
fiber spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
  using closure = std::tuple<std::decay_t<F>, std::decay_t<Args>...>;
  void* storage = nullptr;
  core::fiber* block = detail::allocate_fiber(sizeof(closure), alignof(closure), &storage, [](void* at) noexcept {
    auto* call = static_cast<closure*>(at);
    std::apply([](auto&... parts) { std::invoke(std::move(parts)...); }, *call);
    std::destroy_at(call);
  });
  try {
    new (storage) closure(std::forward<F>(function), std::forward<Args>(args)...);
  } catch (...) {
    detail::discard_fiber(block);
    throw;
  }
  detail::launch_fiber(block, attributes.name, attributes.stack_size);
  return fiber(block);
}
template <class F, class... Args>
requires(!std::is_same_v<std::decay_t<F>, fiber_attributes>) fiber spawn(F&& function, Args&&... args) {
  return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
}

namespace this_fiber {
/// Lets the other ready fibers of this hub run first. Looks at I/O and timers every 64 switches at the latest. A
/// cancellation point.
void yield();
/// Waits until @p by. Other fibers run meanwhile. On a thread that has no hub yet, this makes one for it.
/// @throws cancelled  the fiber was cancelled
void sleep_until(deadline by);
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> wait) {
  sleep_until(wait);
}
/// The running fiber's number; 0 on a thread that has no hub.
std::uint64_t get_id() noexcept;
}  // namespace this_fiber

}  // namespace weft
