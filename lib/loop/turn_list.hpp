// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::loop {

class io;

/// The watchers of descriptors that one look at the kernel found ready, and that have not been called back yet. libev would
/// call each back at once, last first; here it is known who comes next, so that with thousands of connections the cache
/// misses of one turn are hidden behind the one before.
class turn_list {
 public:
  /// libev reports @p w. @return false if there is no memory: it is to be called back at once
  bool add(io& w) noexcept;
  /// @p w is stopped: it is not to be called back any more.
  void remove(io& w) noexcept;
  /// Calls back all, in the order in which the kernel told of them.
  void run() noexcept;
  /// Forgets all: their loop is gone.
  void clear() noexcept { size_ = 0; }

 private:
  void announce(std::uint32_t ahead) const noexcept;

  io** all_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t room_ = 0;
};

}  // namespace weft::loop
