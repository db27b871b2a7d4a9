// SPDX-License-Identifier: MIT
#include "weft/basic_writer.hpp"

#include <algorithm>
#include <array>

namespace weft::detail {

std::size_t write_all(write_call write, void* stream, std::span<const const_buffer> from, std::error_code& ec,
                      deadline by) {
  std::array<const_buffer, 16> window;
  std::size_t done = 0;
  std::size_t skip = 0;  // of the first one left
  while (!from.empty()) {
    const std::size_t count = std::min(from.size(), window.size());
    std::copy_n(from.begin(), count, window.begin());
    window[0] = window[0] + skip;
    const bool nothing =
        std::all_of(window.begin(), window.begin() + count, [](const_buffer b) { return b.size() == 0; });
    const std::size_t n = nothing ? 0 : write(stream, {window.data(), count}, ec, by);
    if (n == 0 && !nothing) break;
    done += n;
    skip += n;
    while (!from.empty() && skip >= from.front().size()) {
      skip -= from.front().size();
      from = from.subspan(1);
    }
  }
  return done;
}

}  // namespace weft::detail
