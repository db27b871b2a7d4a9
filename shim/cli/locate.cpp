// SPDX-License-Identifier: MIT
#include "shim/cli/locate.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/words.hpp"
#include "shim/environment.hpp"

namespace weft::shim::cli {

namespace fs = std::filesystem;

std::string find_shim() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {".", "../lib", WEFT_LIBRARY_FOLDER}) {
    const fs::path candidate = fs::weakly_canonical(folder / place / shim_name, error);
    if (!error && fs::is_regular_file(candidate, error)) return candidate;
  }
  return {};
}

std::string preload_list(const std::string& shim, const char* existing) {
  std::string list = shim;
  std::string_view rest(existing != nullptr ? existing : "");
  while (!rest.empty()) {
    // ld.so parts the list at colons and at spaces.
    const std::string_view item = base::head(rest, rest.find_first_of(": "));
    rest = base::tail(rest, item.size() + 1);
    if (!item.empty() && base::last_component(item) != shim_name) list.append(":").append(item);
  }
  return list;
}

}  // namespace weft::shim::cli
