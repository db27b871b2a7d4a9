// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"

namespace weft::detail {

/// What a future and its producer share: the phase, the failure, who waits. The value is in `future_value`.
///
/// A producer *claims* the state, fills it in and publishes it: so of two that race one loses before it has touched
/// anything. A task is claimed when it starts to run; until then its future may claim it, which cancels the task.
class future_state {
 public:
  future_state(const future_state&) = delete;
  future_state& operator=(const future_state&) = delete;

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool ready() const noexcept { return phase_.load(std::memory_order_acquire) == phase::ready; }
  /// Once ready: why there is no value; null if there is one.
  const std::exception_ptr& failure() const noexcept { return failure_; }
  /// Waits until it is ready. @return false if @p by passed first. A cancellation point.
  bool wait(deadline by);

  /// Has @p s notified when the state becomes ready; at once if it is.
  void subscribe(subscription& s) noexcept;
  /// Behind it @p s is not notified any more, nor is a notification under way.
  void unsubscribe(subscription& s) noexcept;

  /// Makes the caller the one who fills it. @return false if there is one already
  bool claim() noexcept {
    phase open = phase::open;
    return phase_.compare_exchange_strong(open, phase::claimed, std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  /// Takes a claim back: the value could not be made.
  void unclaim() noexcept { phase_.store(phase::open, std::memory_order_release); }
  /// Claimed and filled in: makes it ready and notifies.
  void publish() noexcept;
  /// Claimed: fills in a failure and publishes it.
  void fail(std::exception_ptr failure) noexcept {
    failure_ = std::move(failure);
    publish();
  }
  /// Fails with std::future_error(broken_promise), unless somebody has claimed it.
  void abandon() noexcept;
  /// Fails with `task_cancelled`, if it belongs to a task that nobody has claimed.
  bool cancel() noexcept;
  /// A promise gives its future away once. @return false the second time
  bool hand_out() noexcept { return !handed_out_.exchange(true, std::memory_order_relaxed); }

 protected:
  explicit future_state(bool is_task) noexcept : is_task_(is_task) {}
  virtual ~future_state();

 private:
  enum class phase : std::uint8_t { open, claimed, ready };

  std::atomic<std::uint32_t> references_{1};
  std::atomic<phase> phase_{phase::open};
  std::atomic<bool> handed_out_{false};
  const bool is_task_;
  spinlock lock_;
  subscription_list waiters_;
  std::exception_ptr failure_;
};

/// In a handler: the exception that is handled; a cancellation of the producer's fiber is told as `task_cancelled`,
/// because who asks for the result is not cancelled by it.
std::exception_ptr failure_to_report() noexcept;

[[noreturn]] void throw_no_state();
[[noreturn]] void throw_timed_out();
[[noreturn]] void throw_already_satisfied();
[[noreturn]] void throw_already_retrieved();

struct nothing {};

/// T, so that a value can be given in braces; for void and references something that nobody has.
class no_value {
  no_value() = delete;
};
template <class T>
using given_value = std::conditional_t<std::is_void_v<T> || std::is_reference_v<T>, no_value, T>;

/// A state with room for a T, a T& or nothing.
template <class T>
class future_value : public future_state {
 public:
  using stored =
      std::conditional_t<std::is_void_v<T>, nothing,
                         std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<std::remove_reference_t<T>>, T>>;

  explicit future_value(bool is_task = false) noexcept : future_state(is_task) {}

  /// Claims it, makes the value and publishes it.
  /// @throws std::future_error if it is claimed; what the making throws
  template <class... From>
  void set(From&&... from) {
    if (!claim()) throw_already_satisfied();
    try {
      make(std::forward<From>(from)...);
    } catch (...) {
      unclaim();
      throw;
    }
    publish();
  }
  /// Claimed: calls @p function, then @p cleanup, and publishes what the function has returned or thrown.
  template <class F, class Cleanup>
  void fill_from(F&& function, Cleanup&& cleanup) noexcept {
    std::exception_ptr thrown;
    try {
      if constexpr (std::is_void_v<T>) {
        std::forward<F>(function)();
        make();
      } else {
        make(std::forward<F>(function)());
      }
    } catch (...) {
      thrown = failure_to_report();
    }
    cleanup();
    if (thrown == nullptr) {
      publish();
    } else {
      fail(std::move(thrown));
    }
  }
  /// Ready: the value, or throws the failure.
  stored& value() {
    if (failure() != nullptr) std::rethrow_exception(failure());
    return *std::launder(reinterpret_cast<stored*>(&place_));
  }

 protected:
  ~future_value() override {
    if (filled_) std::destroy_at(std::launder(reinterpret_cast<stored*>(&place_)));
  }

 private:
  template <class... From>
  void make(From&&... from) {
    if constexpr (std::is_reference_v<T>) {
      new (&place_) stored(std::addressof(from)...);
    } else {
      new (&place_) stored(std::forward<From>(from)...);
    }
    filled_ = true;
  }

  alignas(stored) unsigned char place_[sizeof(stored)];
  bool filled_ = false;
};

/// A counted reference to a state.
template <class State>
class state_ptr {
 public:
  state_ptr() noexcept = default;
  /// Takes over one reference.
  explicit state_ptr(State* state) noexcept : state_(state) {}
  state_ptr(const state_ptr& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->retain();
  }
  template <class Derived>
  // NOLINTNEXTLINE(google-explicit-constructor)
  state_ptr(const state_ptr<Derived>& other) noexcept : state_(other.get()) {
    if (state_ != nullptr) state_->retain();
  }
  state_ptr(state_ptr&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  state_ptr& operator=(state_ptr other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~state_ptr() {
    if (state_ != nullptr) state_->release();
  }
  State* get() const noexcept { return state_; }
  /// @throws std::future_error(no_state)
  State* checked() const {
    if (state_ == nullptr) throw_no_state();
    return state_;
  }
  State* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  State* state_ = nullptr;
};

}  // namespace weft::detail
