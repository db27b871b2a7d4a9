// SPDX-License-Identifier: MIT
#include "base/config.hpp"

#include <algorithm>
#include <optional>

#include "base/words.hpp"

namespace weft::base {
namespace {

std::optional<std::uint64_t> number(std::string_view value) noexcept {
  if (value.empty() || value.size() > 18) return std::nullopt;  // 18 digits cannot overflow
  std::uint64_t result = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return std::nullopt;
    result = result * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return result;
}

std::optional<bool> yes_or_no(std::string_view value) noexcept {
  for (std::string_view yes : {"1", "yes", "on", "true"}) {
    if (value == yes) return true;
  }
  for (std::string_view no : {"0", "no", "off", "false"}) {
    if (value == no) return false;
  }
  return std::nullopt;
}

bool parse_flag(bool& into, std::string_view value, text& problem) noexcept {
  const auto answer = yes_or_no(value);
  if (!answer) {
    problem << "neither yes nor no; give 1 or 0";
    return false;
  }
  into = *answer;
  return true;
}

bool parse_hubs(unsigned& into, std::string_view value, text& problem) noexcept {
  const auto count = value == "auto" ? std::optional<std::uint64_t>(0) : number(value);
  if (!count || (*count == 0 && value != "auto") || *count > most_hubs) {
    problem << "not a number of hubs; give 1 to " << most_hubs << ", or auto for one per usable CPU";
    return false;
  }
  into = static_cast<unsigned>(*count);
  return true;
}

bool parse_stack_size(std::size_t& into, std::string_view value, text& problem) noexcept {
  std::string_view digits = value;
  unsigned shift = 0;
  if (!value.empty()) {
    switch (value.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
    if (shift != 0) digits.remove_suffix(1);
  }
  const auto count = number(digits);
  if (!count) {
    problem << "not a size; give a number of bytes, or one with K, M or G, such as 64K";
    return false;
  }
  if (*count == 0) {
    into = 0;
    return true;
  }
  if (*count > (most_stack >> shift) || (*count << shift) < least_stack) {
    problem << "no stack can have this size; give 32K to 16G, or 0 for what libc would give";
    return false;
  }
  constexpr std::size_t page = 4096;
  into = ((*count << shift) + page - 1) & ~(page - 1);
  return true;
}

const patch_name* find_group(std::string_view name) noexcept {
  for (const patch_name& each : patch_names()) {
    if (name == each.name) return &each;
  }
  return nullptr;
}

bool parse_patch(patch_groups& into, std::string_view value, text& problem) noexcept {
  // As with gevent's list, what comes first decides what is there to begin with: "-time" takes from all, "time" adds to none.
  std::uint32_t bits = value.starts_with('-') ? patch_groups::all_bits : 0;
  do {
    std::string_view item = take(value, ',');
    const bool remove = item.starts_with('-');
    if (remove) item.remove_prefix(1);
    std::uint32_t named = 0;
    if (item == "all") {
      named = patch_groups::all_bits;
    } else if (const patch_name* group = find_group(item)) {
      named = static_cast<std::uint32_t>(group->group);
    } else if (item != "none") {
      problem << "no group is called '" << item << "'; give all, none, or some of";
      for (const patch_name& each : patch_names()) {
        if (!each.alias) problem << ' ' << each.name;
      }
      problem << ", separated by commas, with - before those to take away";
      return false;
    }
    bits = remove ? bits & ~named : bits | named;
  } while (!value.empty());
  into.bits = bits;
  return true;
}

template <std::size_t Room>
bool copy_text(char (&into)[Room], std::string_view value, text& problem) noexcept {
  if (value.size() >= Room) {
    problem << "too long; give less than " << Room << " bytes";
    return false;
  }
  *std::copy(value.begin(), value.end(), into) = '\0';
  return true;
}

bool parse_report(config& into, std::string_view value, text& problem) noexcept {
  const auto answer = value == "-" ? std::optional(true) : yes_or_no(value);
  if (!copy_text(into.report_file, answer ? std::string_view() : value, problem)) return false;
  into.report = answer.value_or(true);
  return true;
}

}  // namespace

bool parse_option(config& into, option_id id, std::string_view value, text& problem) noexcept {
  switch (id) {
    case option_id::enabled:
      return parse_flag(into.enabled, value, problem);
    case option_id::hubs:
      return parse_hubs(into.hubs, value, problem);
    case option_id::stack_size:
      return parse_stack_size(into.stack_size, value, problem);
    case option_id::patch:
      return parse_patch(into.groups, value, problem);
    case option_id::follow:
      return parse_flag(into.follow, value, problem);
    case option_id::report:
      return parse_report(into, value, problem);
    case option_id::log:
      return copy_text(into.log_file, value, problem);
    case option_id::exclude:
      return copy_text(into.exclude, value, problem);
  }
  __builtin_unreachable();
}

bool parse_environment(config& into, const char* const* envp, text& problems) noexcept {
  bool good = true;
  for (; envp != nullptr && *envp != nullptr; ++envp) {
    const std::string_view entry(*envp);
    if (!entry.starts_with("WEFT")) continue;
    std::string_view value = entry;
    const std::string_view name = take(value, '=');
    if (value.empty()) continue;
    for (const option& each : options()) {
      if (name != each.variable) continue;
      fixed_text<384> problem;
      if (!parse_option(into, each.id, value, problem)) {
        problems << name << '=' << head(value, 64) << ": " << problem.view() << '\n';
        good = false;
      }
    }
  }
  return good;
}

bool is_excluded(const config& from, const char* program) noexcept {
  if (program == nullptr) return false;
  const std::string_view path(program);
  std::string_view list(from.exclude);
  while (!list.empty()) {
    const std::string_view item = take(list, ',');
    if (!item.empty() && (item == last_component(path) || item == path)) return true;
  }
  return false;
}

}  // namespace weft::base
