// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>

#include "weft/address.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/descriptor.hpp"
#include "weft/socket_option.hpp"

namespace weft {

class splicer;

/// What all sockets have in common: an open descriptor, its addresses and options. Made as one of `stream_socket`,
/// `datagram_socket` and `listener`; a default-made one is closed.
///
/// The descriptor is non-blocking (O_NONBLOCK is set in its open file description, also when one is taken over) and
/// close-on-exec when made here. Wherever a call would block, the calling fiber waits and others run.
///
/// Cancel    A call that waits is a cancellation point; one that need not wait is one now and then (every 32nd in a row).
/// Errors    Calls throw std::system_error; each has a twin with std::error_code& that does not. What is closed answers
///           EBADF, also to those who wait in it at that moment.
/// Threads   Any number of fibers, of any hubs, may use one socket at once, close it included. Moving and destroying it
///           needs that nobody else uses it.
/// Cost      A call that need not wait costs its system call; one that waits, a switch to another fiber and back.
///           Waiting for a descriptor again and again makes no epoll_ctl.
class socket_base {
 public:
  socket_base() noexcept = default;

  bool is_open() const noexcept { return handle.number() >= 0; }
  explicit operator bool() const noexcept { return is_open(); }
  /// For system calls that Weft has no name for; -1 when closed. Never close it: that is `close`'s.
  int native_handle() const noexcept { return handle.number(); }

  /// The address that it is bound to.
  address local_address() const;
  address local_address(std::error_code& ec) const noexcept;
  /// The other side's.
  address remote_address() const;
  address remote_address(std::error_code& ec) const noexcept;

  /// @throws std::system_error as setsockopt(2) fails
  template <class T>
  void set(socket_option<T> option, typename socket_option<T>::value_type value) {
    std::error_code ec;
    set(option, value, ec);
    if (ec) throw std::system_error(ec, "weft: setsockopt");
  }
  template <class T>
  void set(socket_option<T> option, typename socket_option<T>::value_type value, std::error_code& ec) noexcept {
    const auto raw = detail::option_form<T>::to(value);
    set_raw(option.level, option.name, &raw, sizeof raw, ec);
  }
  template <class T>
  T get(socket_option<T> option) const {
    std::error_code ec;
    T value = get(option, ec);
    if (ec) throw std::system_error(ec, "weft: getsockopt");
    return value;
  }
  template <class T>
  T get(socket_option<T> option, std::error_code& ec) const noexcept {
    typename detail::option_form<T>::raw raw{};
    get_raw(option.level, option.name, &raw, sizeof raw, ec);
    return detail::option_form<T>::from(raw);
  }

  /// Waits until there is something to read (to accept, an end, an error) or room to write. Only a hint: another fiber may
  /// be faster.
  /// @return false if @p by passed first
  bool wait_readable(deadline by = deadline::never());
  bool wait_writable(deadline by = deadline::never());

  /// Closes it. Fibers that wait in it wake with EBADF. Never suspends; a second close does nothing.
  void close() noexcept { handle.close(); }
  /// Gives the descriptor away, open and non-blocking; who waits in it wakes with EBADF. @return -1 when closed
  int release() noexcept { return handle.release(); }

 protected:
  /// Takes @p fd over; -1 for none.
  explicit socket_base(int fd) noexcept : handle(fd) {}
  socket_base(socket_base&&) noexcept = default;
  socket_base& operator=(socket_base&&) noexcept = default;
  ~socket_base() = default;

  mutable detail::descriptor handle;

 private:
  friend class splicer;
  void set_raw(int level, int name, const void* value, unsigned size, std::error_code& ec) noexcept;
  void get_raw(int level, int name, void* value, unsigned size, std::error_code& ec) const noexcept;
};

}  // namespace weft
