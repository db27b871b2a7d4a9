// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace weft::shim::cli {

enum class level {
  ok,
  note,     ///< good to know
  warning,  ///< works with limits
  error     ///< cannot work
};

/// One thing that was looked at.
struct finding {
  level severity;
  std::string check;   ///< a short fixed word
  std::string text;    ///< what is so, and what follows
  std::string advice;  ///< what to do; may be empty
};

using findings = std::vector<finding>;

/// @return 0 works, 1 works with limits, 2 cannot: by the gravest finding.
int verdict(const findings& all);

/// @param program  as it was named
/// @param path     what would be loaded; empty if nothing
void print_text(std::ostream& out, const std::string& program, const std::string& path, const findings& all);
void print_json(std::ostream& out, const std::string& program, const std::string& path, const findings& all);

}  // namespace weft::shim::cli
