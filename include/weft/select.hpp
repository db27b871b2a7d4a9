// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/select_case.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/waitable.hpp"

namespace weft {

namespace detail {

template <class T>
class receive_case : public channel_case {
 public:
  explicit receive_case(channel<T>& from) noexcept : from_(from) { waiter.slot = &value; }

  bool attempt() final {
    const auto now = from_.take(value);
    if (now == channel<T>::outcome::wait) from_.guard.unlock();
    return now != channel<T>::outcome::wait;
  }
  bool attempt_held(waker& wake) noexcept final {
    return from_.take_held(value, wake, emptied_) != channel<T>::outcome::wait;
  }
  void enter() noexcept final { from_.receivers.push(waiter); }
  wait_queue& queue() noexcept final { return from_.receivers; }
  spinlock& lock() noexcept final { return from_.guard; }

 protected:
  ~receive_case() { delete emptied_; }
  // What was received. Behind it the case may be used again.
  std::optional<T> received() noexcept {
    delete std::exchange(emptied_, nullptr);
    std::optional<T> out(std::move(value));
    value.reset();
    return out;
  }
  std::optional<T> value;

 private:
  channel<T>& from_;
  typename channel<T>::block* emptied_ = nullptr;
};

template <class T>
class send_case : public channel_case {
 public:
  send_case(channel<T>& to, T* value) noexcept : to_(to) { waiter.slot = value; }

  bool attempt() final {
    const auto now = to_.give(*static_cast<T*>(waiter.slot));
    if (now == channel<T>::outcome::wait) to_.guard.unlock();
    waiter.served = now == channel<T>::outcome::done;
    return now != channel<T>::outcome::wait;
  }
  bool attempt_held(waker& wake) noexcept final {
    const auto now = to_.give_held(*static_cast<T*>(waiter.slot), wake);
    waiter.served = now == channel<T>::outcome::done;
    // An unbounded channel, which may ask for memory, was served or found closed before any wait.
    return now == channel<T>::outcome::done || now == channel<T>::outcome::closed;
  }
  void enter() noexcept final {
    to_.senders.push(waiter);
    // Not this select's own `on` of the channel: it would never sleep.
    to_.watchers.notify_others(waiter.who.target);
  }
  wait_queue& queue() noexcept final { return to_.senders; }
  spinlock& lock() noexcept final { return to_.guard; }

 protected:
  ~send_case() = default;

 private:
  channel<T>& to_;
};

template <waitable W>
class waiting_case : public object_case {
 public:
  void subscribe(subscription& s) final { target.add_waiter(s); }
  void unsubscribe(subscription& s) noexcept final { target.remove_waiter(s); }

 protected:
  explicit waiting_case(W& object) noexcept : target(object) {}
  ~waiting_case() = default;
  W& target;
};

}  // namespace detail

/// A case of `select`: take the oldest value of @p from. @p then is called with a std::optional<T>, which is empty if the
/// channel is closed and drained: such a case is always ready, so a loop leaves it out from then on.
template <class T, class F>
class on_receive final : public detail::receive_case<T> {
 public:
  on_receive(channel<T>& from, F then) : detail::receive_case<T>(from), then_(std::move(then)) {}
  void run() override { std::invoke(then_, this->received()); }

 private:
  F then_;
};
template <class T, class F>
on_receive(channel<T>&, F) -> on_receive<T, F>;

/// A case of `select`: give @p value to @p to. @p then is called with whether it was sent; false means that the channel is
/// closed. A `T&&` stays the caller's, untouched, unless it was sent.
template <class T, class F>
class on_send final : public detail::send_case<T> {
 public:
  on_send(channel<T>& to, T&& value, F then)
      : detail::send_case<T>(to, std::addressof(value)), then_(std::move(then)) {}
  on_send(channel<T>& to, const T& value, F then) requires std::is_copy_constructible_v<T>
      : detail::send_case<T>(to, nullptr), copy_(value), then_(std::move(then)) {
    this->waiter.slot = std::addressof(*copy_);
  }
  void run() override { std::invoke(then_, this->waiter.served); }

 private:
  std::optional<T> copy_;
  F then_;
};
template <class T, class F>
on_send(channel<T>&, std::type_identity_t<T>&&, F) -> on_send<T, F>;
template <class T, class F>
on_send(channel<T>&, const std::type_identity_t<T>&, F) -> on_send<T, F>;

/// A case of `select`: @p object is ready, whatever is waitable: an event, a fiber, a future, a descriptor (readiness.hpp).
/// @p then is called with the object, or without an argument. Nothing is taken: what a future holds is for @p then to `get`.
/// A channel that an `on_send` of the same select waits on is made ready by other senders alone.
template <waitable W, class F>
class on final : public detail::waiting_case<W> {
 public:
  on(W& object, F then) : detail::waiting_case<W>(object), then_(std::move(then)) {}
  bool attempt() override { return this->target.ready(); }
  void run() override {
    if constexpr (std::is_invocable_v<F&, W&>) {
      std::invoke(then_, this->target);
    } else {
      std::invoke(then_);
    }
  }

