// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weft::shim::cli {

/// Sets up @p app to print @p usage as its first line and to take the last of options given twice.
void set_up(CLI::App& app, const std::string& usage);

/// Parses @p words.
/// @return -1 to go on, else the exit status: 0 after help, 2 after a complaint on standard error.
int parse(CLI::App& app, std::vector<std::string> words);

}  // namespace weft::shim::cli
