// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/wait_queue.hpp"
#include "weft/fiber.hpp"

namespace weft::detail {

/// The fibers of a group, pool or scope that have not ended: each leaves by itself at its end.
///
/// Needs no reference to them: a fiber that has not ended has its block, and one that has is not in here any more.
class member_set {
  struct member;

 public:
  /// What the owner wants to know. Called under a lock: they may not wait or come back here.
  struct listener {
    void* owner = nullptr;
    void (*left)(void* owner) noexcept = nullptr;  ///< a member is none any more
    /// A member has ended by a failure. Who asks for this finds the fiber in `failed`, too.
    void (*failed)(void* owner, core::fiber* member) noexcept = nullptr;
  };

  member_set() noexcept = default;
  explicit member_set(const listener& told) noexcept : told_(told) {}
  member_set(const member_set&) = delete;
  member_set& operator=(const member_set&) = delete;
  /// Lets go of all, who run on.
  ~member_set();

  /// Room for a member, taken before there is a fiber: it counts as one, and has the memory.
  class place {
   public:
    explicit place(member_set& set);
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();
    /// Whether there was room: the set is not closed.
    explicit operator bool() const noexcept { return memory_ != nullptr; }
    /// Makes @p f the member; it is killed at once if the others are. @param is_new  it cannot be one yet: spares the look
    /// @return false if it is no fiber, or, when not new, has ended or is a member already
    bool take(const fiber& f, bool is_new) noexcept;

   private:
    member_set& set_;
    std::unique_ptr<member> memory_;
  };

  /// @return false if it was no member
  bool discard(const fiber& f) noexcept;

  std::size_t size() const noexcept;
  bool contains(const fiber& f) const noexcept { return f.joinable() && contains_id(f.get_id()); }
  bool contains_caller() const noexcept;
  std::vector<fiber> fibers() const;
  /// Those that have failed, in the order of their ends.
  std::vector<fiber> failed() const;

  /// Waits until there is no member. @return false if @p by passed first
  bool wait_empty(deadline by);
  /// The same unless the caller is a member, which would wait for itself; then throws the failure of one that was a member
  /// when it was called, if there is any.
  bool join_and_rethrow(deadline by);
  /// Lets no more in if there is no member. @return whether that is so
  bool close_if_empty() noexcept;
  /// Lets members in, forgets those that have failed and every kill.
  void reopen() noexcept;

  /// Kills all but the caller and what comes while it waits for their ends, each once.
  bool kill(const std::exception_ptr& with, deadline by);
  void request_kill(const std::exception_ptr& with) noexcept;
  /// The same, and then all that come, until the set is opened anew.
  void request_kill_of_all() noexcept;

 private:
  struct chain {
    member* first = nullptr;
    member* last = nullptr;
    void push(member& m) noexcept;
    void remove(member& m) noexcept;
  };

  static void ended(subscription& s) noexcept;
  member* find(std::uint64_t id) const noexcept;
  bool contains_id(std::uint64_t id) const noexcept;
  void lose(member& m) noexcept;
  void unlink(member& m) noexcept;
  void leave() noexcept;
  void free_dead() noexcept;
  fiber next_to_kill(std::uint64_t spared) noexcept;
  fiber other_than(std::uint64_t spared) const noexcept;

  const listener told_{};
  mutable spinlock lock_;
  std::size_t size_ = 0;
  chain living_;
  chain dying_;   // were asked to go
  chain failed_;  // have ended; referred to
  chain dead_;    // memory that `ended`, which runs under locks, could not give back
  wait_queue joiners_;
  bool closed_ = false;
  unsigned killers_ = 0;  // who comes is killed
  std::exception_ptr kill_with_;
};

}  // namespace weft::detail
