// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "weft/basic_reader.hpp"
#include "weft/basic_writer.hpp"
#include "weft/deadline.hpp"
#include "weft/tls_context.hpp"

struct ssl_st;

namespace weft {

namespace tls {
class engine;
}

namespace detail {
// The stream below, whatever it is.
struct lower_stream {
  virtual ~lower_stream() = default;
  virtual std::size_t read(mutable_buffer to, std::error_code& ec, deadline by) = 0;
  virtual std::size_t write(const_buffer from, std::error_code& ec, deadline by) = 0;
  virtual void close() noexcept = 0;
};
template <class Stream>
struct lower_stream_of final : lower_stream {
  explicit lower_stream_of(Stream s) : stream(std::move(s)) {}
  std::size_t read(mutable_buffer to, std::error_code& ec, deadline by) override {
    return stream.read_some(to, ec, by);
  }
  std::size_t write(const_buffer from, std::error_code& ec, deadline by) override {
    return stream.write_some(from, ec, by);
  }
  void close() noexcept override { stream.close(); }
  Stream stream;
};
}  // namespace detail

/// An encrypted stream over another one, by OpenSSL: over a `stream_socket`, or anything with read_some, write_some and close.
/// In a library of its own: link weft::tls.
///
///     weft::tls_context context = weft::tls_context::client();
///     auto s = weft::tls_stream::client(weft::connect("example.org", 443), context, "example.org");
///     s.write_all("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n");
///
/// Its reads and writes are in basic_reader.hpp and basic_writer.hpp; with weft/asio_stream.hpp it serves Boost.Beast.
/// Handshakes and key updates that the peer begins go on behind them: a read sends what they need, and a write reads it.
///
/// Order     One fiber may read while another writes, on whatever hubs; several readers or writers take turns.
/// Timeout   A write has given what it returns when that is encrypted. What the peer has not taken by the deadline, a record
///           at most, goes out with the next call.
/// Cancel    A read that was cancelled took nothing. A write may have given a part: end the stream then.
/// Errors    tls_error.hpp, and those of the stream below. What is closed answers EBADF; a write behind `shutdown` EPIPE.
/// Threads   Safe from any fiber of any thread, but for moving and destroying it.
/// Lifetime  Its destruction closes the stream below without telling the peer: see `shutdown`. Fibers that wait in it then wake
///           with EBADF, as by `close`. One that was moved away is closed, as a default-made one.
/// Cost      One copy more each way than the stream below, and the ciphers. About 60 KiB a stream.
class tls_stream : public basic_reader<tls_stream>, public basic_writer<tls_stream> {
 public:
  tls_stream() noexcept;
  /// The client's side: shakes hands, and returns once the server has proven that it is @p host (a name or an IP address).
  /// @throws std::system_error  tls_errc::no_name: @p host is empty and @p context verifies; invalid_argument: it is longer than
  ///         255 bytes or has a zero byte; std::logic_error  @p context was moved away
  template <class Stream>
  static tls_stream client(Stream lower, const tls_context& context, const std::string& host,
                           deadline by = deadline::never()) {
    return start(std::make_unique<detail::lower_stream_of<Stream>>(std::move(lower)), context, false, host, by);
  }
  /// The same without exceptions. @return a closed one on failure
  template <class Stream>
  static tls_stream client(Stream lower, const tls_context& context, const std::string& host, std::error_code& ec,
                           deadline by = deadline::never()) {
    return start(std::make_unique<detail::lower_stream_of<Stream>>(std::move(lower)), context, false, host, ec, by);
  }
  /// The server's side: shakes hands.
  template <class Stream>
  static tls_stream server(Stream lower, const tls_context& context, deadline by = deadline::never()) {
    return start(std::make_unique<detail::lower_stream_of<Stream>>(std::move(lower)), context, true, {}, by);
  }
  template <class Stream>
  static tls_stream server(Stream lower, const tls_context& context, std::error_code& ec,
                           deadline by = deadline::never()) {
    return start(std::make_unique<detail::lower_stream_of<Stream>>(std::move(lower)), context, true, {}, ec, by);
  }
  tls_stream(tls_stream&&) noexcept;
  tls_stream& operator=(tls_stream&&) noexcept;
  ~tls_stream();

  /// Tells the peer that no more comes from here (close_notify); it can still be read from. A reader at the other side sees
  /// the end.
  void shutdown(deadline by = deadline::never());
  void shutdown(std::error_code& ec, deadline by = deadline::never());
  /// Closes the stream below at once. Fibers that wait in it wake with EBADF.
  void close() noexcept;
  bool is_open() const noexcept;

  // What the handshake has agreed on; empty for a stream that was never made.

  /// "TLSv1.3"
  std::string version() const;
  std::string cipher() const;
  /// The application protocol; empty for none.
  std::string alpn() const;
  /// The name that the client asked for; empty for none.
  std::string server_name() const;
  /// The peer's certificate as PEM; empty if it has shown none.
  std::string peer_certificate() const;
  /// Whether the handshake was a short one, by a session of before: see `tls_context::resume`.
  bool resumed() const noexcept;
  /// For everything else that OpenSSL offers; nullptr if it was never made. Not while another fiber uses the stream.
  ssl_st* native_handle() const noexcept;

 private:
  friend class basic_reader<tls_stream>;
  friend class basic_writer<tls_stream>;
  explicit tls_stream(std::shared_ptr<tls::engine> engine) noexcept;
  static tls_stream start(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting,
                          const std::string& host, deadline by);
  static tls_stream start(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting,
                          const std::string& host, std::error_code& ec, deadline by);
  std::size_t do_read(mutable_buffer to, std::error_code& ec, deadline by);
  std::size_t do_read(std::span<const mutable_buffer> to, std::error_code& ec, deadline by);
  std::size_t do_write(const_buffer from, std::error_code& ec, deadline by);
  std::size_t do_write(std::span<const const_buffer> from, std::error_code& ec, deadline by);

  std::shared_ptr<tls::engine> engine_;
};

}  // namespace weft
