// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::shim {

/// How long a fiber may keep its hub from others that are ready.
///
/// Threads that spin for each other, on one hub, can only waste their turns: what each waits for comes with another's. So when
/// several turns in a row were used up, with nobody who went of his own will between them, the next ones are short, until
/// somebody waits again. Threads that compute pay for it with more ticks: four on one hub took 3 % more processor time.
class turn_length {
 public:
  static constexpr long long_ns = 2'000'000;
  static constexpr long short_ns = 250'000;
  static constexpr unsigned used_up_before = 8;

  /// A turn has been used up. @param switches  the hub's count of them by now
  void used_up(std::uint64_t switches) noexcept {
    // To the loop, and from there to the next one: that is all that a tick's own end of a turn makes.
    constexpr std::uint64_t of_a_tick = 2;
    in_a_row_ = switches - last_ <= of_a_tick ? in_a_row_ + 1 : 0;
    last_ = switches;
  }
  /// Of the ticks; a turn has one to two of them.
  long interval_ns() const noexcept { return in_a_row_ < used_up_before ? long_ns : short_ns; }

 private:
  std::uint64_t last_ = 0;
  unsigned in_a_row_ = 0;
};

}  // namespace weft::shim
