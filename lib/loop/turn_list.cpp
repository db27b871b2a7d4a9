// SPDX-License-Identifier: MIT
#include "loop/turn_list.hpp"

#include "base/memory.hpp"
#include "loop/loop.hpp"

namespace weft::loop {

bool turn_list::add(io& w) noexcept {
  if (size_ == room_) {
    const std::uint32_t room = room_ == 0 ? 64 : 2 * room_;
    void* const grown = base::reallocate(all_, room * sizeof(void*));
    if (grown == nullptr) return false;
    all_ = static_cast<io**>(grown);
    room_ = room;
  }
  all_[size_++] = &w;
  w.turn_ = size_;
  return true;
}

void turn_list::remove(io& w) noexcept {
  // The number may be from before a fork.
  if (w.turn_ != 0 && w.turn_ <= size_ && all_[w.turn_ - 1] == &w) all_[w.turn_ - 1] = nullptr;
  w.turn_ = 0;
}

void turn_list::announce(std::uint32_t ahead) const noexcept {
  if (size_ < ahead) return;
  io* const w = all_[size_ - ahead];
  if (w != nullptr && w->coming_ != nullptr) w->coming_(*w, ahead);
}

void turn_list::run() noexcept {
  announce(3);
  announce(2);
  while (size_ > 0) {
    io* const w = all_[--size_];
    announce(3);
    announce(2);
    announce(1);
    if (w == nullptr) continue;
    w->turn_ = 0;
    w->call_back();
  }
}

}  // namespace weft::loop
