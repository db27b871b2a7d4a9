// SPDX-License-Identifier: MIT
#pragma once

#include <iterator>
#include <optional>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/taking_iterator.hpp"

namespace weft {

/// One run of a stream: gives its values out, one by one. From `stream::open`.
///
/// Blocking  `next` suspends as long as the stages have to wait.
/// Timeout   When @p by has passed `next` gives nothing, `ended` is false, and the run goes on with the next call.
/// Cancel    `next` is a cancellation point where its stages are. An exception that leaves it, a cancellation too, ends the
///           run. Destroying the run cancels what its stages have running and waits for its end.
/// Threads   For one fiber at a time.
template <class T>
class stream_run {
 public:
  using value_type = T;
  explicit stream_run(detail::run_of<T> run) noexcept : from_(std::move(run)) {}

  /// @return the next value; nothing at the end, or when @p by has passed
  /// @throws what a stage throws
  [[nodiscard]] std::optional<T> next(deadline by = deadline::never()) {
    std::optional<T> value;
    from_.pull(value, by);
    return value;
  }
  /// Whether no value will come any more.
  bool ended() const noexcept { return from_.stopped(); }

  auto begin() { return detail::taking_iterator<T, stream_run, &stream_run::next>(*this); }
  static constexpr std::default_sentinel_t end() noexcept { return {}; }

 private:
  detail::upstream<T> from_;
};

}  // namespace weft
