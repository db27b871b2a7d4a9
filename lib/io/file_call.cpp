// SPDX-License-Identifier: MIT
// Calls on files by the hub's ring, or by a real thread.
#include "io/file_call.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "io/file_ring.hpp"
#include "io/operation.hpp"
#include "weft/offload.hpp"
#include "weft/shield.hpp"

namespace weft::io {

namespace {

long call_libc(const file_call& c) noexcept {
  const auto offset = static_cast<off_t>(c.offset);
  switch (c.what) {
    case file_call::kind::open:
      return ::open(c.path, c.flags | O_CLOEXEC, c.mode);
    case file_call::kind::read:
      return ::preadv(c.fd, c.places, c.count, offset);
    case file_call::kind::write:
      return ::pwritev(c.fd, c.places, c.count, offset);
    case file_call::kind::sync:
      return ::fsync(c.fd);
    case file_call::kind::sync_data:
      return ::fdatasync(c.fd);
    case file_call::kind::status:
      return ::statx(c.fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, c.status);
    case file_call::kind::truncate:
      return ::ftruncate(c.fd, offset);
  }
  __builtin_unreachable();
}

io_result call_now(const file_call& c) noexcept {
  long result;
  do {
    result = call_libc(c);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

// A call that a thread has begun cannot be taken back.
void perform_by_thread(const file_call& c, deadline by, io_result& result) {
  future<void> end;
  try {
    end = default_thread_pool().submit([&c, &result] { result = call_now(c); });
  } catch (const std::system_error& error) {
    result = -error.code().value();
    return;
  }
  const auto take_back = [&end] {
    if (end.cancel()) return;
    const shield guard;
    end.wait();
  };
  try {
    if (!end.wait(by)) take_back();
  } catch (...) {
    take_back();
    throw;
  }
}

}  // namespace

io_result perform(const file_call& c, deadline by) {
  io_result result = failed_with(io_errc::timed_out);
  try {
    file_ring* const ring = c.what == file_call::kind::truncate ? nullptr : file_ring::of_this_hub();
    if (ring == nullptr || !ring->perform(c, by, result)) perform_by_thread(c, by, result);
  } catch (...) {
    if (c.what == file_call::kind::open && result >= 0) ::close(static_cast<int>(result));
    throw;
  }
  return result;
}

}  // namespace weft::io
