// SPDX-License-Identifier: MIT
#pragma once

#include "core/patching.hpp"

namespace weft::shim {

/// What the library asks of us when the program patches itself, or spawns in a patched process.
extern const core::patcher own_patcher;

}  // namespace weft::shim
