// SPDX-License-Identifier: MIT
#include "weft/splicer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/operation.hpp"
#include "io/sigpipe.hpp"

namespace weft {

using detail::io_result;
using fd::direction;

namespace {
constexpr unsigned quietly = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
constexpr std::size_t most_at_once = 1 << 20;  // more than fits into the pipe; the kernel refuses a negative ssize_t
}  // namespace

splicer::splicer() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) detail::throw_io(-errno, "weft: splicer");
  out_ = unique_fd(ends[0]);
  in_ = unique_fd(ends[1]);
}

std::size_t splicer::move(detail::descriptor& from, detail::descriptor& to, std::size_t most, std::error_code& ec,
                          deadline by) {
  ec.clear();
  if (most == 0) return 0;
  if (pending_ == 0) {
    // Into an empty pipe: EAGAIN is the source's.
    const io_result n = io::operate(from, direction::read, by, from.drained(), [&](int fd) {
      return ::splice(fd, nullptr, in_.get(), nullptr, std::min(most, most_at_once), quietly);
    });
    if (n < 0) ec = detail::error_of(n);
    if (n <= 0) return 0;
    from.note_read(false);  // it is limited by the pipe's places, too
    pending_ = static_cast<std::size_t>(n);
  }
  std::size_t done = 0;
  while (pending_ != 0 && done < most) {
    const std::size_t step = std::min(pending_, most - done);
    const io_result n = io::operate(to, direction::write, by, false, [&](int fd) {
      return io::sparing_sigpipe([&] { return ::splice(out_.get(), nullptr, fd, nullptr, step, quietly); });
    });
    if (n < 0) ec = detail::error_of(n);
    if (n <= 0) break;
    pending_ -= static_cast<std::size_t>(n);
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace weft
