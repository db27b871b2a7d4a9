// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>

namespace weft {

/// As many as there are: for what takes a greatest number (executors, pools).
inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

}  // namespace weft
