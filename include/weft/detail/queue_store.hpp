// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace weft::detail {

// In which order the values of a queue leave. `push` leaves its argument untouched if it throws.

template <class T>
class fifo_store {
 public:
  using container = std::deque<T>;
  std::size_t size() const noexcept { return values_.size(); }
  const T& next() const noexcept { return values_.front(); }
  void push(T&& value) { values_.push_back(std::move(value)); }
  void pop(std::optional<T>& out) noexcept {
    out.emplace(std::move(values_.front()));
    values_.pop_front();
  }
  container& values() noexcept { return values_; }

 private:
  container values_;
};

template <class T>
class lifo_store {
 public:
  using container = std::vector<T>;
  std::size_t size() const noexcept { return values_.size(); }
  const T& next() const noexcept { return values_.back(); }
  void push(T&& value) { values_.push_back(std::move(value)); }
  void pop(std::optional<T>& out) noexcept {
    out.emplace(std::move(values_.back()));
    values_.pop_back();
  }
  container& values() noexcept { return values_; }

 private:
  container values_;
};

template <class T, class Compare>
class heap_store {
 public:
  using container = std::vector<T>;
  explicit heap_store(Compare compare) : compare_(std::move(compare)) {}
  std::size_t size() const noexcept { return values_.size(); }
  const T& next() const noexcept { return values_.front(); }
  void push(T&& value) {
    values_.push_back(std::move(value));
    // A comparison that throws in the midst would lose a value: as in `pop` it ends the program.
    [this]() noexcept { std::push_heap(values_.begin(), values_.end(), compare_); }();
  }
  void pop(std::optional<T>& out) noexcept {
    std::pop_heap(values_.begin(), values_.end(), compare_);
    out.emplace(std::move(values_.back()));
    values_.pop_back();
  }
  container& values() noexcept { return values_; }

 private:
  container values_;
  [[no_unique_address]] Compare compare_;
};

}  // namespace weft::detail
