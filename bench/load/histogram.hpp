// SPDX-License-Identifier: MIT
// A histogram of latencies with buckets that grow with the value: 1.6 % wide, no allocation while counting.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace weft_load {

class histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[index(nanoseconds)];
    ++count_;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }

  // The value below which the given share (0 to 1) of all lies: the middle of its bucket. 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank || (seen == count_ && seen > 0)) return (lowest(i) + lowest(i + 1)) / 2;
    }
    return 0;
  }

 private:
  static constexpr unsigned sub_bits = 6;
  static constexpr std::size_t sub = std::size_t{1} << sub_bits;

  static std::size_t index(std::uint64_t value) {
    if (value < sub) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - sub_bits;
    return (std::size_t{shift} + 1) * sub + ((value >> shift) - sub);
  }

  static std::uint64_t lowest(std::size_t i) {
    if (i < sub) return i;
    return (sub + i % sub) << (i / sub - 1);
  }

  std::array<std::uint64_t, (64 - sub_bits + 1) * sub> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace weft_load
