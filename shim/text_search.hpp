// SPDX-License-Identifier: MIT
// Looking through a program's text, sixteen bytes at a time: of 200 MB, perhaps, in each process that makes a thread.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "shim/image.hpp"

namespace weft::shim {

inline __m128i load16(const std::uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline __m128i all_bytes(unsigned byte) { return _mm_set1_epi8(static_cast<char>(byte)); }

template <class F>
void each_bit(int hits, std::size_t base, F f) {
  for (; hits != 0; hits &= hits - 1) f(base + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(hits))));
}

/// Calls f(offset) for each pair of bytes (first, second) in [from, to).
template <class F>
void each_pair(const std::uint8_t* bytes, std::size_t from, std::size_t to, std::uint8_t first, std::uint8_t second,
               F f) {
  const __m128i a = all_bytes(first), b = all_bytes(second);
  std::size_t i = from;
  for (; i + 17 <= to; i += 16) {
    const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(load16(bytes + i), a), _mm_cmpeq_epi8(load16(bytes + i + 1), b));
    each_bit(_mm_movemask_epi8(both), i, f);
  }
  for (; i + 1 < to; ++i) {
    if (bytes[i] == first && bytes[i + 1] == second) f(i);
  }
}

/// Whether bytes[i] may be the last of the opcode of a direct jump or call with a 4-byte distance (e8, e9, 0f 8x) or the byte behind that of a
/// lea of a code address (8d, with the address relative to rip).
inline bool is_before_distance(const std::uint8_t* bytes, std::size_t i) {
  const std::uint8_t b = bytes[i], before = i != 0 ? bytes[i - 1] : std::uint8_t{0};
  return (b & 0xfe) == 0xe8 || ((b & 0xf0) == 0x80 && before == 0x0f) || ((b & 0xc7) == 0x05 && before == 0x8d);
}

/// Calls f(i) for each such byte whose distance lies before @p size.
template <class F>
void each_distance(const std::uint8_t* bytes, std::size_t size, F f) {
  const auto masked = [&](__m128i at, unsigned mask, unsigned value) {
    return _mm_cmpeq_epi8(_mm_and_si128(at, all_bytes(mask)), all_bytes(value));
  };
  std::size_t i = 1;
  if (size >= 5 && is_before_distance(bytes, 0)) f(std::size_t{0});
  for (; i + 16 + 4 <= size; i += 16) {
    const __m128i at = load16(bytes + i), before = load16(bytes + i - 1);
    const __m128i conditional = _mm_and_si128(masked(at, 0xf0, 0x80), _mm_cmpeq_epi8(before, all_bytes(0x0f)));
    const __m128i address = _mm_and_si128(masked(at, 0xc7, 0x05), _mm_cmpeq_epi8(before, all_bytes(0x8d)));
    each_bit(_mm_movemask_epi8(_mm_or_si128(masked(at, 0xfe, 0xe8), _mm_or_si128(conditional, address))), i, f);
  }
  for (; i + 5 <= size; ++i) {
    if (is_before_distance(bytes, i)) f(i);
  }
}

/// The longest range that `each_distance_to` can look for.
inline constexpr std::uint64_t max_reach = 1 << 15;

/// The same for those that may lead into @p to, of max_reach at most, and a few others; @p address is that of bytes[0]. Only the upper half
/// of a distance is compared, which has two values for a page of code.
template <class F>
void each_distance_to(address_range to, const std::uint8_t* bytes, std::size_t size, std::uint64_t address, F f) {
  constexpr std::size_t step = 4096;
  for (std::size_t from = 0; from < size; from += step) {
    const std::size_t end = std::min(from + step, size);
    const auto least = static_cast<std::uint32_t>(to.begin - (address + end + 5));
    const auto most = static_cast<std::uint32_t>(to.end - (address + from + 5));
    const __m128i third = all_bytes(least >> 16), fourth = all_bytes(least >> 24);
    const __m128i third_too = all_bytes(most >> 16), fourth_too = all_bytes(most >> 24);
    std::size_t i = from;
    for (; i + 16 <= end && i + 16 + 4 <= size; i += 16) {
      const __m128i a = load16(bytes + i + 3), b = load16(bytes + i + 4);
      const __m128i one = _mm_and_si128(_mm_cmpeq_epi8(a, third), _mm_cmpeq_epi8(b, fourth));
      const __m128i other = _mm_and_si128(_mm_cmpeq_epi8(a, third_too), _mm_cmpeq_epi8(b, fourth_too));
      const auto check = [&](std::size_t at) {
        if (is_before_distance(bytes, at)) f(at);
      };
      each_bit(_mm_movemask_epi8(_mm_or_si128(one, other)), i, check);
    }
    for (; i < end && i + 5 <= size; ++i) {
      if (is_before_distance(bytes, i)) f(i);
    }
  }
}

}  // namespace weft::shim
