// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <system_error>
#include <type_traits>

#include "weft/buffer.hpp"
#include "weft/deadline.hpp"
#include "weft/io_error.hpp"

namespace weft {

namespace detail {
// Buffers of another library, and its errors. The one specialisation is in weft/asio_stream.hpp, which a program that gives
// Asio's buffers to a stream has to include.
template <class Buffers>
struct foreign_writes;
template <class Buffers>
concept foreign_source = !std::is_pointer_v<Buffers> && !std::is_convertible_v<const Buffers&, const_buffer> &&
                         !std::is_convertible_v<const Buffers&, std::span<const const_buffer>>;

using write_call = std::size_t (*)(void* stream, std::span<const const_buffer> from, std::error_code& ec, deadline by);
std::size_t write_all(write_call write, void* stream, std::span<const const_buffer> from, std::error_code& ec,
                      deadline by);
}  // namespace detail

/// The calls that write a byte stream (`stream_socket`, `pipe_writer`, `tls_stream`), made of the primitive ones that
/// Derived has. A stream is bytes in order, without boundaries; for messages use `datagram_socket`.
///
///     stream.write_all("HELO example.org\r\n", 5s);
///
/// Blocking  Suspends while the other side takes nothing.
/// Order     Bytes keep their order. Of fibers that write the same stream at once only single calls of `write_some` are
///           whole: keep longer ones apart with a mutex.
/// Timeout   One deadline holds for a whole call, also for one of many steps. When it passes the call fails with
///           io_errc::timed_out; what was written until then stays so, and the twin with std::error_code returns how much
///           that was. A passed deadline still allows what needs no wait.
/// Cancel    A call that waits is a cancellation point. A cancelled `write_some` gave nothing; a longer one keeps what it had
///           done.
/// Errors    std::system_error, or the std::error_code& of the twin: the system's, or io_errc.
template <class Derived>
class basic_writer {
 public:
  /// Gives what the other side takes at once, at least one byte.
  /// @return the number of bytes; 0 only if @p from is empty
  std::size_t write_some(const_buffer from, deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t n = self().do_write(from, ec, by);
    if (n == 0 && ec) detail::throw_error(ec, "weft: write");
    return n;
  }
  std::size_t write_some(const_buffer from, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    return self().do_write(from, ec, by);
  }
  /// The same from several places, one after the other, by one system call; those beyond the 64th wait for the next call.
  std::size_t write_some(std::span<const const_buffer> from, deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t n = self().do_write(from, ec, by);
    if (n == 0 && ec) detail::throw_error(ec, "weft: write");
    return n;
  }
  std::size_t write_some(std::span<const const_buffer> from, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    return self().do_write(from, ec, by);
  }

  /// Gives all of @p from.
  void write_all(const_buffer from, deadline by = deadline::never()) {
    std::error_code ec;
    write_all(from, ec, by);
    if (ec) detail::throw_error(ec, "weft: write_all");
  }
  std::size_t write_all(const_buffer from, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    std::size_t done = 0;
    while (done < from.size()) {
      const std::size_t n = self().do_write(from + done, ec, by);
      if (n == 0) break;
      done += n;
    }
    return done;
  }
  /// Gives all of several places, one after the other, with as few system calls as they need.
  void write_all(std::span<const const_buffer> from, deadline by = deadline::never()) {
    std::error_code ec;
    write_all(from, ec, by);
    if (ec) detail::throw_error(ec, "weft: write_all");
  }
  std::size_t write_all(std::span<const const_buffer> from, std::error_code& ec, deadline by = deadline::never()) {
    const detail::write_call write = [](void* stream, std::span<const const_buffer> some, std::error_code& error,
                                        deadline due) {
      return static_cast<Derived*>(stream)->do_write(some, error, due);
    };
    ec.clear();
    return detail::write_all(write, &self(), from, ec, by);
  }

  /// Buffers of Boost.Asio, with its errors: what makes this a SyncWriteStream. Needs weft/asio_stream.hpp.
  template <detail::foreign_source Buffers>
  std::size_t write_some(const Buffers& from) {
    return detail::foreign_writes<Buffers>::write(self(), from);
  }
  template <detail::foreign_source Buffers, class Error>
  requires(!std::is_convertible_v<Error, deadline>) std::size_t write_some(const Buffers& from, Error& ec) {
    return detail::foreign_writes<Buffers>::write(self(), from, ec);
  }

 protected:
  basic_writer() = default;
  ~basic_writer() = default;
  basic_writer(const basic_writer&) = default;
  basic_writer& operator=(const basic_writer&) = default;

 private:
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

}  // namespace weft
