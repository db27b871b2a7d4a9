// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace weft::shim {

/// The file name by which the preloaded library is known in LD_PRELOAD, whatever folder it is in.
inline constexpr char shim_name[] = "libweft-shim.so";

/// Takes this library out of LD_PRELOAD, in place, so that the programs this one starts run without it.
///
/// Other libraries in the list stay, in their order; the variable goes if nothing is left. Works on the block that the
/// kernel made, before the program has seen it, and allocates nothing.
/// @return whether anything was taken out
bool remove_preload(char** envp) noexcept;

/// Takes the variable @p name out, in place.
void remove_variable(char** envp, std::string_view name) noexcept;

}  // namespace weft::shim
