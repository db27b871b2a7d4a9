// SPDX-License-Identifier: MIT
#include "core/local_hub.hpp"

#include <cerrno>
#include <new>
#include <system_error>

#include "base/memory.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"

namespace weft::core {

namespace {

base::slab thread_blocks(sizeof(fiber));

hub* try_to_make() noexcept {
  hub* h = make_hub();
  if (h == nullptr) return nullptr;
  void* storage = thread_blocks.take();
  h->loop_fiber.stack = h->stacks.take(context::default_stack_spacing);
  if (storage == nullptr || !h->loop_fiber.stack) return nullptr;
  h->loop_fiber.sanitizer.create(h->loop_fiber.stack.top - h->loop_fiber.stack.size, h->loop_fiber.stack.size);
  make_context(h->loop_fiber, h->loop_fiber.stack.top);
  auto* self = new (storage) fiber;
  self->id = next_fiber_id();
  adopt_thread(*h, *self);
  return h;
}

}  // namespace

hub& make_local_hub() {
  if (try_to_make() == nullptr) {
    throw std::system_error(errno != 0 ? errno : ENOMEM, std::generic_category(),
                            "weft: no hub for this thread (raise RLIMIT_NOFILE or free descriptors)");
  }
  return *weft_this_hub;
}

}  // namespace weft::core
