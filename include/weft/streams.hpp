// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/stream.hpp"
#include "weft/this_fiber.hpp"

/// What streams are made of: ranges, channels, functions and the clock. Each of these is a `weft::stream`; see stream.hpp.
///
/// Cancel    A run that waits in one of these is at a cancellation point.
namespace weft::streams {

namespace from_detail {
// A channel and a subscription are received from, a queue is popped.
template <class S>
auto take(S& source, deadline by) requires requires {
  source.receive(by);
}
{ return source.receive(by); }
template <class S>
auto take(S& source, deadline by) requires requires {
  source.pop(by);
}
{ return source.pop(by); }
}  // namespace from_detail

/// What values can be taken from until it is closed and empty: channels, queues, subscriptions of a broadcast.
template <class S>
concept source_of_values = requires(S& source) {
  from_detail::take(source, deadline::never());
  { source.closed() && source.empty() } -> std::same_as<bool>;
};

/// What is taken from @p source until that is closed and empty. Runs at the same time share the values. A subscription may be
/// moved into the stream; everything else outlives its runs.
template <source_of_values S>
auto from(S&& source) {
  using whole = std::remove_cvref_t<S>;
  using value = typename whole::value_type;
  // A pointer of either kind to what is taken from.
  auto at = [&] {
    if constexpr (std::is_lvalue_reference_v<S>) {
      return std::addressof(source);
    } else {
      return std::make_shared<whole>(std::forward<S>(source));
    }
  }();
  return detail::stream_of<value>([at] {
    return [at](std::optional<value>& out, deadline by) {
      if (auto taken = from_detail::take(*at, by)) {
        out.emplace(std::move(*taken));
        return detail::pulled::value;
      }
      return at->closed() && at->empty() ? detail::pulled::end : detail::pulled::late;
    };
  });
}

/// The elements of @p range, which is moved or copied into the stream. If it can be passed over again (a
/// std::ranges::forward_range of copyable elements) each run has copies of all; if not, there is one run, and a second one
/// throws std::logic_error.
template <std::ranges::input_range R>
requires(!source_of_values<R> &&
         (!std::is_lvalue_reference_v<R> || std::copy_constructible<std::remove_cvref_t<R>>)) auto from(R&& range) {
  using whole = std::remove_cvref_t<R>;
  using value = std::ranges::range_value_t<whole>;
  struct source {
    whole range;
    bool used = false;
  };
  auto shared = std::make_shared<source>(source{std::forward<R>(range)});
  return detail::stream_of<value>([shared] {
    constexpr bool again = std::ranges::forward_range<whole> && std::copy_constructible<value>;
    if (!again && std::exchange(shared->used, true))
      throw std::logic_error("weft::streams::from: only one run is possible");
    return
        [shared, at = std::ranges::begin(shared->range), begun = false](std::optional<value>& out, deadline) mutable {
          // Not behind a value: stepping on may wait, and the next value may not be wanted.
          if (begun) ++at;
          begun = at != std::ranges::end(shared->range);
          if (!begun) return detail::pulled::end;
          if constexpr (again) {
            out.emplace(*at);
          } else {
            out.emplace(std::ranges::iter_move(at));
          }
          return detail::pulled::value;
        };
  });
}

/// What @p next returns, a std::optional, until that is empty. All runs call the same object.
template <std::invocable F>
auto generate(F next) {
  using value = typename std::invoke_result_t<F&>::value_type;
  return detail::stream_of<value>([shared = std::make_shared<F>(std::move(next))] {
    return [shared](std::optional<value>& out, deadline) {
      if (auto made = std::invoke(*shared)) out.emplace(std::move(*made));
      return out.has_value() ? detail::pulled::value : detail::pulled::end;
    };
  });
}

/// What @p body, a function that is called with an `emit`, gives to `emit(value)`: for sources that push. Each run calls it in a
/// fiber of its own, at most @p ahead values ahead of the consumer: `emit` waits. The stream ends when it returns.
///
///     weft::streams::create<int>([](auto& emit) { for (int i = 0;; ++i) emit(i); })
template <class T, class F>
stream<T> create(F body, std::size_t ahead = 0) {
  return detail::stream_of<T>([shared = std::make_shared<F>(std::move(body)), ahead] {
    return detail::pump_run<T>(ahead, [&](detail::pump<T>& values) {
      values.start([&values, shared] {
        auto emit = [&values](T value) { values.send(std::move(value)); };
        std::invoke(*shared, emit);
      });
    });
  });
}

/// The stream that @p make returns, made anew for each run.
template <std::invocable F>
auto defer(F make) {
  using made = std::invoke_result_t<F&>;
  return made([shared = std::make_shared<F>(std::move(make))] { return std::invoke(*shared).begin_run(); });
}

/// 0, 1, 2 and so on, one each @p period, the first after one. Who asks too late misses what was due in between.
/// @throws std::invalid_argument  @p period is 0 or less
inline stream<std::uint64_t> interval(deadline::clock::duration period) {
  detail::check_period(period);
  return detail::stream_of<std::uint64_t>([period] {
    return [start = deadline::clock::now(), period, next = std::uint64_t{0}](std::optional<std::uint64_t>& out,
                                                                             deadline by) mutable {
      const auto elapsed = static_cast<std::uint64_t>((deadline::clock::now() - start) / period);
      if (elapsed > next + 1) next = elapsed - 1;
      const deadline due = start + static_cast<deadline::clock::rep>(next + 1) * period;
      this_fiber::sleep_until(detail::earlier(by, due));
      if (!detail::has_passed(due)) return detail::pulled::late;
      out.emplace(next++);
      return detail::pulled::value;
    };
  });
}

/// No value at all.
template <class T>
stream<T> empty() {
  return detail::stream_of<T>([] { return [](std::optional<T>&, deadline) { return detail::pulled::end; }; });
}

/// No value and no end.
template <class T>
stream<T> never() {
  return detail::stream_of<T>([] {
    return [](std::optional<T>&, deadline by) {
      this_fiber::sleep_until(by);
      return detail::pulled::late;
    };
  });
}

/// Fails at once with @p error.
template <class T>
stream<T> fail(std::exception_ptr error) {
  return detail::stream_of<T>([error = std::move(error)] {
    return [error](std::optional<T>&, deadline) -> detail::pulled { std::rethrow_exception(error); };
  });
}

}  // namespace weft::streams
