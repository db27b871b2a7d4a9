// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cstddef>

#include "base/syscall.hpp"

namespace weft::shim {

/// Zeroed pages for the time of one step.
class pages {
 public:
  explicit pages(std::size_t size) : size_(size) {
    long got = base::raw_syscall(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!base::is_error(got)) at_ = reinterpret_cast<void*>(got);
  }
  pages(const pages&) = delete;
  pages& operator=(const pages&) = delete;
  ~pages() {
    if (at_ != nullptr) base::raw_syscall(SYS_munmap, at_, size_);
  }
  /// nullptr when memory is short.
  template <class T>
  T* as() const {
    return static_cast<T*>(at_);
  }

 private:
  void* at_ = nullptr;
  std::size_t size_;
};

}  // namespace weft::shim
