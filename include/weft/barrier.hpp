// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/shield.hpp"

namespace weft {

namespace detail {
struct no_completion {
  void operator()() const noexcept {}
};

/// A barrier without its completion function.
class barrier_phases {
 public:
  explicit barrier_phases(std::ptrdiff_t expected);
  barrier_phases(const barrier_phases&) = delete;
  barrier_phases& operator=(const barrier_phases&) = delete;
  ~barrier_phases();

  struct arrival {
    std::uint64_t phase;
    bool last;  // the caller runs the completion function, and then `open`
  };
  arrival arrive(std::ptrdiff_t n, std::ptrdiff_t dropped);
  void open() noexcept;
  bool wait(std::uint64_t phase, deadline by, const void* object);
  bool ended(std::uint64_t phase) noexcept;
  void add_waiter(subscription& s, std::uint64_t phase) noexcept;
  void remove_waiter(subscription& s) noexcept;

 private:
  spinlock lock_;
  wait_queue waiters_;
  subscription_list watchers_;
  std::ptrdiff_t expected_;  // in the phases to come
  std::ptrdiff_t left_;      // to arrive in this one
  std::uint64_t phase_ = 0;
};
}  // namespace detail

/// Where a number of fibers meet again and again: each waits until all have arrived; std::barrier for fibers.
///
/// Use it for work in rounds; a `latch` for waiting once.
///
///     weft::barrier round(4, []() noexcept { swap(now, next); });
///     for (...) { step(); round.arrive_and_wait(); }
///
/// To wait for the end of a phase beside other things, give `wait_each` or `select` the token of an arrival:
///
///     auto arrived = round.arrive();
///     weft::select(weft::on(arrived, [&] { ... }), weft::on(stop, [&] { ... }));
///
/// Blocking  `wait` and `arrive_and_wait` suspend until the phase is complete; only the calling fiber sleeps, or a thread
///           without a hub. Who arrives last calls the completion function, which may suspend.
/// Order     The end of a phase wakes all, in the order of their coming.
/// Timeout   Ends the wait, not the arrival: that counts, so the others are not held up. `wait` may be called again.
/// Cancel    As a timeout. The completion function is shielded, because it may not throw.
/// Threads   Safe from fibers of all hubs and from plain threads at once.
/// Lifetime  May be destroyed once those who wait for the last phase have returned. Destroying it while someone waits aborts.
/// Cost      64 bytes. An arrival is a short lock.
template <class CompletionFunction = detail::no_completion>
class barrier {
  static_assert(std::is_nothrow_invocable_v<CompletionFunction&>, "nobody could be given its exception");

 public:
  /// Which phase an arrival belongs to. Waitable: it is ready from the end of that phase on, as long as the barrier lives.
  class arrival_token {
   public:
    arrival_token(arrival_token&&) noexcept = default;
    arrival_token& operator=(arrival_token&&) noexcept = default;

    // What a waitable offers: see waitable.hpp.
    bool ready() const noexcept { return of_->ended(phase_); }
    void add_waiter(detail::subscription& s) const noexcept { of_->add_waiter(s, phase_); }
    void remove_waiter(detail::subscription& s) const noexcept { of_->remove_waiter(s); }

   private:
    friend class barrier;
    arrival_token(detail::barrier_phases& of, std::uint64_t phase) noexcept : of_(&of), phase_(phase) {}
    detail::barrier_phases* of_;
    std::uint64_t phase_;
  };

  static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }

  /// @throws std::system_error  (value_too_large) @p expected is negative
  explicit barrier(std::ptrdiff_t expected, CompletionFunction complete = CompletionFunction())
      : phases_(expected), complete_(std::move(complete)) {}

  /// Arrives @p n times. Suspends only in the completion function.
  /// @throws std::system_error  (value_too_large) @p n is negative or more than the phase still expects; nothing has changed
  [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) { return arrival_token(phases_, count(n, 0)); }
  /// Waits for the end of the phase of @p arrival. @return false if @p by passed first
  /// @throws std::system_error  (operation_not_permitted) @p arrival is another barrier's
  /// @throws cancelled
  bool wait(const arrival_token& arrival, deadline by = deadline::never()) {
    if (arrival.of_ != &phases_) detail::throw_not_owner("weft::barrier::wait");
    return phases_.wait(arrival.phase_, by, this);
  }
  /// `arrive`, then `wait`.
  bool arrive_and_wait(deadline by = deadline::never()) { return wait(arrive(), by); }
  /// Arrives for the last time: later phases expect one less.
  /// @throws std::system_error  (value_too_large) the phase expects nobody any more; nothing has changed
  void arrive_and_drop() { static_cast<void>(count(1, 1)); }

 private:
  std::uint64_t count(std::ptrdiff_t n, std::ptrdiff_t dropped) {
    const auto [phase, last] = phases_.arrive(n, dropped);
    if (last) {
      if constexpr (!std::is_same_v<CompletionFunction, detail::no_completion>) {
        const shield uncancelled;
        complete_();
      }
      phases_.open();
    }
    return phase;
  }

  detail::barrier_phases phases_;
  [[no_unique_address]] CompletionFunction complete_;
};

}  // namespace weft
