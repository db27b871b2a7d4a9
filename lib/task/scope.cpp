// SPDX-License-Identifier: MIT
#include "weft/scope.hpp"

#include <mutex>

#include "base/check.hpp"
#include "core/scheduler.hpp"
#include "task/block.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/shield.hpp"
#include "weft/timeout.hpp"

namespace weft {

namespace {
// What goes on its way though there is a failure: it is about more than this block.
bool comes_from_outside(const std::exception_ptr& left) noexcept {
  try {
    std::rethrow_exception(left);
  } catch (const cancelled&) {
    return true;
  } catch (const timeout_expired&) {
    return true;
  } catch (...) {
    return false;
  }
}
}  // namespace

scope_closed::scope_closed() : std::logic_error("weft: spawn into a scope that does not run") {}
scope_closed::~scope_closed() = default;

scope::scope(deadline by, shielding shield) noexcept
    : by_(by), shield_(shield), children_({this, nullptr, child_failed}) {
  children_.close_if_empty();
}

scope::~scope() {
  if (running_) detail::destroyed_in_use("scope", this);
}

void scope::open(cancel_scope& block) noexcept {
  {
    const std::lock_guard guard(lock_);
    WEFT_EXPECT(!running_, "a scope is run while it runs");
    running_ = true;
    cut_short_ = false;
    block_ = &block;
  }
  first_ = from_block_ = nullptr;
  first_from_ = nullptr;
  children_.reopen();
}

void scope::wait_for_children() {
  do {
    children_.wait_empty(deadline::never());
  } while (!children_.close_if_empty());
}

bool scope::close(bool whole, const std::exception_ptr& left) {
  const bool outside = left != nullptr && comes_from_outside(left);
  if (left != nullptr && !outside && !note_failure(nullptr, left)) from_block_ = left;
  {
    const std::lock_guard guard(lock_);
    block_ = nullptr;
    // The children may have ended before the block came to throw: then its wait for them ended as if they had been through.
    if (cut_short_) whole = false;
  }
  if (!whole) {
    children_.request_kill_of_all();
    const shield until_all_have_ended;
    wait_for_children();
  }
  running_ = false;
  if (outside) std::rethrow_exception(left);
  if (first_ == nullptr) return whole;
  if (first_from_ != nullptr) task_layer::block_of(first_from_).retrieved.store(true, std::memory_order_relaxed);
  std::rethrow_exception(first_);
}

void scope::cancel_block() noexcept {
  const std::lock_guard guard(lock_);
  if (block_ != nullptr) block_->cancel();
}

void scope::cancel() noexcept {
  const bool ends_children = children_.size() > (children_.contains_caller() ? 1U : 0U);
  {
    const std::lock_guard guard(lock_);
    if (block_ == nullptr) return;
    block_->cancel();
    if (ends_children) cut_short_ = true;
  }
  children_.request_kill_of_all();
}

void scope::set_deadline(deadline by) noexcept {
  by_ = by;
  if (block_ != nullptr) block_->set_deadline(by);
}

bool scope::note_failure(core::fiber* child, const std::exception_ptr& failure) noexcept {
  const std::lock_guard guard(lock_);
  if (first_ != nullptr) return false;
  first_ = failure;
  first_from_ = child;
  return true;
}

void detail::fail_scope(scope& parent) noexcept {
  parent.note_failure(task_layer::task_of(core::self()), std::current_exception());
  parent.cancel();
}

// Under the locks of the child and of the set. One that was killed before it began has not passed through `fail_scope`.
void scope::child_failed(void* me, core::fiber* child) noexcept {
  auto& mine = *static_cast<scope*>(me);
  if (mine.note_failure(child, task_layer::block_of(child).failure)) mine.cancel_block();
}

std::vector<std::exception_ptr> scope::failures() const {
  std::vector<std::exception_ptr> all;
  if (first_ != nullptr) all.push_back(first_);
  for (const fiber& f : children_.failed()) {
    const std::exception_ptr failure = f.exception();
    if (f.block() != first_from_) all.push_back(failure);
  }
  if (from_block_ != nullptr) all.push_back(from_block_);
  return all;
}

}  // namespace weft
