// SPDX-License-Identifier: MIT
#include "weft/detail/misuse.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <system_error>

#include "base/message.hpp"
#include "core/dump.hpp"
#include "core/scheduler.hpp"

namespace weft::detail {

namespace {
[[noreturn]] void throw_errc(std::errc code, const char* call) {
  throw std::system_error(std::make_error_code(code), call);
}
}  // namespace

void throw_not_owner(const char* call) { throw_errc(std::errc::operation_not_permitted, call); }
void throw_would_deadlock(const char* call) { throw_errc(std::errc::resource_deadlock_would_occur, call); }
void throw_too_many(const char* call) { throw_errc(std::errc::value_too_large, call); }

bool in_static_storage(const void* object) noexcept {
  dl_find_object found;
  return _dl_find_object(const_cast<void*>(object), &found) == 0;
}

void destroyed_in_use(const char* what, const void* object) noexcept {
  if (in_static_storage(object)) return;
  base::message text;
  text << "the " << what << " " << base::hex{reinterpret_cast<std::uintptr_t>(object)}
       << " is destroyed while a fiber or thread holds it or waits for it";
  base::say(text);
  core::dump_all();
  // Each hub prints for itself: ours does when it comes to its inbox.
  if (weft_this_hub != nullptr && weft_this_hub->current != &weft_this_hub->loop_fiber) core::yield_and_poll();
  std::abort();
}

}  // namespace weft::detail
