// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/continuation.hpp"
#include "weft/detail/future_state.hpp"
#include "weft/task_cancelled.hpp"

namespace weft {

template <class T>
class future;
template <class T>
class shared_future;

/// The one result of something that runs elsewhere, as std::future, for fibers; from a `promise`, an executor, `then`.
///
/// Use it when the result is asked for once; for several askers `share()` it, for a fiber's own result keep its `task`,
/// for more than one value take a `channel`. `when_all` and `when_any` (when.hpp) combine futures, `co_await` takes them
/// (coroutine.hpp), `wait`, `as_completed` and `select` wait for several.
///
///     weft::promise<int> answer;
///     weft::future<int> asked = answer.get_future();
///     weft::spawn([p = std::move(answer)]() mutable { p.set_value(42); });
///     weft::future<int> more = std::move(asked).then([](weft::future<int> f) { return f.get() + 1; });
///
/// Blocking  `get` and `wait`, until it is ready. Only the calling fiber sleeps; a thread without a hub sleeps itself.
/// Order     Waiters are woken, and continuations started, in the order they came.
/// Timeout   `wait` says false, `get` throws std::system_error(errc::timed_out), and the future is as it was.
/// Cancel    `get` and `wait` are cancellation points. A cancelled `get` took nothing: the future is still valid.
/// Threads   One future is for one thread at a time; its promise, and a shared_future's other copies, for any other.
/// Lifetime  The result lives until promise and future are gone. A promise that goes without a result leaves
///           std::future_error(broken_promise).
/// Cost      One allocation, which promise and future share.
template <class T>
class future {
 public:
  using value_type = T;

  future() noexcept = default;

  /// Whether it has a result to wait for. What else is called on one that has not throws std::future_error(no_state).
  bool valid() const noexcept { return static_cast<bool>(state_); }
  /// Whether the result is there; false without one to wait for.
  bool ready() const noexcept { return valid() && state_->ready(); }

  /// Waits until the result is there. @return false if @p by passed first
  bool wait(deadline by = deadline::never()) const { return state_.checked()->wait(by); }

  /// Waits, then moves the value out (a T& stays one) or throws what the producer failed with; behind it not valid.
  /// @throws std::system_error  errc::timed_out: @p by passed first, and the future is as it was
  T get(deadline by = deadline::never()) {
    if (!wait(by)) detail::throw_timed_out();
    const detail::state_ptr<detail::future_value<T>> state = std::move(state_);
    if constexpr (std::is_void_v<T>) {
      state->value();
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*state->value());
    } else {
      return std::move(state->value());
    }
  }

  /// Once ready: what the producer failed with; null if there is a value, or if it is not ready.
  std::exception_ptr exception() const { return ready() ? state_->failure() : nullptr; }

  /// Cancels the task of an executor that has not begun to run: the future then holds `task_cancelled`.
  /// @return false if it has begun, or if this future is no task's
  bool cancel() const { return state_.checked()->cancel(); }

  /// Gives the result to a future that can be copied; behind it not valid. Of one that is not valid, one that is not either.
  shared_future<T> share() { return shared_future<T>(std::move(*this)); }

  /// Once ready, calls @p function with this future in a fiber of its own, on the hub of the caller of `then` (which is
  /// made if it has none). Behind it not valid. In a patched process too that fiber is a light one (patch.hpp): to wait in it by a
  /// library's call, spawn a fiber that calls `get` instead.
  /// @return the future of what @p function returns; if that is a future, of its result. It holds what @p function throws, of an
  ///         empty one std::bad_function_call; and std::future_error(no_state) if the future it returns is not valid
  template <class F>
  future<detail::continuation_result<future, F>> then(F&& function) {
    state_.checked();
    return detail::continue_with(std::move(*this), std::forward<F>(function));
  }

  // What a waitable offers: see waitable.hpp.
  void add_waiter(detail::subscription& s) const { state_.checked()->subscribe(s); }
  void remove_waiter(detail::subscription& s) const noexcept {
    if (valid()) state_->unsubscribe(s);
  }

  // For producers, and for those who wait for many.
  explicit future(detail::state_ptr<detail::future_value<T>> state) noexcept : state_(std::move(state)) {}
  detail::state_ptr<detail::future_state> state() const noexcept { return state_; }

 private:
  detail::state_ptr<detail::future_value<T>> state_;
  friend class shared_future<T>;
};

/// A result that any number may ask for: each through a copy of its own.
///
/// As `future`, but `get` leaves the value where it is, and `then` leaves the future valid.
///
/// Lifetime  The reference that `get` gives is good while any copy lives.
template <class T>
class shared_future {
 public:
  using value_type = T;
  using reference =
      std::conditional_t<std::is_void_v<T> || std::is_reference_v<T>, T, std::add_lvalue_reference_t<const T>>;

  shared_future() noexcept = default;
  // Not explicit, as in std: share() is this conversion.
  // NOLINTNEXTLINE(google-explicit-constructor)
  shared_future(future<T>&& other) noexcept : state_(std::move(other.state_)) {}

