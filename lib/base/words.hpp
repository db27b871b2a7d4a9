// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace weft::base {

// std::string_view::substr may throw, which drags the C++ runtime into code that must do without it: these do not.

/// The first @p count characters of @p from.
constexpr std::string_view head(std::string_view from, std::size_t count) noexcept {
  return {from.data(), count < from.size() ? count : from.size()};
}

/// What is left of @p from without its first @p count characters.
constexpr std::string_view tail(std::string_view from, std::size_t count) noexcept {
  from.remove_prefix(count < from.size() ? count : from.size());
  return from;
}

/// Takes what stands before the first @p separator off the front of @p from, and the separator with it.
constexpr std::string_view take(std::string_view& from, char separator) noexcept {
  const std::string_view item = head(from, from.find(separator));
  from = tail(tail(from, item.size()), 1);
  return item;
}

/// The last component of a path.
constexpr std::string_view last_component(std::string_view path) noexcept {
  return tail(path, path.rfind('/') + 1);  // npos + 1 is 0
}

}  // namespace weft::base
