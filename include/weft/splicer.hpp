// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <system_error>

#include "weft/deadline.hpp"
#include "weft/pipe.hpp"
#include "weft/stream_socket.hpp"
#include "weft/unique_fd.hpp"

namespace weft {

namespace detail {
template <class T>
concept splice_source = std::derived_from<T, stream_socket> || std::derived_from<T, pipe_reader>;
template <class T>
concept splice_target = std::derived_from<T, stream_socket> || std::derived_from<T, pipe_writer>;
}  // namespace detail

/// Relays what comes out of one stream into another inside the kernel (splice(2)): for a proxy, which does not look at the
/// bytes. From a `stream_socket` or a `pipe_reader` to a `stream_socket` or a `pipe_writer`; a file goes by
/// `stream_socket::send_file`, and what is to be read or changed by `read_some` and `write_all`.
///
///     weft::splicer upwards;
///     upwards.splice_all(client, server);     // until the client has ended
///     server.shutdown();
///
/// Between the two lies a pipe of its own, which keeps what was taken and could not be given yet.
///
/// Blocking  Suspends while nothing has come, and while the other side takes nothing.
/// Order     Bytes keep their order.
/// Timeout   One deadline for a whole call; when it passes the call fails with io_errc::timed_out.
/// Cancel    A call that waits is a cancellation point. Nothing is lost by that, or by a deadline: what was taken stays in
///           `pending`, and goes before all else in the next call.
/// Errors    std::system_error, or the std::error_code& of the twin: the system's, or io_errc. EBADF from either stream when it
///           is closed, EPIPE (and no SIGPIPE) when nobody reads the target, EINVAL where the kernel cannot splice
///           (into a file opened with O_APPEND).
/// Threads   One fiber at a time; an object for each direction.
/// Lifetime  What is pending goes with it. In a fork's child make another one: the pipe is shared with the parent's.
/// Cost      Two descriptors. Two system calls for what lies there, up to 64 KiB, which is not copied; below a few KiB at a time
///           `read_some` and `write_all` are as quick.
class splicer {
 public:
  /// @throws std::system_error  there is no descriptor left
  splicer();

  /// Moves what has come, at least one byte and at most @p most.
  /// @return the number of bytes that went into @p to; 0 when @p from has ended, or for a @p most of 0
  template <detail::splice_source From, detail::splice_target To>
  std::size_t splice_some(From& from, To& to, std::size_t most = no_end, deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t n = move(handle_of(from), handle_of(to), most, ec, by);
    if (ec) detail::throw_error(ec, "weft: splice");
    return n;
  }
  template <detail::splice_source From, detail::splice_target To>
  std::size_t splice_some(From& from, To& to, std::size_t most, std::error_code& ec, deadline by = deadline::never()) {
    return move(handle_of(from), handle_of(to), most, ec, by);
  }

  /// Moves all until @p from has ended. @return the number of bytes
  template <detail::splice_source From, detail::splice_target To>
  std::uint64_t splice_all(From& from, To& to, deadline by = deadline::never()) {
    std::error_code ec;
    const std::uint64_t n = splice_all(from, to, ec, by);
    if (ec) detail::throw_error(ec, "weft: splice");
    return n;
  }
  template <detail::splice_source From, detail::splice_target To>
  std::uint64_t splice_all(From& from, To& to, std::error_code& ec, deadline by = deadline::never()) {
    std::uint64_t all = 0;
    for (;;) {
      const std::size_t n = move(handle_of(from), handle_of(to), no_end, ec, by);
      all += n;
      if (n == 0 || ec) return all;
    }
  }

  /// Bytes that were taken and not given yet.
  std::size_t pending() const noexcept { return pending_; }

 private:
  static constexpr std::size_t no_end = std::numeric_limits<std::size_t>::max();
  static detail::descriptor& handle_of(socket_base& s) noexcept { return s.handle; }
  static detail::descriptor& handle_of(detail::pipe_end& p) noexcept { return p.handle; }
  std::size_t move(detail::descriptor& from, detail::descriptor& to, std::size_t most, std::error_code& ec,
                   deadline by);

  unique_fd out_;
  unique_fd in_;
  std::size_t pending_ = 0;
};

}  // namespace weft
