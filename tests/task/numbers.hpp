// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/streams.hpp"

// What the tests of streams read from.
namespace weft::test {

/// 1 to @p last.
inline stream<int> numbers(int last) {
  std::vector<int> all(static_cast<std::size_t>(last));
  std::iota(all.begin(), all.end(), 1);
  return streams::from(std::move(all));
}

/// A source that fails behind its first `good` values, as long as `left` is not used up.
inline stream<int> failing(int good, std::shared_ptr<int> left) {
  return streams::defer([good, left] {
    return streams::generate([good, left, n = 0]() mutable -> std::optional<int> {
      if (n == good && (*left)-- > 0) throw std::runtime_error("source");
      return ++n;
    });
  });
}

}  // namespace weft::test
