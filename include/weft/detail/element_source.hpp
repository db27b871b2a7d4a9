// SPDX-License-Identifier: MIT
#pragma once

#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/detail/cancel_record.hpp"

namespace weft::detail {

/// The elements of a range, taken one after the other: of an lvalue by reference, of anything else moved from a range
/// kept here. Stays where it is, for the iterators' sake.
template <class Range>
class element_source {
 public:
  static constexpr bool borrowed = std::is_lvalue_reference_v<Range>;

  explicit element_source(Range&& range) : range_(std::forward<Range>(range)) {}
  element_source(const element_source&) = delete;
  element_source& operator=(const element_source&) = delete;

  /// Before all else. May wait: a channel's begin takes the first value.
  void begin() {
    at_.emplace(std::begin(range_));
    end_.emplace(std::end(range_));
  }
  bool empty() const { return exhausted_ || !end_ || *at_ == *end_; }
  /// Gives the next element to @p take, unless there is none. An exception of the range's ends it. A cancellation does not: the
  /// next call goes on where this one was.
  template <class F>
  void give(F&& take) {
    const auto cancellations_before = cancellations();
    try {
      if (given_) step();
      if (empty()) return;
      if constexpr (borrowed) {
        take(**at_);
      } else {
        take(std::move(**at_));
      }
      step();
    } catch (...) {
      exhausted_ = cancellations() == cancellations_before;
      throw;
    }
  }

 private:
  using kept = std::conditional_t<borrowed, Range, std::remove_cvref_t<Range>>;
  // May wait.
  void step() {
    given_ = true;
    ++*at_;
    given_ = false;
  }

  kept range_;
  std::optional<decltype(std::begin(std::declval<kept&>()))> at_;
  std::optional<decltype(std::end(std::declval<kept&>()))> end_;
  bool given_ = false;  // what `at_` stands at
  bool exhausted_ = false;
};

/// What a call for an element of a Range gets: a copy of its own.
template <class Range>
using element_of = std::remove_cvref_t<decltype(*std::begin(std::declval<std::remove_reference_t<Range>&>()))>;

}  // namespace weft::detail
