// SPDX-License-Identifier: MIT
#include "weft/patch.hpp"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>

#include "base/config.hpp"
#include "core/fork.hpp"
#include "core/patching.hpp"

namespace weft::patch {

namespace {

base::patch_groups parse(std::string_view list) {
  base::config parsed;
  base::fixed_text<384> problem;
  if (!base::parse_option(parsed, base::option_id::patch, list, problem)) {
    throw std::invalid_argument("weft::patch: " + std::string(problem.view()));
  }
  return parsed.groups;
}

const core::patcher& loaded_patcher() {
  static std::mutex one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  if (core::the_patcher != nullptr) return *core::the_patcher;
  core::patch_from_inside = true;
  // Beside this library, by its RUNPATH. Never closed: the text of others leads into it.
  if (dlopen("libweft-shim.so", RTLD_NOW | RTLD_NODELETE) == nullptr || core::the_patcher == nullptr) {
    core::patch_from_inside = false;
    const char* const why = dlerror();
    throw std::system_error(
        std::make_error_code(std::errc::no_such_file_or_directory),
        std::string("weft::patch: ") + (why != nullptr ? why : "libweft-shim.so is another version"));
  }
  return *core::the_patcher;
}

std::errc code_of(core::patch_result result) noexcept {
  switch (result) {
    case core::patch_result::crowded:
    case core::patch_result::misplaced:
      return std::errc::device_or_resource_busy;
    case core::patch_result::unwritable:
      return std::errc::operation_not_permitted;
    default:
      return std::errc::not_enough_memory;
  }
}

bool patch_groups(base::patch_groups wanted) {
  const core::patcher& shim = loaded_patcher();
  core::expect_forks();
  base::fixed_text<512> problem;
  const core::patch_result result = shim.patch(wanted.bits, problem);
  if (result == core::patch_result::done) return true;
  if (result == core::patch_result::off) return false;
  throw std::system_error(std::make_error_code(code_of(result)), "weft::patch: " + std::string(problem.view()));
}

std::uint32_t groups_in_force() noexcept {
  const core::patcher* const shim = core::the_patcher;
  return shim == nullptr ? 0 : shim->groups();
}

}  // namespace

bool all() { return patch_groups({}); }
bool groups(std::string_view list) { return patch_groups(parse(list)); }

bool is_patched() noexcept { return groups_in_force() != 0; }
bool is_patched(std::string_view list) {
  const std::uint32_t asked = parse(list).bits;
  return (groups_in_force() & asked) == asked;
}

}  // namespace weft::patch

namespace weft::detail {

native_calls::native_calls() noexcept
    : fiber_(core::makes_thread_fibers() ? weft_this_hub->current : nullptr),
      before_(fiber_ != nullptr && fiber_->native_calls) {
  if (fiber_ != nullptr) fiber_->native_calls = true;
}

native_calls::~native_calls() {
  if (fiber_ != nullptr) fiber_->native_calls = before_;
}

}  // namespace weft::detail
