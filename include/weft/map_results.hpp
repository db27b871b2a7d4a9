// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <list>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/deadline.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/detail/completions.hpp"
#include "weft/detail/element_source.hpp"
#include "weft/future.hpp"

namespace weft {

namespace detail {

/// Submits a call of @p function for each element it is given.
template <class Executor, class F>
struct submit_to {
  Executor* executor;
  F function;
  template <class Element>
  auto operator()(Element&& element) const {
    return executor->submit(function, std::forward<Element>(element));
  }
};

// A value that can stand in an optional: nothing and references get an object.
template <class T>
using map_value = std::conditional_t<
    std::is_void_v<T>, std::monostate,
    std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

/// @tparam Asked  a future or a task, which is ready
template <class Asked>
std::optional<map_value<typename Asked::value_type>> take_value(Asked& from) {
  if constexpr (std::is_void_v<typename Asked::value_type>) {
    std::move(from).get();
    return std::monostate();
  } else {
    return std::move(from).get();
  }
}

/// What makes results a range to loop over. @tparam Results  has `next()`
template <class Results, class T>
class result_range {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using pointer = T*;

    iterator() = default;
    explicit iterator(result_range* range) : range_(range) {}
    T& operator*() const { return *range_->current_; }
    T* operator->() const { return &*range_->current_; }
    iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !range_->current_; }

   private:
    result_range* range_ = nullptr;
  };

