// SPDX-License-Identifier: MIT
#include "task/storage.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.hpp"
#include "core/hub.hpp"
#include "task/block.hpp"
#include "weft/detail/storage_key.hpp"

namespace weft {

namespace task_layer {

namespace {

// Of the thread's own stack; under the shim each thread fiber has one too. A pointer, since a variable with a destructor is
// slow to find, and since those of others that go later may still ask for it.
__attribute__((tls_model("initial-exec"))) __thread fiber_storage* of_thread = nullptr;

struct thread_end {
  fiber_storage storage;
  thread_end() noexcept { of_thread = &storage; }
  ~thread_end() {
    storage.clear();
    of_thread = nullptr;
  }
};

// nullptr: the thread has none yet.
fiber_storage* find_storage() noexcept {
  core::hub* const h = weft_this_hub;
  task_block* const b = h == nullptr ? nullptr : task_of(*h->current);
  return b != nullptr ? &b->storage : of_thread;
}

fiber_storage& storage() noexcept {
  fiber_storage* found = find_storage();
  if (found == nullptr) {
    // Once its turn at the thread's end is over it is not made again: then what is kept here is lost.
    static thread_local thread_end made;
    static_cast<void>(made);
    found = of_thread != nullptr ? of_thread : (of_thread = new fiber_storage);
  }
  return *found;
}

}  // namespace

void fiber_storage::clear() noexcept {
  while (locals != nullptr) {
    // A destructor may use others, and make them anew.
    const local_value last = locals->back();
    locals->pop_back();
    if (locals->empty()) delete std::exchange(locals, nullptr);
    last.destroy(last.value);
  }
  detail::release_context(std::exchange(context, nullptr));
}

}  // namespace task_layer

namespace detail {

using namespace task_layer;  // NOLINT(google-build-using-namespace): this file is its interface

std::uint64_t storage_key::take_number() const noexcept {
  static constinit std::atomic<std::uint64_t> last{0};
  std::uint64_t expected = 0;
  const std::uint64_t fresh = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number_.compare_exchange_strong(expected, fresh, std::memory_order_relaxed) ? fresh : expected;
}

void* find_local(std::uint64_t key) noexcept {
  const fiber_storage* const mine = find_storage();
  if (mine == nullptr || mine->locals == nullptr) return nullptr;
  for (const local_value& each : *mine->locals) {
    if (each.key == key) return each.value;
  }
  return nullptr;
}

void add_local(std::uint64_t key, void* value, void (*destroy)(void*) noexcept) {
  fiber_storage& mine = storage();
  if (mine.locals != nullptr) {
    mine.locals->push_back({key, value, destroy});
  } else {
    mine.locals = std::make_unique<std::vector<local_value>>(1, local_value{key, value, destroy}).release();
  }
}

bool drop_local(std::uint64_t key) noexcept {
  fiber_storage* const mine = find_storage();
  if (mine == nullptr || mine->locals == nullptr) return false;
  auto& all = *mine->locals;
  const auto at = std::find_if(all.begin(), all.end(), [&](const local_value& v) { return v.key == key; });
  if (at == all.end()) return false;
  const local_value gone = *at;
  all.erase(at);
  if (all.empty()) delete std::exchange(mine->locals, nullptr);
  gone.destroy(gone.value);
  return true;
}

context_node* current_context() noexcept {
  const fiber_storage* const mine = find_storage();
  return mine == nullptr ? nullptr : mine->context;
}

context_node* exchange_context(context_node* to) noexcept { return std::exchange(storage().context, to); }

const context_node* find_context(std::uint64_t key) noexcept {
  const context_node* n = current_context();
  while (n != nullptr && n->key != key) n = n->outer;
  return n;
}

void release_context(context_node* n) noexcept {
  // A loop: a chain may be long.
  while (n != nullptr && n->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    context_node* const outer = n->outer;
    n->destroy(n);
    n = outer;
  }
}

void leave_context(const context_node* set) noexcept {
  WEFT_EXPECT(set == current_context(), "a setting of a context_variable ends before a later one, or on another fiber");
  release_context(exchange_context(share_context(set->outer)));
}

}  // namespace detail
}  // namespace weft
