// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::core {

/// What all hubs are to draw from, weft/random_schedule.hpp; 0: nothing. A hub that has another seed takes this one at its
/// next look at I/O.
extern std::atomic<std::uint64_t> schedule_seed;

/// Takes WEFT_TEST_SEED, if it is a number; the first call alone. Before the first hub is made.
void take_seed_of_environment() noexcept;

}  // namespace weft::core
