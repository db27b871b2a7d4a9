// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/detail/continuation.hpp"
#include "weft/future.hpp"

namespace weft {

/// What the future of `when_any` holds: all futures it was given, and which of them was seen ready first.
template <class Sequence>
struct when_any_result {
  std::size_t index = std::numeric_limits<std::size_t>::max();  ///< the largest value: it was given none
  Sequence futures;
};

namespace detail {

struct when_waiter : subscription {
  void* owner = nullptr;
};

// The futures of a `when_...` and a subscription to each. The fiber that it starts fills in the result.
template <class Sequence>
struct when_base {
  when_base(Sequence&& from, std::size_t count, std::size_t openings)
      : start(openings), futures(std::move(from)), waiters(new when_waiter[count]) {}

  template <class F>
  void each(F&& function) {
    std::size_t index = 0;
    if constexpr (std::ranges::range<Sequence>) {
      for (auto& one : futures) function(one, index++);
    } else {
      std::apply([&](auto&... one) { (function(one, index++), ...); }, futures);
    }
  }
  template <class Body>
  void subscribe_all(Body* body, void (*notify)(subscription&) noexcept) {
    each([&](auto& one, std::size_t at) {
      waiters[at].owner = body;
      waiters[at].notify = notify;
      one.add_waiter(waiters[at]);
    });
  }

  gate start;
  Sequence futures;
  std::unique_ptr<when_waiter[]> waiters;
};

template <class Sequence>
struct when_all_body : when_base<Sequence> {
  using result = Sequence;
  when_all_body(Sequence&& from, std::size_t count, const state_ptr<future_value<result>>& to)
      : when_base<Sequence>(std::move(from), count, count + 1), state(to) {}
  void subscribe() {
    this->subscribe_all(this, [](subscription& s) noexcept {
      static_cast<when_all_body*>(static_cast<when_waiter&>(s).owner)->start.open();
    });
    this->start.open();
  }
  void operator()() {
    if (state->claim()) state->fill_from([this]() -> Sequence&& { return std::move(this->futures); }, [] {});
  }
  state_ptr<future_value<result>> state;
};

template <class Sequence>
struct when_any_body : when_base<Sequence> {
  using result = when_any_result<Sequence>;
  // It starts when one is ready and the subscribing is over.
  when_any_body(Sequence&& from, std::size_t count, const state_ptr<future_value<result>>& to)
      : when_base<Sequence>(std::move(from), count, 2), state(to), none(count == 0) {}
  void subscribe() {
    this->subscribe_all(this, [](subscription& s) noexcept {
      const auto& waiter = static_cast<when_waiter&>(s);
      auto& body = *static_cast<when_any_body*>(waiter.owner);
      std::size_t nobody = no_index;
      const auto index = static_cast<std::size_t>(&waiter - body.waiters.get());
      if (body.first.compare_exchange_strong(nobody, index, std::memory_order_relaxed)) body.start.open();
    });
    if (none) this->start.open();
    this->start.open();
  }
  void operator()() {
    this->each([this](auto& one, std::size_t at) { one.remove_waiter(this->waiters[at]); });
    if (!state->claim()) return;
    state->fill_from([this] { return result{first.load(std::memory_order_relaxed), std::move(this->futures)}; }, [] {});
  }
  static constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();
  state_ptr<future_value<result>> state;
  std::atomic<std::size_t> first{no_index};
  const bool none;
};

template <template <class> class Body, class Sequence>
auto when(Sequence sequence, std::size_t count) {
  using result = typename Body<Sequence>::result;
  state_ptr<future_value<result>> state(new future_value<result>(/*is_task=*/true));
  make_deferred<Body<Sequence>>(std::move(sequence), count, state).subscribe();
  return future<result>(std::move(state));
}

template <class T>
inline constexpr bool is_some_future = false;
template <class T>
inline constexpr bool is_some_future<future<T>> = true;
template <class T>
inline constexpr bool is_some_future<shared_future<T>> = true;

template <class Range>
auto to_vector(Range&& range) {
  std::vector<std::ranges::range_value_t<Range>> all;
  for (auto&& one : range) {
    static_cast<void>(std::as_const(one).valid() || (throw_no_state(), false));
    if constexpr (std::is_lvalue_reference_v<Range> &&
                  std::is_copy_constructible_v<std::ranges::range_value_t<Range>>) {
      all.push_back(one);
    } else {
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace detail

/// The future of all of these futures: ready, and holding them, once each of them is ready, be it with a failure.
///
/// Use `scope` to start work and wait for it; to get results one by one as they come use `as_completed`.
///
///     auto [a, b] = weft::when_all(fetch(one), fetch(other)).get();   // a and b are ready futures
///
/// Blocking  Nothing here waits. A thread without a hub gets one, for the fiber that puts the result together.
/// Order     The futures stand in the result as they were given.
/// Cancel    `cancel()` of the result gives up the waiting alone: the futures go when what was waited for has come.
/// Lifetime  Futures are moved in, shared ones copied; of a range that is an lvalue too.
/// Cost      One fiber's closure, which gets a stack when the last is ready, and a few words for each future.
/// @throws std::future_error(no_state)  one is not valid. The others are still the caller's; but of a range those that stood before
///         it are gone if they were moved in
template <class... Futures>
requires(detail::is_some_future<std::decay_t<Futures>>&&...) auto when_all(Futures&&... futures) {
  (static_cast<void>(futures.valid() || (detail::throw_no_state(), false)), ...);
  return detail::when<detail::when_all_body>(std::tuple<std::decay_t<Futures>...>(std::forward<Futures>(futures)...),
                                             sizeof...(Futures));
}
/// The same for a range of futures; the result is a vector.
template <std::ranges::input_range Range>
auto when_all(Range&& range) {
  auto all = detail::to_vector(std::forward<Range>(range));
  const std::size_t count = all.size();
  return detail::when<detail::when_all_body>(std::move(all), count);
}

/// The future of the first of these futures: ready, and holding them all, once one of them is ready. As `when_all`
/// otherwise; of none it is ready at once.
template <class... Futures>
requires(detail::is_some_future<std::decay_t<Futures>>&&...) auto when_any(Futures&&... futures) {
  (static_cast<void>(futures.valid() || (detail::throw_no_state(), false)), ...);
  return detail::when<detail::when_any_body>(std::tuple<std::decay_t<Futures>...>(std::forward<Futures>(futures)...),
                                             sizeof...(Futures));
}
template <std::ranges::input_range Range>
auto when_any(Range&& range) {
  auto all = detail::to_vector(std::forward<Range>(range));
  const std::size_t count = all.size();
  return detail::when<detail::when_any_body>(std::move(all), count);
}

}  // namespace weft
