// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>

#include "base/list.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/cancel_record.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/wait_queue.hpp"

namespace weft::io {

/// The fibers that a server runs: how many there may be, who is there, and how all of them come to their end.
///
/// Threads   All from any thread.
class crew {
 public:
  explicit crew(std::size_t limit) noexcept : limit_(limit) {}
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Waits until there is a place for one more, and takes it: what `member` then stands on. A cancellation point.
  void take_place();
  /// The one that a place was taken for could not be made.
  void give_place_back() noexcept { leave(); }

  /// What a fiber of the crew has on its stack, once a place was taken for it.
  class member : public base::list_link, public detail::cancel_record {
   public:
    explicit member(crew& of);
    ~member();

   private:
    friend class crew;
    crew& crew_;
    std::uint64_t id_;
  };

  /// Whether `cancel_all` was called: who begins now ends at once.
  bool cancelling() const noexcept { return cancelling_.load(std::memory_order_acquire); }
  /// Cancels all members, and those to come.
  void cancel_all() noexcept;
  /// Waits until none but the caller is left. A cancellation point.
  /// @return false if @p by passed first
  bool wait_for_end(deadline by);
  /// Places that are taken.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  /// Members that have begun and not ended.
  std::size_t active() const noexcept { return active_.load(std::memory_order_relaxed); }

 private:
  bool is_member() noexcept;
  void leave() noexcept;
  int sleep(detail::wait_queue& in, detail::wait_node& node, deadline by);

  const std::size_t limit_;
  detail::spinlock lock_;
  std::atomic<std::size_t> size_{0};  // written under the lock, as is the next
  std::atomic<std::size_t> active_{0};
  std::atomic<bool> cancelling_{false};
  base::list<member> members_;
  detail::wait_queue for_place_;
  detail::wait_queue for_end_;
};

using error_handler = std::function<void(std::exception_ptr)>;

/// Tells of the exception that is being handled: `on_error` if there is one, else a line on standard error that begins with
/// @p where, unless it is what peers do all the time.
void report(const error_handler& on_error, const char* where) noexcept;

/// Whether a call of accept or receive that failed so is worth another one.
bool is_passing(const std::error_code& ec) noexcept;

/// Waits that double.
class back_off {
 public:
  back_off(std::chrono::nanoseconds first, std::chrono::nanoseconds longest) noexcept
      : first_(first), longest_(longest), next_(first) {}
  /// A cancellation point.
  void wait();
  void reset() noexcept { next_ = first_; }
  /// Whether it has not waited since it was made or reset.
  bool fresh() const noexcept { return next_ == first_; }

 private:
  const std::chrono::nanoseconds first_, longest_;
  std::chrono::nanoseconds next_;
};

}  // namespace weft::io
