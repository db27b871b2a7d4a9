// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stress/actor.hpp"

namespace weft::stress {

/// What all actors do together. `play` returns, for each of them, some time after `time_is_up`.
class scenario {
 public:
  virtual ~scenario() = default;
  virtual void play(actor& a) = 0;
  /// Once all have returned. @return what is wrong, or nothing
  virtual std::string verdict() = 0;

  bool time_is_up() const noexcept { return std::chrono::steady_clock::now() >= end; }
  std::chrono::steady_clock::time_point end;
  int actors = 0;
};

struct entry {
  std::string name;
  std::function<std::unique_ptr<scenario>(int actors)> make;
};

struct settings {
  double seconds = 5;  // for all chosen scenarios together
  std::uint64_t seed = 1;
  std::string only;  // the name of one
  int hubs = 4;
  int fibers_per_hub = 6;
  int threads = 4;
};

/// Plays each scenario with fibers of several hubs and plain threads at once.
/// @return the number of those that failed. Aborts, with the stacks of all fibers, when an actor makes no step for long: its
///         wake-up was lost.
int play_all(const std::vector<entry>& scenarios, const settings& with);

/// The same for a program's arguments: [--seconds N] [--seed N] [--only NAME].
/// @return its exit status
int play_as_told(const std::vector<entry>& scenarios, int argc, char** argv);

}  // namespace weft::stress
