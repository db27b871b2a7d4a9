// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <mutex>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/condition_variable.hpp"
#include "weft/mutex.hpp"

// What the tests of pools map, and how they read it.
namespace weft::test {

inline std::vector<int> up_to(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}
template <class Results>
auto to_vector(Results&& results) {
  std::vector<typename std::remove_reference_t<Results>::value_type> all;
  for (auto& each : results) all.push_back(std::move(each));
  return all;
}

// A range of what others put in, which waits for more: gevent's issues 311 and 423.
struct mailbox {
  mutex m;
  condition_variable changed;
  std::deque<int> content;
  bool closed = false;

  void put(int n) {
    const std::lock_guard guard(m);
    content.push_back(n);
    changed.notify_one();
  }
  void close() {
    const std::lock_guard guard(m);
    closed = true;
    changed.notify_one();
  }
  struct sentinel {};
  struct iterator {
    mailbox* box;
    int operator*() {
      const std::lock_guard guard(box->m);
      const int n = box->content.front();
      box->content.pop_front();
      return n;
    }
    iterator& operator++() { return *this; }
    bool operator==(sentinel) const {
      std::unique_lock guard(box->m);
      box->changed.wait(guard, [this] { return box->closed || !box->content.empty(); });
      return box->content.empty();
    }
  };
  iterator begin() { return {this}; }
  sentinel end() { return {}; }
};

}  // namespace weft::test
