// SPDX-License-Identifier: MIT
#include "weft/failure.hpp"

#include <cxxabi.h>
#include <stdlib.h>

#include <atomic>
#include <typeinfo>

#include "base/message.hpp"
#include "task/block.hpp"
#include "weft/detail/fiber_block.hpp"

namespace weft {

namespace {

constinit std::atomic<failure_handler> handler_in_use{nullptr};

void say_failure(const fiber_failure& failure) noexcept {
  base::fixed_text<512> text;
  text << "fiber " << failure.fiber_id;
  if (!failure.fiber_name.empty()) text << " '" << failure.fiber_name << "'";
  text << " has failed: ";
  try {
    std::rethrow_exception(failure.exception);
  } catch (const std::exception& e) {
    text << e.what();
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    int status = 0;
    char* const name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    text << "an exception of type " << (status == 0 ? name : type->name());
    free(name);
  }
  base::say(text);
}

}  // namespace

failure_handler set_failure_handler(failure_handler handler) noexcept {
  return handler_in_use.exchange(handler, std::memory_order_acq_rel);
}

void task_layer::report_failure(const task_block& b) noexcept {
  const fiber_failure failure{b.failure, b.id, detail::fiber_name(&b)};
  const failure_handler handler = handler_in_use.load(std::memory_order_acquire);
  handler != nullptr ? handler(failure) : say_failure(failure);
}

}  // namespace weft
