// SPDX-License-Identifier: MIT
#include "weft/fiber_executor.hpp"

namespace weft {

fiber_executor::~fiber_executor() { finish(); }

void fiber_executor::start_worker(detail::job& first) {
  spawn(attributes_, [this, &first] { work(first, 0); });
}

std::uint64_t fiber_executor::caller() const noexcept { return this_fiber::get_id(); }

}  // namespace weft
