// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/completions.hpp"
#include "weft/future.hpp"

namespace weft {

/// Futures as they become ready: a range over a range of futures, each of which it gives once.
///
/// For tasks, events and other things that can be waited for use `wait_each`; for results without their futures, the
/// `map_unordered` of an executor. As Python's concurrent.futures.as_completed.
///
///     for (weft::future<page>& f : weft::as_completed(asked)) show(f.get());
///     weft::as_completed soon(asked, 100ms);                   // the loop ends after 100 ms at the latest
///
/// Blocking  The loop, and `next`.
/// Order     Of those that are ready already, as they stand in the range.
/// Timeout   The deadline is for the whole: the loop ends there. `next` has one of its own.
/// Cancel    The loop and `next` are cancellation points.
/// Threads   For one fiber at a time.
/// Lifetime  The futures must stay where they are as long as this lives. One that is moved from meanwhile, as by `get`
///           of a future that was not given out yet, is a misuse: it throws std::future_error(no_state) there.
/// Cost      One allocation, and a few words for each future.
template <class Range>
class as_completed {
 public:
  using value_type = std::remove_reference_t<decltype(*std::begin(std::declval<Range&>()))>;

  /// @throws std::future_error(no_state)  one of them is not valid
  explicit as_completed(Range& futures, deadline by = deadline::never()) : by_(by) {
    for (auto& each : futures) {
      if (!each.valid()) detail::throw_no_state();
      entry& added = entries_.emplace_back();
      added.subject = &each;
      added.state = each.state();
    }
    for (entry& each : entries_) {
      ready_.prepare(each);
      each.state->subscribe(each);
    }
  }
  as_completed(const as_completed&) = delete;
  as_completed& operator=(const as_completed&) = delete;
  ~as_completed() {
    for (entry& each : entries_) each.state->unsubscribe(each);
  }

  /// The next that is ready; nullptr if there is none left (`left()` is 0), or @p by passed first.
  value_type* next(deadline by = deadline::never()) {
    if (given_ == entries_.size()) return nullptr;
    auto* const found = static_cast<entry*>(ready_.next(by));
    if (found == nullptr) return nullptr;
    ++given_;
    return found->subject;
  }
  /// How many it has not given.
  std::size_t left() const noexcept { return entries_.size() - given_; }

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = as_completed::value_type;
    using difference_type = std::ptrdiff_t;
    using reference = value_type&;
    using pointer = value_type*;

    iterator() = default;
    explicit iterator(as_completed* all) : all_(all) { ++*this; }
    reference operator*() const { return *found_; }
    pointer operator->() const { return found_; }
    iterator& operator++() {
      found_ = all_->next(all_->by_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return found_ == nullptr; }

   private:
    as_completed* all_ = nullptr;
    value_type* found_ = nullptr;
  };
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct entry : detail::completion {
    value_type* subject = nullptr;
    // Its own: a future that is moved from must not take the subscription along.
    detail::state_ptr<detail::future_state> state;
  };

  const deadline by_;
  detail::completions ready_;
  std::deque<entry> entries_;
  std::size_t given_ = 0;
};

/// When `wait` for several futures is over.
enum class return_when {
  first_completed,  ///< one is ready
  first_exception,  ///< one has failed, or all are ready
  all_completed,    ///< all are ready
};

/// What `wait` says of each future: its place in the range, in that order.
struct wait_result {
  std::vector<std::size_t> done;
  std::vector<std::size_t> not_done;
};

/// Waits until so many of @p futures are ready as @p when says, or @p by passes. What is done may be more than was waited
/// for. A cancellation point. As Python's concurrent.futures.wait.
/// @throws std::future_error(no_state)  one of them is not valid
template <class Range>
wait_result wait(Range& futures, return_when when, deadline by = deadline::never()) {
  {
    as_completed coming(futures, by);
    for (auto& ready : coming) {
      if (when == return_when::first_completed) break;
      if (when == return_when::first_exception && ready.exception() != nullptr) break;
    }
  }
  wait_result found;
  std::size_t place = 0;
  for (auto& each : futures) (each.ready() ? found.done : found.not_done).push_back(place++);
  return found;
}

}  // namespace weft
