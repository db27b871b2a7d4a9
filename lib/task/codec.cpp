// SPDX-License-Identifier: MIT
#include "weft/codec.hpp"

namespace weft {

codec_error::codec_error(const char* what) : std::runtime_error(what) {}
codec_error::~codec_error() = default;

std::span<const char> decoder::raw(std::size_t size) {
  if (size > bytes_.size()) throw codec_error("weft: a message ends before its value does");
  const std::span<const char> head = bytes_.first(size);
  bytes_ = bytes_.subspan(size);
  return head;
}

std::size_t decoder::count() {
  const auto n = get<std::uint64_t>();
  if (n > bytes_.size()) throw codec_error("weft: a message is too short for its count of elements");
  return n;
}

}  // namespace weft
