// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace weft::shim::cli {

/// @return the path of libweft-shim.so that belongs to this command: in its own folder, in ../lib, or in the library folder
///         it was installed to; empty if it is in none of them.
std::string find_shim();

/// Puts @p shim first in an LD_PRELOAD list and keeps what is there, but for other copies of the shim.
std::string preload_list(const std::string& shim, const char* existing);

}  // namespace weft::shim::cli
