// SPDX-License-Identifier: MIT
#pragma once

#include "weft/detail/cancel_record.hpp"
#include "weft/detail/owner.hpp"

namespace weft::detail {

/// Nothing cancels the calling fiber while this lives. A thread without a hub has nothing that could, and gets none.
class shielded {
 public:
  shielded() {
    if (weft_this_hub != nullptr) record_.enter();
  }
  shielded(const shielded&) = delete;
  shielded& operator=(const shielded&) = delete;
  ~shielded() { record_.leave(); }

 private:
  cancel_record record_{nullptr, true};
};

}  // namespace weft::detail
