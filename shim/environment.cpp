// SPDX-License-Identifier: MIT
#include "shim/environment.hpp"

#include <cstring>
#include <string_view>

#include "base/words.hpp"

namespace weft::shim {
namespace {

// ld.so parts the list at colons and at spaces (ld.so(8), LD_PRELOAD).
constexpr bool is_separator(char c) noexcept { return c == ':' || c == ' '; }

// Cuts every item that is ours out of `list`, with the separator behind it, or before it at the end.
bool remove_item(char* list) noexcept {
  bool removed = false;
  for (char* at = list; *at != '\0';) {
    char* end = at;
    while (*end != '\0' && !is_separator(*end)) ++end;
    if (base::last_component({at, static_cast<std::size_t>(end - at)}) != shim_name) {
      at = *end == '\0' ? end : end + 1;
    } else if (removed = true; *end != '\0') {
      std::memmove(at, end + 1, std::strlen(end + 1) + 1);
    } else {
      *(at > list ? at - 1 : at) = '\0';
      break;
    }
  }
  return removed;
}

}  // namespace

bool remove_preload(char** envp) noexcept {
  constexpr std::string_view name = "LD_PRELOAD=";
  bool removed = false;
  char** kept = envp;
  for (char** each = envp; each != nullptr && *each != nullptr; ++each) {
    if (std::string_view(*each).starts_with(name)) {
      removed |= remove_item(*each + name.size());
      if ((*each)[name.size()] == '\0') continue;
    }
    *kept++ = *each;
  }
  if (kept != nullptr) *kept = nullptr;
  return removed;
}

void remove_variable(char** envp, std::string_view name) noexcept {
  char** kept = envp;
  for (char** each = envp; each != nullptr && *each != nullptr; ++each) {
    const std::string_view entry(*each);
    if (!entry.starts_with(name) || base::head(base::tail(entry, name.size()), 1) != "=") *kept++ = *each;
  }
  if (kept != nullptr) *kept = nullptr;
}

}  // namespace weft::shim
