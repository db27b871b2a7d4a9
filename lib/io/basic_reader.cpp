// SPDX-License-Identifier: MIT
#include "weft/basic_reader.hpp"

#include <algorithm>

namespace weft::detail {

std::size_t read_until(read_call read, void* stream, std::string& buffer, std::string_view delimiter, std::size_t limit,
                       std::error_code& ec, deadline by) {
  constexpr std::size_t step = 4096;
  std::size_t looked_at = 0;
  for (;;) {
    const std::size_t found = buffer.find(delimiter, looked_at);
    if (found != buffer.npos) return found + delimiter.size();
    // A delimiter may have come in part.
    looked_at = buffer.size() < delimiter.size() ? 0 : buffer.size() - delimiter.size() + 1;
    const std::size_t have = buffer.size();
    if (have >= limit) {
      ec = io_errc::too_long;
      return 0;
    }
    buffer.resize(have + std::min(step, limit - have));
    std::size_t n = 0;
    try {
      n = read(stream, mutable_buffer(buffer) + have, ec, by);
    } catch (...) {
      buffer.resize(have);
      throw;
    }
    buffer.resize(have + n);
    if (n == 0) {
      if (!ec) ec = io_errc::end_of_stream;
      return 0;
    }
  }
}

}  // namespace weft::detail
