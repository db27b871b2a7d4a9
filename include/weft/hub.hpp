// SPDX-License-Identifier: MIT
#pragma once

namespace weft {

namespace core {
class hub;
}

/// Names a hub: the scheduler of one OS thread. For placing a fiber; nearly all programs need none.
///
/// Threads   A value: copies are independent, and may be used on any thread.
/// Lifetime  When a thread ends, the next one that needs a hub goes on with its; there are 64. Fibers that it has left are lost: no destructor of theirs runs, what
///           they hold they hold for ever, who joins one finds it cancelled. A thread that is not to lose them joins them, or has a `scope`.
class hub {
 public:
  /// No hub: the scheduler chooses.
  constexpr hub() noexcept = default;
  constexpr explicit hub(core::hub* h) noexcept : hub_(h) {}

  /// The calling thread's, made for it if it has none.
  /// @throws std::system_error  when the kernel gives no descriptors or memory for it
  static hub current();

  constexpr explicit operator bool() const noexcept { return hub_ != nullptr; }
  friend constexpr bool operator==(hub, hub) noexcept = default;
  constexpr core::hub* get() const noexcept { return hub_; }

 private:
  core::hub* hub_ = nullptr;
};

}  // namespace weft
