// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace weft::shim::cli {

/// `weft run`: sets the environment for the preloaded library and becomes the program.
///
/// @param words  the argv behind `run`, with a null behind it
/// @return only when the program was not started: 0 after help, 2 when an option is wrong or the shim missing, 127 when the
///         program is not found, 126 when it cannot be executed; as a shell would say it.
int run(std::span<char*> words);

}  // namespace weft::shim::cli
