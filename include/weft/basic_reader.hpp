// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
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
struct foreign_reads;
template <class Buffers>
concept foreign_target = !std::is_convertible_v<const Buffers&, const_buffer> &&
                         !std::is_convertible_v<const Buffers&, std::span<const mutable_buffer>>;

using read_call = std::size_t (*)(void* stream, mutable_buffer to, std::error_code& ec, deadline by);
std::size_t read_until(read_call read, void* stream, std::string& buffer, std::string_view delimiter, std::size_t limit,
                       std::error_code& ec, deadline by);
}  // namespace detail

/// The calls that read a byte stream (`stream_socket`, `pipe_reader`, `tls_stream`), made of the primitive ones that Derived
/// has. A stream is bytes in order, without boundaries; for messages use `datagram_socket`.
///
///     while (std::size_t n = stream.read_some(buffer)) stream.write_all({buffer, n});   // 0: the peer has ended
///
/// Blocking  Suspends while nothing has come.
/// Order     Bytes keep their order. Fibers that read the same stream at once each get some of them, so only single
///           calls of `read_some` are whole then.
/// Timeout   One deadline holds for a whole call, also for one of many steps. When it passes the call fails with
///           io_errc::timed_out; what was read until then stays so, and the twin with std::error_code returns how much
///           that was. A passed deadline still allows what needs no wait.
/// Cancel    A call that waits is a cancellation point. A cancelled `read_some` took nothing; a longer one keeps what it had
///           done.
/// Errors    std::system_error, or the std::error_code& of the twin: the system's, or io_errc.
template <class Derived>
class basic_reader {
 public:
  /// Takes what has come, at least one byte and at most what fits.
  /// @return the number of bytes; 0 when the peer has ended the stream, or @p to has no room
  std::size_t read_some(mutable_buffer to, deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t n = self().do_read(to, ec, by);
    if (n == 0 && ec) detail::throw_error(ec, "weft: read");
    return n;
  }
  std::size_t read_some(mutable_buffer to, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    return self().do_read(to, ec, by);
  }
  /// The same into several places, filled one after the other by one system call; beyond 64 are left alone.
  std::size_t read_some(std::span<const mutable_buffer> to, deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t n = self().do_read(to, ec, by);
    if (n == 0 && ec) detail::throw_error(ec, "weft: read");
    return n;
  }
  std::size_t read_some(std::span<const mutable_buffer> to, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    return self().do_read(to, ec, by);
  }

  /// Fills all of @p to.
  /// @throws std::system_error  io_errc::end_of_stream if the stream ends before
  void read_exactly(mutable_buffer to, deadline by = deadline::never()) {
    std::error_code ec;
    read_exactly(to, ec, by);
    if (ec) detail::throw_error(ec, "weft: read_exactly");
  }
  std::size_t read_exactly(mutable_buffer to, std::error_code& ec, deadline by = deadline::never()) {
    ec.clear();
    std::size_t done = 0;
    while (done < to.size()) {
      const std::size_t n = self().do_read(to + done, ec, by);
      if (n == 0) {
        if (!ec) ec = io_errc::end_of_stream;
        break;
      }
      done += n;
    }
    return done;
  }

  /// Reads until @p buffer contains @p delimiter; what is in it already counts. More than the delimiter may have come:
  /// it stays in the buffer, for the next call. An empty delimiter is there at once, and reads nothing.
  ///
  ///     std::string buffer;
  ///     for (;;) {
  ///       std::size_t length = stream.read_until(buffer, "\r\n");
  ///       handle(std::string_view(buffer).substr(0, length));      // the line with its end
  ///       buffer.erase(0, length);
  ///     }
  ///
  /// @return how many bytes of the buffer reach to the end of the first delimiter
  /// @throws std::system_error  io_errc::too_long if @p limit bytes hold none, io_errc::end_of_stream if none came
  std::size_t read_until(std::string& buffer, std::string_view delimiter, std::size_t limit,
                         deadline by = deadline::never()) {
    std::error_code ec;
    const std::size_t length = read_until(buffer, delimiter, limit, ec, by);
    if (ec) detail::throw_error(ec, "weft: read_until");
    return length;
  }
  std::size_t read_until(std::string& buffer, std::string_view delimiter, deadline by = deadline::never()) {
    return read_until(buffer, delimiter, default_limit, by);
  }
  std::size_t read_until(std::string& buffer, std::string_view delimiter, std::size_t limit, std::error_code& ec,
                         deadline by = deadline::never()) {
    const detail::read_call read = [](void* stream, mutable_buffer to, std::error_code& error, deadline due) {
      return static_cast<Derived*>(stream)->do_read(to, error, due);
    };
    ec.clear();
    return detail::read_until(read, &self(), buffer, delimiter, limit, ec, by);
  }

  /// Buffers of Boost.Asio, with its errors: what makes this a SyncReadStream. The end of the stream is an error there,
  /// boost::asio::error::eof. Needs weft/asio_stream.hpp.
  template <detail::foreign_target Buffers>
  std::size_t read_some(const Buffers& to) {
    return detail::foreign_reads<Buffers>::read(self(), to);
  }
  template <detail::foreign_target Buffers, class Error>
  requires(!std::is_convertible_v<Error, deadline>) std::size_t read_some(const Buffers& to, Error& ec) {
    return detail::foreign_reads<Buffers>::read(self(), to, ec);
  }

 protected:
  basic_reader() = default;
  ~basic_reader() = default;
  basic_reader(const basic_reader&) = default;
  basic_reader& operator=(const basic_reader&) = default;

 private:
  static constexpr std::size_t default_limit = 65536;
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

}  // namespace weft
