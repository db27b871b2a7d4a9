// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "weft/detail/context_node.hpp"

namespace weft::task_layer {

struct local_value {
  std::uint64_t key;
  void* value;
  void (*destroy)(void*) noexcept;
};

/// What belongs to a fiber besides its stack: its context, and the values of its `local`s.
struct fiber_storage {
  detail::context_node* context = nullptr;
  std::vector<local_value>* locals = nullptr;

  bool empty() const noexcept { return context == nullptr && locals == nullptr; }
  /// Destroys all. On the fiber or thread itself, which nothing may cancel meanwhile.
  void clear() noexcept;
};

}  // namespace weft::task_layer
