// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "weft/buffer.hpp"
#include "weft/deadline.hpp"
#include "weft/io_error.hpp"

// weft.hpp does not include this header: it needs those of Boost.
namespace boost::beast {
enum class role_type;
}

namespace weft {

namespace detail {

inline constexpr std::size_t most_asio_buffers = 64;  // what one call of read_some takes

/// A category of the standard's errors under the name and messages it has there.
class asio_category final : public boost::system::error_category {
 public:
  explicit asio_category(const std::error_category& of) noexcept : of_(of) {}
  const char* name() const noexcept override { return of_.name(); }
  std::string message(int code) const override { return of_.message(code); }

 private:
  const std::error_category& of_;
};

/// The error that Boost.Asio's own sockets would report, where it has one.
inline boost::system::error_code to_boost(const std::error_code& ec) {
  if (!ec) return {};
  if (ec == io_errc::timed_out) return boost::asio::error::timed_out;
  if (ec == io_errc::end_of_stream) return boost::asio::error::eof;
  if (ec.category() == std::system_category()) return {ec.value(), boost::system::system_category()};
  if (ec.category() == std::generic_category()) return {ec.value(), boost::system::generic_category()};
  // Never destroyed: errors outlive static objects.
  static auto& known = *new std::map<const std::error_category*, asio_category>;
  static std::mutex lock;
  const std::lock_guard guard(lock);
  return {ec.value(), known.try_emplace(&ec.category(), ec.category()).first->second};
}

template <class Buffer, class Place, class Buffers>
std::size_t collect(const Buffers& from, std::array<Place, most_asio_buffers>& places) {
  std::size_t count = 0;
  for (auto at = boost::asio::buffer_sequence_begin(from); at != boost::asio::buffer_sequence_end(from); ++at) {
    const Buffer part(*at);
    if (part.size() == 0) continue;
    if (count == places.size()) break;
    places[count++] = Place(part.data(), part.size());
  }
  return count;
}

template <class Buffers>
struct foreign_reads {
  static_assert(boost::asio::is_mutable_buffer_sequence<Buffers>::value);
  template <class Stream>
  static std::size_t read(Stream& from, const Buffers& to, boost::system::error_code& ec) {
    std::array<mutable_buffer, most_asio_buffers> places;
    const std::size_t count = collect<boost::asio::mutable_buffer>(to, places);
    std::error_code failed;
    const std::size_t n = from.read_some(std::span<const mutable_buffer>(places.data(), count), failed);
    ec = to_boost(failed);
    if (n == 0 && count != 0 && !ec) ec = boost::asio::error::eof;
    return n;
  }
  template <class Stream>
  static std::size_t read(Stream& from, const Buffers& to) {
    boost::system::error_code ec;
    const std::size_t n = read(from, to, ec);
    if (ec) throw boost::system::system_error(ec, "weft: read_some");
    return n;
  }
};

template <class Buffers>
struct foreign_writes {
  static_assert(boost::asio::is_const_buffer_sequence<Buffers>::value);
  template <class Stream>
  static std::size_t write(Stream& to, const Buffers& from, boost::system::error_code& ec) {
    std::array<const_buffer, most_asio_buffers> places;
    const std::size_t count = collect<boost::asio::const_buffer>(from, places);
    std::error_code failed;
    const std::size_t n = to.write_some(std::span<const const_buffer>(places.data(), count), failed);
    ec = to_boost(failed);
    return n;
  }
  template <class Stream>
  static std::size_t write(Stream& to, const Buffers& from) {
    boost::system::error_code ec;
    const std::size_t n = write(to, from, ec);
    if (ec) throw boost::system::system_error(ec, "weft: write_some");
    return n;
  }
};

}  // namespace detail

/// A stream of Weft (`stream_socket`, `tls_stream`) for code written for Boost.Asio's synchronous streams, as Boost.Beast's HTTP
/// and WebSocket are: its calls suspend the fiber where Asio's would block the thread.
///
/// With this header included the streams themselves are SyncReadStreams and SyncWriteStreams, which is all that HTTP needs:
///
///     boost::beast::http::read(socket, buffer, request);
///
/// `asio_stream` adds what a WebSocket asks for besides (an executor, a way to end it) and one deadline for all calls:
///
///     boost::beast::websocket::stream<weft::asio_stream<weft::stream_socket>> ws(std::move(socket));
///     ws.next_layer().expires(10s);
///     ws.accept();
///
/// Blocking  As the stream's own calls.
/// Timeout   `expires`: boost::asio::error::timed_out from then on. For calls on the stream itself there is none.
/// Cancel    As the stream's own calls; the exception passes through Beast.
/// Errors    boost::system::error_code: the end of the stream is boost::asio::error::eof, errors of the system keep their
///           number, others their category's name and messages.
/// Threads   As the stream's. Asynchronous operations are not for these streams: nothing runs their handlers.
template <class Stream>
class asio_stream {
 public:
  using next_layer_type = Stream;
  using lowest_layer_type = asio_stream;
  using executor_type = boost::asio::io_context::executor_type;

  asio_stream() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): Beast's wrappers make it of what they are given
  asio_stream(Stream stream) noexcept : stream_(std::move(stream)) {}

  /// An executor that nobody runs.
  executor_type get_executor() noexcept {
    static auto& nobody = *new boost::asio::io_context(1);
    return nobody.get_executor();
  }
  Stream& next_layer() noexcept { return stream_; }
  const Stream& next_layer() const noexcept { return stream_; }
  lowest_layer_type& lowest_layer() noexcept { return *this; }
  const lowest_layer_type& lowest_layer() const noexcept { return *this; }

  /// What the calls from now on, all together, have time until.
  void expires(deadline by) noexcept { by_ = by; }

  template <class Buffers>
  std::size_t read_some(const Buffers& to, boost::system::error_code& ec) {
    bounded due{stream_, by_};
    return detail::foreign_reads<Buffers>::read(due, to, ec);
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& to) {
    bounded due{stream_, by_};
    return detail::foreign_reads<Buffers>::read(due, to);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& from, boost::system::error_code& ec) {
    bounded due{stream_, by_};
    return detail::foreign_writes<Buffers>::write(due, from, ec);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& from) {
    bounded due{stream_, by_};
    return detail::foreign_writes<Buffers>::write(due, from);
  }

  /// Beast's way to end a stream below a WebSocket: what both sides have said has been said.
  friend void teardown(boost::beast::role_type, asio_stream& s, boost::system::error_code& ec) {
    ec.clear();
    s.stream_.close();
  }

 private:
  struct bounded {
    Stream& stream;
    deadline by;
    std::size_t read_some(std::span<const mutable_buffer> to, std::error_code& ec) {
      return stream.read_some(to, ec, by);
    }
    std::size_t write_some(std::span<const const_buffer> from, std::error_code& ec) {
      return stream.write_some(from, ec, by);
    }
  };

  Stream stream_{};
  deadline by_;
};

}  // namespace weft
