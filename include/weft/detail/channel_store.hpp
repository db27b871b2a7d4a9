// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "weft/detail/unbounded.hpp"

namespace weft::detail {

/// Where a channel keeps its values: a ring that is allocated once, or, unbounded, a chain of blocks. Memory is taken and
/// given back by the channel outside its lock, so what needs it is split into steps.
///
/// Threads   Used under the channel's lock.
template <class T>
class channel_store {
 public:
  static constexpr std::size_t block_slots = std::max<std::size_t>(8, 1008 / sizeof(T));

  struct block {
    block* next = nullptr;
    alignas(T) std::byte room[block_slots * sizeof(T)];
    T* slot(std::size_t i) noexcept { return reinterpret_cast<T*>(room) + i; }
  };

  /// @throws std::bad_alloc
  explicit channel_store(std::size_t capacity) : capacity_(capacity) {
    if (capacity != unbounded && capacity != 0) ring_ = std::allocator<T>().allocate(capacity);
  }
  channel_store(const channel_store&) = delete;
  channel_store& operator=(const channel_store&) = delete;
  ~channel_store() {
    for (std::optional<T> value; size_ != 0; value.reset()) delete pop(value);
    delete first_;
    delete spare_;
    if (ring_ != nullptr) std::allocator<T>().deallocate(ring_, capacity_);
  }

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return size_; }
  bool full() const noexcept { return size_ >= capacity_; }
  /// Unbounded and without a free slot: `supply` must come before `push`.
  bool short_of_blocks() const noexcept {
    return capacity_ == unbounded && spare_ == nullptr && (last_ == nullptr || in_ == block_slots);
  }
  void supply(block* fresh) noexcept { spare_ = fresh; }

  void push(T&& value) noexcept {
    if (capacity_ == unbounded) {
      if (last_ == nullptr || in_ == block_slots) chain_spare();
      std::construct_at(last_->slot(in_++), std::move(value));
    } else {
      std::size_t at = out_ + size_;
      if (at >= capacity_) at -= capacity_;
      std::construct_at(ring_ + at, std::move(value));
    }
    ++size_;
  }

  /// Takes the oldest value out. @return a block that is not needed any more, for the caller to delete; mostly nullptr
  [[nodiscard]] block* pop(std::optional<T>& out) noexcept {
    --size_;
    T* const from = capacity_ == unbounded ? first_->slot(out_) : ring_ + out_;
    out.emplace(std::move(*from));
    std::destroy_at(from);
    ++out_;
    if (capacity_ != unbounded) {
      if (out_ == capacity_) out_ = 0;
      return nullptr;
    }
    if (size_ == 0) out_ = in_ = 0;  // all in one block: it is used again from its start
    return out_ == block_slots ? unchain_first() : nullptr;
  }

 private:
  void chain_spare() noexcept {
    (last_ == nullptr ? first_ : last_->next) = spare_;
    last_ = std::exchange(spare_, nullptr);
    last_->next = nullptr;
    in_ = 0;
  }
  block* unchain_first() noexcept {
    block* const done = std::exchange(first_, first_->next);
    out_ = 0;
    if (spare_ != nullptr) return done;
    spare_ = done;
    return nullptr;
  }

  std::size_t capacity_;
  std::size_t size_ = 0;
  std::size_t out_ = 0;  // index of the oldest value in the ring, or in the first block
  std::size_t in_ = 0;   // unbounded: index of the next free slot in the last block
  T* ring_ = nullptr;
  block* first_ = nullptr;
  block* last_ = nullptr;
  block* spare_ = nullptr;
};

}  // namespace weft::detail
