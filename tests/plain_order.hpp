// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include "weft/random_schedule.hpp"

/// First in a test of the order in which ready fibers run, where that is the order of their becoming ready: a random schedule
/// draws it. Who is served first by a mutex, a queue or the like is another thing, and holds under any schedule.
#define WEFT_NEEDS_PLAIN_ORDER()                                                                  \
  if (weft::schedule_seed() != 0) {                                                               \
    GTEST_SKIP() << "who of several ready fibers goes on first is drawn under a random schedule"; \
  }                                                                                               \
  static_assert(true)
