// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "sync/support.hpp"

// What the tests of channels, queues and the like share.
namespace weft::test {

/// @p count fibers that run copies of @p body.
template <class F>
std::vector<fiber> spawn_many(int count, const F& body) {
  std::vector<fiber> all;
  all.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all.push_back(spawn(body));
  return all;
}
inline void join_all(const std::vector<fiber>& all) {
  for (const fiber& f : all) f.join();
}

/// Whether @p v, which has ended when this returns, was cancelled.
inline bool was_cancelled(victim& v) {
  v.join();
  return v.was_cancelled();
}

/// @p value as something to be moved from by a call that may leave it alone.
template <class T>
T&& offer(T& value) noexcept {
  return static_cast<T&&>(value);
}

}  // namespace weft::test
