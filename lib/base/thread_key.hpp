// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

namespace weft::base {

/// Has a function called when a thread ends, behind the destructors of its thread_local variables, which may still use what
/// the function takes away.
class thread_key {
 public:
  explicit thread_key(void (*at_end)(void*)) noexcept : made_(pthread_key_create(&number_, at_end) == 0) {}

  /// The calling thread's end calls it with @p value. Without memory or keys nothing is called: what was to be given back is
  /// lost then, as at the end of the process.
  void set(void* value) const noexcept {
    if (made_) pthread_setspecific(number_, value);
  }

 private:
  pthread_key_t number_ = 0;
  bool made_;
};

}  // namespace weft::base
