// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace weft::base {

/// A link of an intrusive doubly linked list; not linked while `next` is null.
struct list_link {
  list_link* prev = nullptr;
  list_link* next = nullptr;

  bool linked() const noexcept { return next != nullptr; }
  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

/// An intrusive FIFO of objects that derive from `list_link`. Owns nothing, allocates nothing. All-zero means empty, so
/// that tables of lists can exist before any constructor ran.
template <class T>
class list {
 public:
  constexpr list() noexcept = default;
  list(const list&) = delete;
  list& operator=(const list&) = delete;

  bool empty() const noexcept { return head_.next == nullptr || head_.next == &head_; }
  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }
  /// The element behind @p item, or nullptr at the end.
  T* after(T* item) noexcept {
    list_link* next = static_cast<list_link*>(item)->next;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }
  void push_back(T* item) noexcept {
    start();
    insert(item, head_.prev, &head_);
  }
  void push_front(T* item) noexcept {
    start();
    insert(item, &head_, head_.next);
  }
  T* pop_front() noexcept {
    T* item = front();
    if (item != nullptr) static_cast<list_link*>(item)->unlink();
    return item;
  }
  /// Forgets all elements without touching them: for a fork's child, where their owners are gone.
  void forget() noexcept { head_.prev = head_.next = nullptr; }

 private:
  void start() noexcept {
    if (head_.next == nullptr) head_.prev = head_.next = &head_;
  }
  static void insert(list_link* item, list_link* prev, list_link* next) noexcept {
    item->prev = prev;
    item->next = next;
    prev->next = item;
    next->prev = item;
  }
  list_link head_;
};

}  // namespace weft::base
