// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>

#include "weft/deadline.hpp"

namespace weft::detail {

/// Steps through what a source gives out until it gives nothing any more. Each value is the caller's, to be moved from if
/// it likes. A step that is cancelled may be taken again.
template <class T, class Source, std::optional<T> (Source::*Take)(deadline)>
class taking_iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  taking_iterator() noexcept = default;
  explicit taking_iterator(Source& from) : from_(&from) { ++*this; }

  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return &*value_; }
  taking_iterator& operator++() {
    // Not an assignment, which T need not have.
    value_.reset();
    if (std::optional<T> next = (from_->*Take)(deadline::never())) {
      value_.emplace(*std::move(next));
    } else {
      from_ = nullptr;
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const taking_iterator& at, std::default_sentinel_t) noexcept { return at.from_ == nullptr; }

 private:
  Source* from_ = nullptr;
  mutable std::optional<T> value_;
};

}  // namespace weft::detail
