// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/hub.hpp"

namespace weft {

struct run_options {
  /// OS threads that run fibers, the caller's among them; 0: as many as the process may keep busy (its affinity, or the
  /// control group's quota where that is less).
  unsigned hubs = 0;
};

namespace detail {

/// Several hubs, for as long as it lives.
class several_hubs {
 public:
  explicit several_hubs(unsigned hubs);
  several_hubs(const several_hubs&) = delete;
  several_hubs& operator=(const several_hubs&) = delete;
  ~several_hubs();

 private:
  struct state;
  state* state_;
};

}  // namespace detail

/// Calls @p main with several hubs, a hub to an OS thread, and returns what it returns or throws what it throws.
///
/// A program that does not call this has one hub to each thread that spawns, and its fibers race with nobody. Under this they do: what
/// two of them share they lock, with the classes of this library. Work that needs no sharing (a process to each core behind one
/// port) is simpler.
///
///     int main() {
///       return weft::run({.hubs = 4}, [] {
///         for (auto& shard : shards) weft::spawn(serve, std::ref(shard));                       // on the least loaded hub
///         weft::spawn({.on = weft::hubs()[1]}, watch);                                         // where asked
///         return wait_for_a_signal();
///       });
///     }
///
/// `main` runs in the calling fiber. While it runs, what the fibers of these hubs spawn without a word of where goes to the hub
/// that has the fewest, their own among equals, and stays there for life. When it has returned or thrown, the fibers left on the
/// other hubs, and those that they spawn then, are killed, each once, and waited for: one that will not go holds this up. Those
/// left on the caller's hub run on, as without this.
///
/// Blocking  As `main`; and at the end, until the other hubs are empty.
/// Cancel    Where `main` is. Nothing cancels the wait at the end.
/// Threads   From any, one at a time for each. Runs of several threads do not share hubs.
/// Lifetime  The threads it makes sleep when it is over, and serve the next one. All signals but faults are blocked in them. In a
///           fork's child there are none, and `run` ends as `main` does.
/// Cost      Each spawn looks at the load of every hub. A wake of another hub is a message; one that sleeps is woken by the kernel.
///
/// @throws std::system_error  a thread or hub cannot be made, or there would be more than 64; errc::operation_in_progress: the
///         calling thread's hub is in a run already
template <class F>
auto run(const run_options& options, F&& main) -> std::invoke_result_t<F> {
  const detail::several_hubs all(options.hubs);
  return std::invoke(std::forward<F>(main));
}
/// On all processors there are for us.
template <class F>
requires(!std::is_convertible_v<F, const run_options&>) auto run(F&& main) -> std::invoke_result_t<F> {
  return run(run_options{}, std::forward<F>(main));
}

/// The hubs of the run that the caller's hub is in, the one that called `run` first; outside of one, the caller's alone.
/// @throws std::system_error  the calling thread's hub cannot be made
std::vector<hub> hubs();

}  // namespace weft