  bool valid() const noexcept { return static_cast<bool>(state_); }
  bool ready() const noexcept { return valid() && state_->ready(); }
  bool wait(deadline by = deadline::never()) const { return state_.checked()->wait(by); }
  /// Waits, then gives the value or throws what the producer failed with, each time.
  reference get(deadline by = deadline::never()) const {
    if (!wait(by)) detail::throw_timed_out();
    if constexpr (std::is_void_v<T>) {
      state_->value();
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*state_->value());
    } else {
      return state_->value();
    }
  }
  std::exception_ptr exception() const { return ready() ? state_->failure() : nullptr; }
  bool cancel() const { return state_.checked()->cancel(); }
  /// As future's, with a copy of this.
  template <class F>
  future<detail::continuation_result<shared_future, F>> then(F&& function) const {
    state_.checked();
    return detail::continue_with(*this, std::forward<F>(function));
  }

  void add_waiter(detail::subscription& s) const { state_.checked()->subscribe(s); }
  void remove_waiter(detail::subscription& s) const noexcept {
    if (valid()) state_->unsubscribe(s);
  }
  detail::state_ptr<detail::future_state> state() const noexcept { return state_; }

 private:
  detail::state_ptr<detail::future_value<T>> state_;
};

/// The producer's end of a future, as std::promise. For what runs in a fiber `spawn` and the executors make one anyway.
///
/// Blocking  Nothing here.
/// Threads   As future; of several that give a result at once through copies of a pointer, one succeeds.
/// Lifetime  Destroyed without a result it leaves std::future_error(broken_promise). It may be destroyed as soon as the
///           future is ready, even while `set_value` has not returned.
template <class T>
class promise {
 public:
  promise() : state_(new detail::future_value<T>) {}
  promise(promise&& other) noexcept = default;
  promise& operator=(promise&& other) noexcept {
    promise(std::move(other)).swap(*this);
    return *this;
  }
  ~promise() {
    if (state_) state_->abandon();
  }
  void swap(promise& other) noexcept { std::swap(state_, other.state_); }

  /// @throws std::future_error  future_already_retrieved the second time; no_state if moved from, as all below
  future<T> get_future() {
    if (!state_.checked()->hand_out()) detail::throw_already_retrieved();
    return future<T>(state_);
  }

  /// Gives the result: a value to move or copy in, a reference for T&, nothing for void.
  /// @throws std::future_error(promise_already_satisfied); what making the value throws, and the promise stays open
  template <class... From>
  void set_value(From&&... from) requires(std::is_void_v<T> ? sizeof...(From) == 0 : sizeof...(From) == 1) {
    // A copy: the future's owner may destroy this promise before the call has ended.
    const detail::state_ptr<detail::future_value<T>> state = state_;
    state.checked()->set(std::forward<From>(from)...);
  }
  void set_value(detail::given_value<T>&& value) {
    const detail::state_ptr<detail::future_value<T>> state = state_;
    state.checked()->set(std::move(value));
  }

  /// Gives a failure as the result. A null pointer is a misuse: the future then holds std::future_error(broken_promise).
  void set_exception(std::exception_ptr failure) {
    const detail::state_ptr<detail::future_value<T>> state = state_;
    if (failure == nullptr) return state.checked()->abandon();
    if (!state.checked()->claim()) detail::throw_already_satisfied();
    state->fail(std::move(failure));
  }

 private:
  detail::state_ptr<detail::future_value<T>> state_;
};

/// A future that is ready.
template <class T>
future<std::decay_t<T>> make_ready_future(T&& value) {
  detail::state_ptr<detail::future_value<std::decay_t<T>>> state(new detail::future_value<std::decay_t<T>>);
  state->set(std::forward<T>(value));
  return future<std::decay_t<T>>(std::move(state));
}
inline future<void> make_ready_future() {
  detail::state_ptr<detail::future_value<void>> state(new detail::future_value<void>);
  state->set();
  return future<void>(std::move(state));
}
/// A future that has failed. A null pointer: as promise::set_exception.
template <class T>
future<T> make_exceptional_future(std::exception_ptr failure) {
  promise<T> p;
  p.set_exception(std::move(failure));
  return p.get_future();
}
template <class T, class E>
future<T> make_exceptional_future(E failure) requires(!std::is_same_v<E, std::exception_ptr>) {
  return make_exceptional_future<T>(std::make_exception_ptr(std::move(failure)));
}

namespace detail {

/// What a call with a deadline gives, after a wait for @p result that ended in time or not: an optional (of a reference a
/// std::reference_wrapper), of void a bool.
template <class T>
auto get_if(bool ready, future<T>& result) {
  if constexpr (std::is_void_v<T>) {
    if (ready) result.get();
    return ready;
  } else {
    using value = std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>;
    return ready ? std::optional<value>(result.get()) : std::nullopt;
  }
}

}  // namespace detail
}  // namespace weft
