// SPDX-License-Identifier: MIT
#pragma once

#include <cxxabi.h>
#include <errno.h>

namespace weft::context {

/// Where the code that runs on one thread's storage finds what the C++ runtime and libc keep there for it: the stack of
/// caught exceptions with the count of uncaught ones (Itanium C++ ABI, 2.2.2: `__cxa_eh_globals`), and errno.
struct exception_place {
  struct globals {
    void* caught;
    unsigned int uncaught;
  };
  globals* exceptions = nullptr;
  int* error = nullptr;

  /// Whether no exception is caught or under way.
  bool clean() const noexcept { return exceptions->caught == nullptr && exceptions->uncaught == 0; }

  /// The place of the calling thread.
  static exception_place of_this_thread() noexcept {
    return {reinterpret_cast<globals*>(abi::__cxa_get_globals()), &errno};
  }
};

}  // namespace weft::context