 private:
  F then_;
};

/// A case of `select`: take a unit of a semaphore.
template <waitable S, class F>
requires requires(S& s) {
  { s.try_acquire() } -> std::same_as<bool>;
}
class on_acquire final : public detail::waiting_case<S> {
 public:
  on_acquire(S& from, F then) : detail::waiting_case<S>(from), then_(std::move(then)) {}
  bool attempt() override { return this->target.try_acquire(); }
  void run() override { std::invoke(then_); }

 private:
  F then_;
};

/// A case of `select`: take the next value of a `queue` or one of its siblings. @p then is called as `on_receive`'s.
template <waitable Q, class F>
requires requires(Q& q) { q.try_pop(); }
class on_pop final : public detail::waiting_case<Q> {
 public:
  on_pop(Q& from, F then) : detail::waiting_case<Q>(from), then_(std::move(then)) {}
  bool attempt() override {
    const bool last_chance = this->target.closed();
    value_ = this->target.try_pop();
    return value_.has_value() || last_chance;
  }
  void run() override { std::invoke(then_, std::move(value_)); }

 private:
  decltype(std::declval<Q&>().try_pop()) value_;
  F then_;
};

/// A case of `select`: the clock shows @p due. A duration counts from the moment this is made; to let a timer run over
/// several calls make its deadline before the loop.
template <class F>
class on_timeout final : public detail::timer_case {
 public:
  on_timeout(deadline due, F then) : timer_case(due), then_(std::move(then)) {}
  void run() override { std::invoke(then_); }

 private:
  F then_;
};

/// A case of `select` that is done if no other needs no wait: the select then never waits. Of several any one is done.
template <class F>
class otherwise final : public select_case {
 public:
  explicit otherwise(F then) : select_case(kind::otherwise), then_(std::move(then)) {}
  bool attempt() override { return false; }
  void run() override { std::invoke(then_); }

 private:
  F then_;
};

/// Whether T is a case of `select`.
template <class T>
concept selectable = std::derived_from<std::remove_cvref_t<T>, select_case>;

namespace detail {
template <class... Args>
constexpr bool are_cases() {
  // All but the last are cases; the last is one, or a deadline.
  std::size_t cases = 0;
  ((cases += selectable<Args> ? 1 : 0), ...);
  using last = std::tuple_element_t<sizeof...(Args) - 1, std::tuple<Args...>>;
  return cases == sizeof...(Args) ||
         (cases + 1 == sizeof...(Args) && !selectable<last> && std::convertible_to<last, deadline>);
}
}  // namespace detail

/// Waits until one of several sends, receives, objects and timers is possible, and does that one and no other.
///
/// To wait for several things to be done, all or the first of them, without doing anything with them, use `wait`.
///
///     weft::select(weft::on_receive(jobs, [&](std::optional<job> j) { ... }),
///                  weft::on_send(results, std::move(last), [&](bool sent) { ... }),
///                  weft::on(stopping, [&] { ... }),
///                  weft::on_timeout(1s, [&] { ... }));
///
/// The arguments are cases, and behind them, if wanted, a deadline. What a case was given runs when all is decided: it may
/// wait, throw, and select itself. With an `otherwise` among the cases nothing ever waits.
///
/// Blocking  Suspends until a case can be done. Only the calling fiber sleeps; without a hub the thread itself.
/// Order     Fair: among those that can be done at once each is as likely as the others. Who waits in a channel's queue
///           stands there like a plain sender or receiver and is served in turn. Several selects may meet on a channel.
///           Of other objects it is told, and then tries: somebody may be faster, and it waits on.
/// Timeout   @return the index of the case that was done, or nothing when the deadline passed first. A passed deadline
///           still lets a case be done that needs no wait.
/// Cancel    A cancellation point when it waits. If it throws, no case was done.
/// Threads   Safe from any fiber of any thread.
/// Lifetime  The channels and objects outlive the call, and a value given as T&& too (so an `on_send` that has a name is given
///           one that has, or a copy). A case is used by one call at a time; once
///           that has returned it may be used again, where an `on_send` gives what a move has left of its value.
/// Errors    What an object throws that cannot be waited for (a future without a promise), before anything is done; what the
///           function of the case that was done throws, an empty one std::bad_function_call: the value is gone then.
/// Cost      No allocation. Looks at each case once; if none is possible, once more, with the locks of all its channels held
///           for a few instructions each. See bench/channel_bench.cpp.
template <class... Args>
requires(sizeof...(Args) > 0 && detail::are_cases<Args...>()) std::optional<std::size_t> select(Args&&... args) {
  constexpr std::size_t count = (std::size_t{selectable<Args>} + ...);
  std::array<select_case*, count> cases;
  deadline by;
  std::size_t at = 0;
  const auto sort = [&](auto&& arg) {
    if constexpr (selectable<decltype(arg)>) {
      cases[at++] = std::addressof(arg);
    } else {
      by = arg;
    }
  };
  (sort(std::forward<Args>(args)), ...);
  return detail::select_one(cases, by);
}

/// The same for a number of cases that is known at run time only; without any it waits for @p by. Reorders @p cases.
/// @throws std::invalid_argument  a pointer is null, or stands there twice; nothing was done
inline std::optional<std::size_t> select(std::span<select_case*> cases, deadline by = deadline::never()) {
  return detail::select_one(cases, by);
}

}  // namespace weft
