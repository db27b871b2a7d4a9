// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/cancelled.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/this_fiber.hpp"
#include "weft/timeout.hpp"

// Stages of stream.hpp that stop, go on with something else, or put streams together, all in the consumer's fiber.
namespace weft::detail {

/// What the calling fiber is being told, and no failure of a stream. To be called in a handler: throws such on.
inline void pass_cancellation() {
  try {
    throw;
  } catch (const cancelled&) {
    throw;
  } catch (const weft::timeout_expired&) {
    throw;
  } catch (...) {  // an error
  }
}

/// A stream whose runs are made by @p make, a function object that returns the pull of one run.
template <class T, class F>
stream<T> stream_of(F make) {
  return stream<T>([make = std::move(make)] { return make_stage<T>(make()); });
}

template <class T>
stream<T> concat(stream<T> first, stream<T> second) {
  return stream_of<T>([first = std::move(first), second = std::move(second)] {
    return [from = upstream<T>(first.begin_run()), second, last = false](std::optional<T>& out, deadline by) mutable {
      for (;;) {
        const pulled got = from.pull(out, by);
        if (got != pulled::end || last) return got;
        last = true;
        from = upstream<T>(second.begin_run());
      }
    };
  });
}

template <class T>
stream<T> start_with(stream<T> source, std::vector<T> first) {
  return stream_of<T>([source = std::move(source), first = std::move(first)] {
    return [from = upstream<T>(source.begin_run()), first, given = std::size_t{0}](std::optional<T>& out,
                                                                                   deadline by) mutable {
      if (given == first.size()) return from.pull(out, by);
      out.emplace(std::move(first[given++]));
      return pulled::value;
    };
  });
}

template <class T>
stream<T> repeat(stream<T> source, std::size_t times) {
  return stream_of<T>([source = std::move(source), times] {
    return [source, left = times, from = upstream<T>(nullptr)](std::optional<T>& out, deadline by) mutable {
      for (;;) {
        const pulled got = from.pull(out, by);
        if (got != pulled::end || left == 0) return got;
        --left;
        from = upstream<T>(source.begin_run());
      }
    };
  });
}

template <class T, class U>
stream<std::pair<T, U>> zip(stream<T> left, stream<U> right) {
  return stream_of<std::pair<T, U>>([left = std::move(left), right = std::move(right)] {
    return [a = upstream<T>(left.begin_run()), b = upstream<U>(right.begin_run()), kept = std::optional<T>()](
               std::optional<std::pair<T, U>>& out, deadline by) mutable {
      pulled got = pulled::value;
      if (!kept.has_value()) got = a.pull(kept, by);
      std::optional<U> other;
      if (got == pulled::value) got = b.pull(other, by);
      if (got == pulled::value) {
        out.emplace(std::move(*kept), std::move(*other));
        kept.reset();
      }
      return got;
    };
  });
}

/// Throws std::invalid_argument.
[[noreturn]] inline void refuse_count() { throw std::invalid_argument("weft::stream: a count of 0"); }

/// Throws std::invalid_argument unless @p period is a positive one: others come as often as one asks, for ever.
inline void check_period(deadline::clock::duration period) {
  if (period <= period.zero()) throw std::invalid_argument("weft::stream: a period of 0 or less");
}

// What the streams of one window run share: the source, and how far the present one has come.
template <class T>
struct window_state {
  explicit window_state(run_of<T> run) noexcept : from(std::move(run)) {}

  pulled next(std::optional<T>& out, deadline by) {
    if (!first.has_value() && has_passed(close_at)) left = 0;
    if (left == 0) return pulled::end;
    pulled got = pulled::value;
    if (first.has_value()) {
      out.emplace(std::move(*first));
      first.reset();
    } else {
      got = from.pull(out, earlier(by, close_at));
    }
    if (got == pulled::value) --left;
    if (got != pulled::late || !has_passed(close_at)) return got;
    left = 0;
    return pulled::end;
  }

  upstream<T> from;
  std::optional<T> first;
  std::size_t left = 0;
  std::size_t number = 0;  // of the present window: older ones have ended
  deadline close_at;
};

template <class T>
stream<stream<T>> window(stream<T> source, std::size_t count, deadline::clock::duration span) {
  if (count == 0) refuse_count();
  return stream_of<stream<T>>([source = std::move(source), count, span] {
    return [state = std::make_shared<window_state<T>>(source.begin_run()), count, span](std::optional<stream<T>>& out,
                                                                                        deadline by) {
      for (drops skipped; state->left != 0;) {
        std::optional<T> value;
        const pulled got = state->next(value, by);
        if (got != pulled::value && state->left != 0) return got;
        if (got == pulled::value && skipped.make_late(by)) return pulled::late;
      }
      const pulled got = state->from.pull(state->first, by);
      if (got != pulled::value) return got;
      state->left = count;
      state->close_at = deadline(span);
      out.emplace(stream_of<T>([state, number = ++state->number] {
        return [state, number](std::optional<T>& value, deadline until) {
          return state->number == number ? state->next(value, until) : pulled::end;
        };
      }));
      return pulled::value;
    };
  });
}

template <class T>
stream<T> retry(stream<T> source, std::size_t times, deadline::clock::duration pause) {
  return stream_of<T>([source = std::move(source), times, pause] {
    return [source, pause, left = times, from = upstream<T>(nullptr),
            resume = std::optional<deadline>(deadline::from_ns(0))](std::optional<T>& out, deadline by) mutable {
      for (;;) {
        if (resume.has_value() && !has_passed(*resume)) {
          this_fiber::sleep_until(earlier(by, *resume));
          if (!has_passed(*resume)) return pulled::late;
        }
        try {
          if (resume.has_value()) from = upstream<T>(source.begin_run());
          resume.reset();
          return from.pull(out, by);
        } catch (...) {
          pass_cancellation();
          if (left == 0) throw;
          --left;
        }
        out.reset();
        resume = deadline(pause);
      }
    };
  });
}

template <class T, class F>
stream<T> on_error(stream<T> source, F f) {
  return stream_of<T>([source = std::move(source), shared = std::make_shared<F>(std::move(f))] {
    return
        [from = upstream<T>(source.begin_run()), shared, handled = false](std::optional<T>& out, deadline by) mutable {
          std::exception_ptr error;
          try {
            return from.pull(out, by);
          } catch (...) {
            pass_cancellation();
            if (handled) throw;
            error = std::current_exception();
          }
          handled = true;
          out.reset();
          stream<T> instead = std::invoke(*shared, std::move(error));
          from = upstream<T>(instead.begin_run());
          return from.pull(out, by);
        };
  });
}

}  // namespace weft::detail
