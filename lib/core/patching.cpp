// SPDX-License-Identifier: MIT
#include "core/patching.hpp"

namespace weft::core {

const patcher* the_patcher = nullptr;
bool patch_from_inside = false;

bool makes_thread_fibers() noexcept {
  const hub* const h = weft_this_hub;
  return h != nullptr && h->runs_threads && !h->current->light && h->current != &h->loop_fiber;
}

making_thread::making_thread(const thread_request& request) noexcept {
  if (!makes_thread_fibers()) return;
  maker_ = weft_this_hub->current;
  maker_->asks = &request;
}

making_thread::~making_thread() {
  if (maker_ != nullptr) maker_->asks = nullptr;
}

}  // namespace weft::core
