// SPDX-License-Identifier: MIT
#include "weft/pool.hpp"

namespace weft {

bool pool::add(const fiber& f, deadline by) {
  if (!vacancies.acquire(by)) return false;
  room mine(*this);
  if (!detail::member_set::place(members).take(f, /*is_new=*/false)) return false;
  mine.pass_on();
  return true;
}

std::size_t pool::wait_available(deadline by) {
  if (!vacancies.acquire(by)) return 0;
  vacancies.release();
  return std::max<std::size_t>(1, free_count());  // there was room, whoever has it now
}

}  // namespace weft
