// SPDX-License-Identifier: MIT
#include "shim/cli/findings.hpp"

#include <algorithm>
#include <ostream>
#include <string_view>

namespace weft::shim::cli {
namespace {

constexpr const char* verdict_words[] = {"works", "works with limits", "cannot work"};
constexpr const char* verdict_keys[] = {"works", "limited", "cannot"};

const char* word(level severity) {
  switch (severity) {
    case level::ok:
      return "ok";
    case level::note:
      return "note";
    case level::warning:
      return "warning";
    case level::error:
      return "error";
  }
  __builtin_unreachable();
}

// RFC 8259: quotes, backslashes and controls are escaped. Bytes that are no UTF-8 stay as they are, as in the file's name.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result.append({'\\', c});
    } else if (byte < 0x20) {
      constexpr char digits[] = "0123456789abcdef";
      result.append("\\u00").append({digits[byte >> 4], digits[byte & 15]});
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace

int verdict(const findings& all) {
  int result = 0;
  for (const finding& each : all) {
    if (each.severity == level::error) result = 2;
    if (each.severity == level::warning) result = std::max(result, 1);
  }
  return result;
}

void print_text(std::ostream& out, const std::string& program, const std::string& path, const findings& all) {
  constexpr std::size_t level_width = 9;
  constexpr std::size_t check_width = 13;
  for (const finding& each : all) {
    std::string head = word(each.severity);
    head.resize(level_width, ' ');
    head += each.check;
    head.resize(level_width + check_width, ' ');
    out << head << each.text << '\n';
    if (!each.advice.empty()) out << std::string(level_width + check_width, ' ') << "-> " << each.advice << '\n';
  }
  out << program;
  if (!path.empty() && path != program) out << " (" << path << ')';
  out << ": " << verdict_words[verdict(all)] << " under weft run\n";
}

void print_json(std::ostream& out, const std::string& program, const std::string& path, const findings& all) {
  out << "{\"program\": " << quoted(program) << ", \"path\": " << quoted(path)
      << ", \"verdict\": " << quoted(verdict_keys[verdict(all)]) << ", \"findings\": [";
  const char* separator = "\n";
  for (const finding& each : all) {
    out << separator << "  {\"level\": " << quoted(word(each.severity)) << ", \"check\": " << quoted(each.check)
        << ", \"text\": " << quoted(each.text) << ", \"advice\": " << quoted(each.advice) << '}';
    separator = ",\n";
  }
  out << "\n]}\n";
}

}  // namespace weft::shim::cli
