// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "weft/basic_reader.hpp"
#include "weft/basic_writer.hpp"
#include "weft/socket_base.hpp"
#include "weft/unique_fd.hpp"

namespace weft {

namespace detail {
class connection_race;
}

/// A connected stream socket, TCP or Unix. To reach a host by its name use `connect` (connect.hpp), to take connections
/// `listener` or `stream_server`, for messages `datagram_socket`.
///
///     auto s = weft::stream_socket::connect(weft::address::parse("127.0.0.1:7"), 2s);
///     s.write_all("hello");
///     s.shutdown();                       // no more from here
///     while (std::size_t n = s.read_some(buffer)) ...
///
/// Its reads and writes are in basic_reader.hpp and basic_writer.hpp, its options and addresses in socket_base.hpp. It is a
/// SyncReadStream and a SyncWriteStream of Boost.Asio with weft/asio_stream.hpp. Nagle's algorithm is off (TCP_NODELAY) in
/// sockets made by `connect` and, from its listener, by accept; writing to a peer that has gone raises no SIGPIPE.
///
/// Lifetime  Its destruction closes it. Unsent data still goes out (see socket_options::linger).
/// Cost      An echo of a message is one recv and one send: a read that emptied the socket makes the next one wait before it
///           tries.
class stream_socket : public socket_base, public basic_reader<stream_socket>, public basic_writer<stream_socket> {
 public:
  stream_socket() noexcept = default;
  /// Takes over a connected (or yet to be connected) stream socket.
  /// @throws std::system_error  it is none (ENOTSOCK, EPROTOTYPE, EBADF); then @p fd stays the caller's
  explicit stream_socket(int fd);

  /// Connects to one address, optionally from a local one.
  /// @throws std::system_error  as connect(2) fails, or io_errc::timed_out
  static stream_socket connect(const address& to, deadline by = deadline::never());
  static stream_socket connect(const address& to, const address& from, deadline by = deadline::never());
  static stream_socket connect(const address& to, std::error_code& ec, deadline by = deadline::never());

  /// Two Unix sockets connected with each other.
  static std::pair<stream_socket, stream_socket> pair();

  /// Ends one direction (SHUT_WR, the default, tells the peer that no more comes) or both. Wakes who waits in it.
  void shutdown(int how = SHUT_WR);
  void shutdown(int how, std::error_code& ec) noexcept;

  /// Looks at what has come without taking it. @return as `read_some`
  std::size_t peek_some(mutable_buffer to, deadline by = deadline::never());

  /// Sends @p count bytes of an open file from @p offset on by sendfile(2), without copying them through the program. Pages
  /// that are not in memory are read while the hub waits for the disk: for cold files use `file` and `write_all`.
  /// @return the number of bytes, less than @p count only if the file ends before
  std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t count, deadline by = deadline::never());
  std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t count, std::error_code& ec,
                          deadline by = deadline::never());

  /// Sends bytes, at least one, with descriptors of this process attached to the first of them (SCM_RIGHTS; Unix sockets
  /// only, at most 253 at once). The descriptors stay open here.
  /// @return the number of bytes that went, as `write_some`
  /// @throws std::system_error  EINVAL: no bytes, or too many descriptors; EBADF: one is none
  std::size_t send_fds(const_buffer from, std::span<const int> fds, deadline by = deadline::never());

  struct received {
    std::size_t bytes = 0;       ///< 0: the peer has ended
    std::vector<unique_fd> fds;  ///< those attached to the bytes, close-on-exec
  };
  /// Reads bytes and the descriptors attached to them, at most @p most_fds.
  /// @throws std::system_error  EMSGSIZE if more were attached; those are closed. EINVAL: no room, or @p most_fds above 253
  received receive_fds(mutable_buffer to, std::size_t most_fds, deadline by = deadline::never());

 private:
  friend class basic_reader<stream_socket>;
  friend class basic_writer<stream_socket>;
  friend class listener;
  friend class detail::connection_race;
  struct trusted {};
  stream_socket(int fd, trusted) noexcept : socket_base(fd) {}

  static stream_socket connect(const address& to, const address* from, std::error_code& ec, deadline by);
  std::size_t do_read(mutable_buffer to, std::error_code& ec, deadline by);
  std::size_t do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by);
  std::size_t do_write(const_buffer from, std::error_code& ec, deadline by);
  std::size_t do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by);
};

}  // namespace weft
