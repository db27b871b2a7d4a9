// SPDX-License-Identifier: MIT
// What the tests of sockets share.
#pragma once

#include <dirent.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <system_error>

#include "weft/detail/cancel_record.hpp"
#include "weft/fiber.hpp"

namespace weft::test {

using namespace std::chrono_literals;

/// Lets every fiber that is ready run until it waits.
inline void settle() {
  for (int i = 0; i < 8; ++i) this_fiber::yield();
}

/// Runs the others until @p condition holds; a minute is the limit.
template <class Condition>
testing::AssertionResult eventually(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return testing::AssertionFailure() << "not within a minute";
    this_fiber::sleep_for(100us);
  }
  return testing::AssertionSuccess();
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

struct stopped {};

/// Whether @p call, which has to wait, ends when what the fiber does is cancelled.
template <class Call>
bool is_cancellable(Call call) {
  struct record : detail::cancel_record {
    record() : cancel_record([](cancel_record&) { throw stopped(); }) {}
    ~record() { leave(); }
  } r;
  r.enter();
  const fiber canceller = spawn([&r] { r.request(); });
  bool cancelled = false;
  try {
    call();
  } catch (const stopped&) {
    cancelled = true;
  }
  r.leave();
  canceller.join();
  return cancelled;
}

inline std::set<std::string> open_files() {
  std::set<std::string> names;
  DIR* const folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) names.insert(entry->d_name);
  closedir(folder);
  return names;
}

}  // namespace weft::test
