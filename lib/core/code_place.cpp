// SPDX-License-Identifier: MIT
#include "core/code_place.hpp"

#include <dlfcn.h>
#include <link.h>

#include <string_view>

#include "base/syscall.hpp"

namespace weft::core {

namespace {

// The loader has no name for the program itself.
void add_program(base::text& to) noexcept {
  char path[256];
  const long length = base::raw_syscall(SYS_readlink, "/proc/self/exe", path, sizeof path);
  to << (base::is_error(length) ? std::string_view("program")
                                : std::string_view(path, static_cast<std::size_t>(length)));
}

}  // namespace

void add_frame(base::text& to, std::uintptr_t pc) noexcept {
  to << "    " << base::hex{pc};
  // Takes no lock, unlike dladdr (glibc 2.35+).
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) == 0) {
    const char* const path = object.dlfo_link_map->l_name;
    to << " ";
    if (path != nullptr && path[0] != 0) {
      to << path;
    } else {
      add_program(to);
    }
    to << "+" << base::hex{pc - object.dlfo_link_map->l_addr};
  }
  to << "\n";
}

}  // namespace weft::core
