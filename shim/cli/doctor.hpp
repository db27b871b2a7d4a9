// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace weft::shim::cli {

/// `weft doctor`: says whether and how a program can work under `weft run`, without starting it.
///
/// @param words  the argv behind `doctor`
/// @return 0 it works, 1 it works with limits, 2 it cannot (or an option is wrong)
int doctor(std::span<char*> words);

}  // namespace weft::shim::cli
