// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::shim {

/// The length of the x86-64 instruction at @p p, some thirty times as fast as the decoder tells it (docs/decisions/sites.md); 0: ask the
/// decoder. That is said of what is no instruction, does not end within @p size bytes, is rare, or is taken differently by different processors.
unsigned quick_length(const std::uint8_t* p, std::size_t size);

}  // namespace weft::shim
