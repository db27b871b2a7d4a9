// SPDX-License-Identifier: MIT
#include "core/local_hub.hpp"

#include <cerrno>
#include <new>
#include <system_error>

#include "base/memory.hpp"
#include "core/fork.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/hub.hpp"

namespace weft::core {

namespace {

base::slab thread_blocks(sizeof(fiber));

hub* try_to_make() noexcept {
  hub* h = make_hub();
  if (h == nullptr) return nullptr;
  void* storage = thread_blocks.take();
  if (storage == nullptr || !give_loop_context(*h)) return nullptr;
  auto* self = new (storage) fiber;
  self->id = next_fiber_id();
  adopt_thread(*h, *self);
  return h;
}

}  // namespace

bool give_loop_context(hub& h) noexcept {
  fiber& f = h.loop_fiber;
  f.stack = h.stacks.take(context::default_stack_spacing);
  if (!f.stack) return false;
  f.sanitizer.create(f.stack.top - f.stack.size, f.stack.size);
  make_context(f, f.stack.top);
  return true;
}

hub& make_local_hub() {
  expect_forks();
  if (the_patcher != nullptr && the_patcher->take_over()) return *weft_this_hub;
  if (try_to_make() == nullptr) {
    throw std::system_error(errno != 0 ? errno : ENOMEM, std::generic_category(),
                            "weft: no hub for this thread (raise RLIMIT_NOFILE or free descriptors)");
  }
  return *weft_this_hub;
}

}  // namespace weft::core

namespace weft {

hub hub::current() { return hub(&core::local_hub()); }

}  // namespace weft
