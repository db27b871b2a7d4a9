// SPDX-License-Identifier: MIT
#include "weft/connect.hpp"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <list>
#include <string>
#include <vector>

#include "core/local_hub.hpp"
#include "core/scheduler.hpp"
#include "fd/watch.hpp"
#include "io/socket_call.hpp"
#include "weft/park.hpp"
#include "weft/resolver.hpp"

namespace weft {

namespace detail {

/// The race of RFC 8305, section 5.
class [[gnu::visibility("hidden")]] connection_race {
 public:
  connection_race(std::span<const address> to, const connect_options& options, deadline by)
      : left_(to.begin(), to.end()), options_(options), by_(by) {}

  stream_socket run() {
    core::local_hub();
    while (!left_.empty() || !running_.empty()) {
      if (!left_.empty() && (running_.empty() || deadline(deadline::clock::now()) >= next_)) start_next();
      if (winner_ == nullptr && !running_.empty()) wait();
      if (winner_ != nullptr) return std::move(winner_->socket);
    }
    const std::error_code first = failures_.front().error;
    throw connect_error(first, std::move(failures_));
  }

 private:
  struct attempt {
    stream_socket socket;
    address to;
    fd::waiter waiter;
    fd::watch* watch = nullptr;
  };

  void fail(const address& to, std::error_code ec) {
    failures_.push_back({to, ec});
    next_ = deadline::from_ns(0);  // a failure lets the next one start at once
  }

  void start_next() {
    const address to = left_.front();
    left_.pop_front();
    next_ = options_.attempt_delay;
    attempt& a = running_.emplace_back();
    a.to = to;
    const int fd = io::make_socket(to.family(), SOCK_STREAM, 0);
    if (fd < 0) return drop(fd);
    a.socket = stream_socket(fd, stream_socket::trusted());
    std::error_code ignored;
    if (to.is_ip()) a.socket.set(socket_options::no_delay, true, ignored);
    io_result result = 0;
    if (options_.from && ::bind(fd, options_.from->data(), options_.from->size()) != 0) result = -errno;
    if (result == 0 && ::connect(fd, to.data(), to.size()) != 0) result = -errno;
    if (result == 0) {
      winner_ = &a;
      return;
    }
    const bool begun = result == -EINPROGRESS || result == -EINTR;
    if (begun) a.watch = a.socket.handle.readiness();  // nobody else uses the socket
    if (a.watch != nullptr) return;
    drop(begun ? -ENOMEM : result);
  }

  // The attempt that was just begun.
  void drop(io_result failed) {
    fail(running_.back().to, error_of(failed));
    running_.pop_back();
  }

  // Until one of those that run may have come to its end, or the next may start.
  void wait() {
    const waker who = prepare_park();
    for (attempt& a : running_) {
      a.waiter.who = who;
      fd::add_waiter(*a.watch, fd::direction::write, a.waiter);
    }
    const deadline until = left_.empty() ? by_ : std::min(by_, next_);
    const int reason = core::park_cancellable(who, until.ns(), core::wait_kind::fd, nullptr);
    for (attempt& a : running_) fd::remove_waiter(*a.watch, a.waiter);
    if (reason == cancelled_wait) throw_cancelled();
    collect();
    if (winner_ == nullptr && reason == timed_out && until == by_) {
      throw connect_error(io_errc::timed_out, std::move(failures_));
    }
  }

  void collect() {
    for (auto a = running_.begin(); a != running_.end() && winner_ == nullptr;) {
      pollfd look{a->socket.native_handle(), POLLOUT, 0};
      if (::poll(&look, 1, 0) == 0) {
        ++a;
        continue;
      }
      int outcome = 0;
      socklen_t size = sizeof outcome;
      if (::getsockopt(look.fd, SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) outcome = errno;
      if (outcome == 0) {
        winner_ = &*a;
        return;
      }
      fail(a->to, error_of(-outcome));
      a = running_.erase(a);
    }
  }

  std::deque<address> left_;
  std::list<attempt> running_;
  const connect_options& options_;
  const deadline by_;
  deadline next_;
  attempt* winner_ = nullptr;
  std::vector<connect_failure> failures_;
};

}  // namespace detail

namespace {

// RFC 8305, section 4: the families take turns, that of the most preferred address first.
std::vector<address> interleaved(const std::vector<address>& sorted, const std::optional<address>& from) {
  std::vector<address> first, other, mixed;
  for (const address& a : sorted) {
    if (from && a.family() != from->family()) continue;
    (first.empty() || a.family() == first.front().family() ? first : other).push_back(a);
  }
  for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < other.size()) mixed.push_back(other[i]);
  }
  return mixed;
}

// The code's own message only if it is none of the failures': the race is late, or there was nobody to run it.
std::string text_of(const std::error_code& code, const std::vector<connect_failure>& failures) {
  std::string text = "weft: connect";
  for (const connect_failure& f : failures) {
    text += (&f == failures.data() ? ": " : ", ") + f.to.to_string() + ": " + f.error.message();
  }
  if (failures.empty() || failures.front().error != code) text += ": " + code.message();
  return text;
}

}  // namespace

connect_error::connect_error(std::error_code code, std::vector<connect_failure> failures)
    : std::system_error(code), text_(text_of(code, failures)), failures_(std::move(failures)) {}
connect_error::~connect_error() = default;

stream_socket connect(std::span<const address> to, const connect_options& options, deadline by) {
  if (to.empty()) throw connect_error({EADDRNOTAVAIL, std::system_category()}, {});
  return detail::connection_race(to, options, by).run();
}

stream_socket connect(std::string_view host, std::uint16_t port, const connect_options& options, deadline by) {
  resolver& names = options.names != nullptr ? *options.names : default_resolver();
  return connect(interleaved(names.resolve(host, port, by), options.from), options, by);
}

stream_socket connect(std::string_view host, std::uint16_t port, deadline by) {
  return connect(host, port, connect_options(), by);
}

stream_socket connect(std::string_view host, std::uint16_t port, std::error_code& ec, deadline by) {
  ec.clear();
  try {
    return connect(host, port, connect_options(), by);
  } catch (const std::system_error& error) {
    ec = error.code();
    return {};
  }
}

}  // namespace weft
