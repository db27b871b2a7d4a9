// SPDX-License-Identifier: MIT
#include "core/timers.hpp"

#include "base/memory.hpp"
#include "core/fiber.hpp"

namespace weft::core {

void timers::place(std::size_t at, entry e) noexcept {
  heap_[at] = e;
  e.owner->heap_slot = static_cast<std::uint32_t>(at + 1);
}

void timers::sift_up(std::size_t at, entry e) noexcept {
  while (at > 0) {
    const std::size_t parent = (at - 1) / 4;
    if (heap_[parent].due <= e.due) break;
    place(at, heap_[parent]);
    at = parent;
  }
  place(at, e);
}

void timers::sift_down(std::size_t at, entry e) noexcept {
  const std::size_t end = count();
  for (;;) {
    const std::size_t first = at * 4 + 1;
    if (first >= end) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < first + 4 && child < end; ++child) {
      if (heap_[child].due < heap_[least].due) least = child;
    }
    if (heap_[least].due >= e.due) break;
    place(at, heap_[least]);
    at = least;
  }
  place(at, e);
}

bool timers::arm(fiber& f) noexcept {
  if (f.heap_slot != 0) {
    if (f.armed <= f.due) return true;
    f.armed = f.due;
    sift_up(f.heap_slot - 1, {f.due, &f});
    return true;
  }
  const std::size_t last = count();
  if (last == room_) {
    const std::size_t room = room_ == 0 ? 64 : room_ * 2;
    void* grown = base::reallocate(heap_, room * sizeof(entry));
    if (grown == nullptr) return false;
    heap_ = static_cast<entry*>(grown);
    room_ = room;
  }
  f.armed = f.due;
  set_count(last + 1);
  sift_up(last, {f.due, &f});
  return true;
}

void timers::remove(std::size_t at) noexcept {
  heap_[at].owner->heap_slot = 0;
  const std::size_t end = count() - 1;
  const entry last = heap_[end];
  set_count(end);
  if (at == end) return;
  if (at > 0 && heap_[(at - 1) / 4].due > last.due) {
    sift_up(at, last);
  } else {
    sift_down(at, last);
  }
}

void timers::drop(fiber& f) noexcept {
  if (f.heap_slot != 0) remove(f.heap_slot - 1);
}

fiber* timers::pop(std::int64_t now) noexcept {
  if (count() == 0 || heap_[0].due > now) return nullptr;
  fiber* owner = heap_[0].owner;
  remove(0);
  return owner;
}

}  // namespace weft::core
