// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <type_traits>

namespace weft::detail {

/// Whether there is nothing to call: a null pointer or an empty std::function.
template <class F>
bool is_empty(const F& f) noexcept {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
    return f == nullptr;
  } else {
    return false;
  }
}
template <class Signature>
bool is_empty(const std::function<Signature>& f) noexcept {
  return f == nullptr;
}

}  // namespace weft::detail