  /// Waits for the first result that has not been read.
  iterator begin() {
    advance();
    return iterator(this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 protected:
  result_range() = default;

 private:
  void advance() { current_ = static_cast<Results*>(this)->next(); }
  std::optional<T> current_;
};

template <class Submit, class Range>
using submitted_value =
    typename std::invoke_result_t<Submit&,
                                  decltype(*std::begin(std::declval<std::remove_reference_t<Range>&>()))>::value_type;

/// What results have in common: the elements, and those of them that are begun and not read.
/// @tparam Results  has `next()`, and `add(future&&)` for one more that is begun; @tparam Unread  a container
template <class Results, class Submit, class Range, class Unread>
class map_results : public result_range<Results, map_value<submitted_value<Submit, Range>>> {
 public:
  using result = submitted_value<Submit, Range>;
  using value_type = map_value<result>;

  /// Whether all results have been read.
  bool done() const { return unread.empty() && failure_ == nullptr && elements_.empty(); }

 protected:
  map_results(Submit&& submit, Range&& range, std::size_t max_unread)
      : submit_(std::move(submit)), elements_(std::forward<Range>(range)), max_unread_(max_unread) {
    elements_.begin();
  }

  /// Begins elements as far as the bound allows, @p read of the unread ones not counted.
  void fill(std::size_t read = 0) {
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
    while ((max_unread_ == 0 || unread.size() < max_unread_ + read) && !elements_.empty()) {
      elements_.give([&](auto&& e) { static_cast<Results*>(this)->add(submit_(std::forward<decltype(e)>(e))); });
    }
  }
  /// The same when one is ready to be read. What that throws waits for the next `fill`, but for a cancellation: then nothing has
  /// been read.
  void fill_for_ready() {
    const auto cancellations_before = cancellations();
    try {
      fill(1);
    } catch (...) {
      if (cancellations() != cancellations_before) throw;
      failure_ = std::current_exception();
    }
  }

 private:
  Submit submit_;
  element_source<Range> elements_;
  const std::size_t max_unread_;
  std::exception_ptr failure_;

 protected:
  Unread unread;
};

struct nothing_begun {};

template <class Result>
struct unordered_entry : completion {
  future<Result> asked;
  typename std::list<unordered_entry>::iterator place;
};

}  // namespace detail

/// The results of `map`: a range that is read once, each result when it is there, in the order of the elements.
///
///     auto sizes = executor.map(size_of, paths, 32);
///     for (auto& size : sizes) total += size;
///     while (auto size = sizes.next(100ms)) ...;          // or one at a time, with a deadline
///
/// An element's exception is thrown where its result would have been read; reading can go on behind it. At most
/// `max_unread` elements are begun and not read: a slow reader holds up the work instead of piling up results; an
/// element is begun whenever one is read. A void function gives std::monostate, one that returns a reference a
/// std::reference_wrapper.
///
/// Blocking  `next` and the loop. A range that itself waits, as a channel, is waited for there and by `map` itself, one element
///           ahead of what is begun: so long a result that is ready is held up. Where that matters take `pool::imap`, which reads
///           the range in a fiber of its own.
/// Timeout   `next` gives nothing; `done()` tells that from the end. What the range waits is beyond it.
/// Cancel    A cancellation point. A cancelled read took nothing.
/// Threads   For one fiber at a time.
/// Lifetime  Destroyed early it cancels what has not begun, and waits for nothing. An lvalue range must live as long; any
///           other is moved in, and its elements are moved out.
template <class Submit, class Range>
class ordered_results : public detail::map_results<ordered_results<Submit, Range>, Submit, Range,
                                                   std::deque<future<detail::submitted_value<Submit, Range>>>> {
  using base = typename ordered_results::map_results;
  friend base;

 public:
  using typename base::result;
  using typename base::value_type;

  ordered_results(Submit submit, Range&& range, std::size_t max_unread)
      : ordered_results(detail::nothing_begun(), std::move(submit), std::forward<Range>(range), max_unread) {
    this->fill();  // if it throws, what has begun is left as the destructor leaves it
  }
  ~ordered_results() {
    for (const future<result>& each : this->unread) each.cancel();
  }

  /// The next result; nothing at the end, or if @p by passed first.
  std::optional<value_type> next(deadline by = deadline::never()) {
    this->fill();
    if (this->unread.empty() || !this->unread.front().wait(by)) return std::nullopt;
    this->fill_for_ready();
    future<result> ready = std::move(this->unread.front());
    this->unread.pop_front();
    return detail::take_value(ready);
  }

 private:
  ordered_results(detail::nothing_begun, Submit&& submit, Range&& range, std::size_t max_unread)
      : base(std::move(submit), std::forward<Range>(range), max_unread) {}
  void add(future<result>&& asked) { this->unread.push_back(std::move(asked)); }
};

/// The results of `map_unordered`: as ordered_results, in the order they become ready.
template <class Submit, class Range>
class unordered_results
    : public detail::map_results<unordered_results<Submit, Range>, Submit, Range,
                                 std::list<detail::unordered_entry<detail::submitted_value<Submit, Range>>>> {
  using base = typename unordered_results::map_results;
  friend base;

 public:
  using typename base::result;
  using typename base::value_type;

  unordered_results(Submit submit, Range&& range, std::size_t max_unread)
      : unordered_results(detail::nothing_begun(), std::move(submit), std::forward<Range>(range), max_unread) {
    this->fill();  // if it throws, what has begun is left as the destructor leaves it
  }
  ~unordered_results() {
    for (entry& each : this->unread) {
      each.asked.remove_waiter(each);
      each.asked.cancel();
    }
  }

  std::optional<value_type> next(deadline by = deadline::never()) {
    this->fill();
    if (this->unread.empty()) return std::nullopt;
    if (next_ == nullptr) next_ = static_cast<entry*>(ready_.next(by));
    if (next_ == nullptr) return std::nullopt;
    this->fill_for_ready();
    future<result> ready = std::move(next_->asked);
    this->unread.erase(std::exchange(next_, nullptr)->place);
    return detail::take_value(ready);
  }

 private:
  using entry = detail::unordered_entry<result>;

  unordered_results(detail::nothing_begun, Submit&& submit, Range&& range, std::size_t max_unread)
      : base(std::move(submit), std::forward<Range>(range), max_unread) {}
  void add(future<result>&& asked) {
    entry& added = this->unread.emplace_back();
    added.asked = std::move(asked);
    added.place = std::prev(this->unread.end());
    ready_.prepare(added);
    added.asked.add_waiter(added);
  }

  detail::completions ready_;
  entry* next_ = nullptr;  // is ready, and still among the unread
};

template <class Submit, class Range>
ordered_results(Submit, Range&&, std::size_t) -> ordered_results<Submit, Range>;
template <class Submit, class Range>
unordered_results(Submit, Range&&, std::size_t) -> unordered_results<Submit, Range>;

}  // namespace weft
