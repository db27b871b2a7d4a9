// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>

namespace weft {

/// A capacity without a limit, for those who know that in the long run receivers are faster than senders.
inline constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

}  // namespace weft
