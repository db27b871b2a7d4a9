// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif

#if defined(WEFT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEFT_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::context {

/// What AddressSanitizer and ThreadSanitizer must be told about a context to follow switches. Empty calls otherwise.
struct sanitizer_state {
#if defined(WEFT_ASAN)
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
#if defined(WEFT_TSAN)
  void* fiber = nullptr;
#endif

  /// The state of a context that exists already (a thread's own stack).
  void adopt_current() noexcept {
#if defined(WEFT_TSAN)
    fiber = __tsan_get_current_fiber();
#endif
  }
  /// The state of a context that is about to be made on a stack of ours.
  void create([[maybe_unused]] const void* stack_bottom, [[maybe_unused]] std::size_t stack_size) noexcept {
#if defined(WEFT_ASAN)
    bottom = stack_bottom;
    size = stack_size;
    // The last context there was left, not unwound: its frames' red zones still stand.
    __asan_unpoison_memory_region(stack_bottom, stack_size);
#endif
#if defined(WEFT_TSAN)
    fiber = __tsan_create_fiber(0);
#endif
  }
  void destroy() noexcept {
#if defined(WEFT_TSAN)
    __tsan_destroy_fiber(fiber);
    fiber = nullptr;
#endif
  }
  /// Called by the context that leaves. @p ends: it never comes back.
  void leave_to([[maybe_unused]] sanitizer_state& to, [[maybe_unused]] bool ends) noexcept {
#if defined(WEFT_ASAN)
    __sanitizer_start_switch_fiber(ends ? nullptr : &fake_stack, to.bottom, to.size);
#endif
#if defined(WEFT_TSAN)
    __tsan_switch_to_fiber(to.fiber, 0);
#endif
  }
  /// Called by the context that was switched to, with the state of the one that left.
  void arrive_from([[maybe_unused]] sanitizer_state& from) noexcept {
#if defined(WEFT_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, &from.bottom, &from.size);
    fake_stack = nullptr;
#endif
  }
};

}  // namespace weft::context
