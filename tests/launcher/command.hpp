// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace weft::test {

/// How a command ended and what it said.
struct outcome {
  int status = -1;  ///< exit status; -1 if a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct circumstances {
  std::vector<std::string> variables;  ///< NAME=value, added to this process's environment
  std::string input;
};

/// Runs @p words, found along PATH, to its end. LD_PRELOAD and WEFT_* of this process are not handed on.
outcome run_command(const std::vector<std::string>& words, const circumstances& in = {});

/// The command under test, beside a library that stands for the shim and does nothing.
std::string weft_command();

}  // namespace weft::test
