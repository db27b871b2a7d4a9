// SPDX-License-Identifier: MIT
#include "shim/wait_mask.hpp"

#include <errno.h>

#include "shim/dispatch.hpp"
#include "shim/signal_masks.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

long set_wait_mask(const void* user, unsigned long size) noexcept {
  if (user == nullptr) return 0;
  if (size != sizeof(signal_set)) return -EINVAL;
  signal_set wanted;
  if (!copy_in(wanted, user)) return -EFAULT;
  signal_state& s = self().signals;
  s.saved_mask = s.mask.load(std::memory_order_relaxed);
  s.restore_saved_mask = true;
  change_mask(self(), wanted);
  return 0;
}

long restore_wait_mask(const void* user, long result) noexcept {
  if (user == nullptr) return result;
  signal_state& s = self().signals;
  const bool interrupted = result <= restart_sys && result >= restart_block;
  if (!interrupted && s.restore_saved_mask) {
    s.restore_saved_mask = false;
    change_mask(self(), s.saved_mask);
  }
  return result;
}

bool signal_is_due() noexcept { return self().signals.attention.load(std::memory_order_relaxed); }

}  // namespace weft::shim
