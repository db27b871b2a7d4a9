// SPDX-License-Identifier: MIT
#pragma once

#include <sys/single_threaded.h>

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// Whether ThreadSanitizer watches: it must see every atomic access.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool is_watched = true;
#elif defined(__has_feature)
inline constexpr bool is_watched = __has_feature(thread_sanitizer);
#else
inline constexpr bool is_watched = false;
#endif

/// `word.compare_exchange_strong(expected, desired)` of order acq_rel, or relaxed if it fails.
///
/// While the process has one thread the instruction needs no bus lock, which is most of what it costs: libc's own mutex does the
/// same. It stays one instruction, because a signal handler may switch fibers in between any two.
inline bool exchange_if(std::atomic<std::uint64_t>& word, std::uint64_t& expected, std::uint64_t desired) noexcept {
#if defined(__x86_64__)
  if (__libc_single_threaded != 0 && !is_watched) {
    bool done;
    asm volatile("cmpxchgq %[desired], %[word]"
                 : "=@ccz"(done), [word] "+m"(word), "+a"(expected)
                 : [desired] "r"(desired)
                 : "memory");
    return done;
  }
#endif
  return word.compare_exchange_strong(expected, desired, std::memory_order_acq_rel, std::memory_order_relaxed);
}

}  // namespace weft::detail
