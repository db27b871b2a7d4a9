// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "weft/executor.hpp"
#include "weft/fiber.hpp"

namespace weft {

/// An executor whose tasks are fibers, at most so many at once; the others wait in its queue.
///
/// Use it for code that takes an executor; else a `pool` limits fibers without a queue, and `scope` ties them to a block.
/// For calls that block their thread, or compute for long, take a `thread_pool`.
///
///     weft::fiber_executor fetchers(8);
///     for (page& p : fetchers.map(fetch, urls)) print(p);
///
/// As executor. A task's fiber is made on the hub of who submits it, and goes on with tasks that wait: so those may run on
/// another hub than that of their submitter. On a thread without a hub `submit` makes one, whose fibers run while
/// the thread waits for something.
class fiber_executor final : public executor {
 public:
  /// @param limit  fibers at once
  explicit fiber_executor(std::size_t limit = no_limit, const fiber_attributes& attributes = {}) noexcept
      : executor(limit), attributes_(attributes) {}
  ~fiber_executor() override;

 private:
  void start_worker(detail::job& first) override;
  std::uint64_t caller() const noexcept override;

  fiber_attributes attributes_;
};

}  // namespace weft
