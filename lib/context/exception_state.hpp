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

  /// The place of the calling thread.
  static exception_place of_this_thread() noexcept {
    return {reinterpret_cast<globals*>(abi::__cxa_get_globals()), &errno};
  }
};

/// What a light fiber takes along at a switch, because it shares that place with others.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
  int error = 0;

  void save(const exception_place& place) noexcept {
    caught = place.exceptions->caught;
    uncaught = place.exceptions->uncaught;
    error = *place.error;
  }
  void restore(const exception_place& place) const noexcept {
    place.exceptions->caught = caught;
    place.exceptions->uncaught = uncaught;
    *place.error = error;
  }
};

}  // namespace weft::context
