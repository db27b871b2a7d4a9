// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include "core/patching.hpp"
#include "weft/test_clock.hpp"

/// First in a test of what is not so in a preloaded process: there a thread is a fiber of the hubs that the command asked for, and what is
/// spawned is a thread.
#define WEFT_NEEDS_PLAIN_THREADS()                                                              \
  if (weft::core::the_patcher != nullptr) {                                                     \
    GTEST_SKIP() << "preloaded: threads are fibers of the shim's hubs, and fibers are threads"; \
  }                                                                                             \
  static_assert(true)

/// A test_clock of that name, for the test that it stands in: where there can be one.
#define WEFT_TEST_CLOCK(name, ...) \
  WEFT_NEEDS_PLAIN_THREADS();      \
  const weft::test_clock name { __VA_ARGS__ }
