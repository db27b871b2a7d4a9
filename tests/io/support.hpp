// SPDX-License-Identifier: MIT
// What the tests of sockets share.
#pragma once

#include <dirent.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <system_error>

#include "tests/core/cancelling.hpp"
#include "tests/core/eventually.hpp"
#include "weft/fiber.hpp"

namespace weft::test {

using namespace std::chrono_literals;

/// Runs the others until @p condition holds; a minute is the limit.
template <class Condition>
testing::AssertionResult within_a_minute(Condition condition) {
  if (eventually(condition, 60s)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "not within a minute";
}

/// For what nothing in the test can go on without.
template <class Condition>
void until(Condition condition) {
  ASSERT_TRUE(within_a_minute(condition));
}

/// The code that @p call throws; none if it does not.
template <class Call>
std::error_code failure(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

using testing_support::cancels;
using testing_support::cancels_going;
using testing_support::expect_given_up;

inline std::set<std::string> open_files() {
  std::set<std::string> names;
  DIR* const folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) names.insert(entry->d_name);
  closedir(folder);
  return names;
}

}  // namespace weft::test
