// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/mutex.hpp"
#include "weft/tls_stream.hpp"

struct bio_st;

namespace weft::tls {

/// OpenSSL's state of one stream, between two buffers in memory, and the stream below that fills and empties them.
///
/// OpenSSL itself never waits: what it wants is fed to it, and what it has for the peer is flushed, by whichever call comes
/// upon it. So a read may have to send and a write to receive, and neither keeps the other from going on.
class engine : public std::enable_shared_from_this<engine> {
 public:
  engine(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting);
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  ~engine();

  ssl_st* ssl() const noexcept { return ssl_; }
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  void close() noexcept;

  void handshake(std::error_code& ec, deadline by);
  std::size_t read(mutable_buffer to, std::error_code& ec, deadline by);
  std::size_t write(std::span<const const_buffer> from, std::error_code& ec, deadline by);
  void shutdown(std::error_code& ec, deadline by);

 private:
  // One call of OpenSSL and what it said.
  struct step {
    int result;                 // of the call: > 0 is success
    int wants = 0;              // SSL_get_error
    bool has_output = false;    // there is something for the peer
    std::uint64_t fed = 0;      // how often it had been given something by then
    std::error_code failure{};  // why, if it is neither success nor a want
  };
  template <class Call>
  step call(Call&& on);

  /// Reads from below what OpenSSL wants, unless somebody has since it was `seen` to want.
  bool feed(std::uint64_t seen, std::error_code& ec, deadline by);
  /// Sends what OpenSSL has for the peer.
  bool flush(std::error_code& ec, deadline by);
  /// The same as far as it needs no wait; the rest is left to a fiber of its own.
  void flush_soon();
  bool refill_output();
  const_buffer gather(std::span<const const_buffer> from);

  ssl_st* ssl_;
  bio_st* in_;   // what came from below, for OpenSSL to read
  bio_st* out_;  // what it wrote
  std::unique_ptr<detail::lower_stream> lower_;
  std::atomic<bool> open_{true};
  std::atomic<bool> flushing_behind_{false};  // `flush_soon` has a fiber

  mutex state_;  // of the three above and `fed_`; nothing waits under it
  std::uint64_t fed_ = 0;

  mutex sending_;  // one write at a time: OpenSSL wants an interrupted one to be repeated before any other
  std::vector<char> gathered_;
  mutex receiving_;  // of the reading end below and `arrived_`
  std::vector<char> arrived_;
  mutex flushing_;  // of the writing end below and the two below
  std::vector<char> leaving_;
  std::size_t left_ = 0;  // of `leaving_`: sent already
};

}  // namespace weft::tls
