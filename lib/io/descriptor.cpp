// SPDX-License-Identifier: MIT
#include "weft/detail/descriptor.hpp"

#include <cerrno>
#include <utility>

#include "base/syscall.hpp"
#include "fd/watch.hpp"
#include "io/operation.hpp"
#include "weft/io_error.hpp"

namespace weft::detail {

descriptor::descriptor(descriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      state_(other.state_.exchange(closed | finished, std::memory_order_acq_rel)),
      watch_(other.watch_.exchange(nullptr, std::memory_order_relaxed)),
      drained_(other.drained()) {}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  state_.store(other.state_.exchange(closed | finished, std::memory_order_acq_rel), std::memory_order_release);
  watch_.store(other.watch_.exchange(nullptr, std::memory_order_relaxed), std::memory_order_relaxed);
  note_read(other.drained());
  return *this;
}

descriptor::~descriptor() { close(); }

fd::watch* descriptor::readiness() noexcept {
  fd::watch* w = watch_.load(std::memory_order_acquire);
  if (__builtin_expect(w != nullptr, 1)) return w;
  fd::watch* const fresh = fd::pin(fd_);
  if (fresh == nullptr || watch_.compare_exchange_strong(w, fresh, std::memory_order_acq_rel)) return fresh;
  fd::unpin(*fresh);
  return w;
}

bool descriptor::close() noexcept { return shut(0); }

int descriptor::release() noexcept { return shut(kept) ? fd_ : -1; }

bool descriptor::shut(std::uint32_t how) noexcept {
  // Counted as one that uses the number: it is given back after the waiters were told.
  const std::uint32_t before = state_.fetch_add(1, std::memory_order_acquire);
  const bool first = (before & closed) == 0 && (state_.fetch_or(closed | how, std::memory_order_acq_rel) & closed) == 0;
  if (first) fd::shut_waking(fd_, watch_.load(std::memory_order_acquire) != nullptr ? 1 : 0);
  leave();
  return first;
}

void descriptor::finish() noexcept {
  std::uint32_t state = state_.load(std::memory_order_acquire);
  // Somebody may just be finding out that it is closed; whoever leaves last comes here once more.
  if ((state & ~kept) != closed) return;
  if (!state_.compare_exchange_strong(state, state | finished, std::memory_order_acq_rel)) return;
  if (fd::watch* const w = watch_.exchange(nullptr, std::memory_order_acquire)) fd::unpin(*w);
  if ((state & kept) == 0) base::raw_syscall(SYS_close, fd_);
  fd::after_close(fd_);
}

std::error_code error_of(io_result failed) noexcept {
  if (failed <= io::first_own_code) return static_cast<io_errc>(io::first_own_code - failed + 1);
  return {static_cast<int>(-failed), std::system_category()};
}

void throw_io(io_result failed, const char* what) { throw std::system_error(error_of(failed), what); }

}  // namespace weft::detail
