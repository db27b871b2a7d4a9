// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/text.hpp"

namespace weft::core {

/// Adds a line for the code at @p pc: its address, the file it was loaded from and the offset there, which is what `addr2line -e FILE OFFSET`
/// takes. In signal handlers too.
void add_frame(base::text& to, std::uintptr_t pc) noexcept;

}  // namespace weft::core
