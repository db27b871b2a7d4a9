// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::core {

/// What a hub draws, under a random schedule (weft/random_schedule.hpp) and elsewhere: the same numbers again for the same seed.
class draws {
 public:
  /// The seed that the numbers come from; 0: no random schedule.
  std::uint64_t seed() const noexcept { return seed_; }
  bool on() const noexcept { return seed_ != 0; }

  /// From now on as @p seed says; hubs of different numbers draw different things.
  void begin(std::uint64_t seed, unsigned hub) noexcept {
    seed_ = seed;
    state_ = seed + hub * std::uint64_t{0xd1b54a32d192ed03};
  }
  /// A number below @p limit (splitmix64; its slight bias does not matter here).
  unsigned below(unsigned limit) noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return static_cast<unsigned>((z ^ z >> 31) % limit);
  }

 private:
  std::uint64_t seed_ = 0;
  std::uint64_t state_ = 0;
};

}  // namespace weft::core
