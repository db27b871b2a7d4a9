// SPDX-License-Identifier: MIT
#include "weft/detail/fiber_link.hpp"

#include <mutex>

#include "task/block.hpp"

namespace weft::detail {

namespace {
// Under the lock of the target. Nobody keeps a handle of the fiber that calls the link.
void launch_link(subscription& s) noexcept {
  core::fiber* const own = static_cast<link_body&>(s).own;
  launch_light(own, {.name = "link"});
  release_fiber(own);
}
}  // namespace

bool wants_call(const link_body& l) noexcept {
  return l.when == link_when::ended || fiber_successful(l.target) == (l.when == link_when::successful);
}

std::uint64_t arm_link(link_body& l) noexcept {
  const std::uint64_t id = fiber_id(l.own);
  l.notify = launch_link;
  subscribe_to_end(l.target, l);
  return id;
}

bool unlink_fiber(core::fiber* f, std::uint64_t which) noexcept {
  task_layer::task_block& b = task_layer::block_of(f);
  link_body* found = nullptr;
  {
    const std::lock_guard guard(b.lock);
    for (subscription* s = b.waiters.front(); s != nullptr && found == nullptr; s = s->next) {
      if (s->notify == launch_link && fiber_id(static_cast<link_body*>(s)->own) == which) {
        found = static_cast<link_body*>(s);
      }
    }
    if (found == nullptr) return false;
    b.waiters.remove(*found);
  }
  core::fiber* const own = found->own;
  found->drop(*found);
  discard_fiber(own);
  release_fiber(f);
  return true;
}

}  // namespace weft::detail
