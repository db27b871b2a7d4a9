// SPDX-License-Identifier: MIT
#include "shim/cli/arguments.hpp"

#include <string_view>

#include "base/config.hpp"

namespace weft::shim::cli {
namespace {

const base::option* find_flag(std::string_view word) {
  for (const base::option& each : base::options()) {
    if (each.flag != nullptr && word == each.flag) return &each;
  }
  return nullptr;
}

}  // namespace

parted_arguments part_arguments(std::span<char*> words) {
  parted_arguments result;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string_view word(words[at]);
    if (word == "--") {
      if (at + 1 < words.size()) result.program = &words[at + 1];
      break;
    }
    if (word.size() < 2 || word.front() != '-') {
      result.program = &words[at];
      break;
    }
    const base::option* const option = find_flag(word);
    if (option != nullptr && option->value == base::option_value::optional) {
      // Its value comes behind `=` only: the next word may be the program.
      result.options.emplace_back(std::string(word) + "=-");
      continue;
    }
    result.options.emplace_back(word);
    if (option != nullptr && option->value == base::option_value::required && at + 1 < words.size()) {
      result.options.emplace_back(words[++at]);
    }
  }
  return result;
}

}  // namespace weft::shim::cli
