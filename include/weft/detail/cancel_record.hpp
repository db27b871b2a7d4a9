// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/deadline.hpp"

namespace weft::core {
struct fiber;
struct record_access;
}  // namespace weft::core

namespace weft::detail {

/// One thing that may cancel what a fiber does: a timeout, a cancel scope, or (as the outermost of all) a kill. The
/// records of a fiber lie on its stack and are linked innermost first; a shield among them hides all outer ones.
///
/// A record is due once its deadline has passed or somebody has requested it, and is then thrown once: at the first
/// suspension point that sees it. When several are due, the outermost goes first, since it unwinds the others.
///
/// Threads   `request` may be called from anywhere, as long as the record lives; all else on the fiber's own hub.
class cancel_record {
 public:
  using thrower = void (*)(cancel_record&);

  /// @param raise  throws the exception of this record; it may not return
  constexpr explicit cancel_record(thrower raise, bool shield = false) noexcept : raise_(raise), shield_(shield) {}
  /// The record of @p owner that is never entered or left: its kill.
  constexpr cancel_record(thrower raise, core::fiber& owner) noexcept : owner_(&owner), raise_(raise), shield_(false) {}
  cancel_record(const cancel_record&) = delete;
  cancel_record& operator=(const cancel_record&) = delete;

  /// Makes it the running fiber's innermost, due at @p by. On a thread that has no hub yet, this makes one for it.
  /// Entering it twice aborts.
  /// @throws std::system_error when that hub cannot be made
  void enter(deadline by = deadline::never());
  /// Takes it out again, in whatever order; what it had due is dropped. Nothing happens if it is not entered. On another fiber
  /// than the one that entered it, or behind that one's end, aborts.
  void leave() noexcept;
  bool entered() const noexcept { return owner() != nullptr; }
  core::fiber* owner() const noexcept { return owner_.load(std::memory_order_acquire); }

  /// Another deadline. Only while it is entered.
  void set_deadline(deadline by) noexcept;
  deadline due() const noexcept { return deadline::from_ns(due_); }

  /// Makes it due now, or as soon as it is entered. Once requested, further requests do nothing until it was thrown.
  void request() noexcept;
  /// Takes a request back that was not thrown yet.
  void withdraw() noexcept { requested_.store(false, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }

 private:
  friend struct core::record_access;
  std::atomic<core::fiber*> owner_{nullptr};
  cancel_record* outer_ = nullptr;
  std::int64_t due_ = deadline::never().ns();
  thrower raise_;
  std::atomic<bool> requested_{false};
  bool shield_;
  std::uint32_t thrown_ = 0;  // in a fiber's kill: how many cancellations that fiber has been thrown; wraps
};

/// How many cancellations have been thrown at the calling fiber. Who catches an exception of any type learns so whether it may be
/// one: they have no type in common.
std::uint32_t cancellations() noexcept;

/// Enters a record for as long as it lives.
class entered_record {
 public:
  explicit entered_record(cancel_record& record, deadline by = deadline::never()) : record_(record) {
    record.enter(by);
  }
  entered_record(const entered_record&) = delete;
  entered_record& operator=(const entered_record&) = delete;
  ~entered_record() { record_.leave(); }

 private:
  cancel_record& record_;
};

}  // namespace weft::detail
