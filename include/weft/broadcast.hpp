// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/queue_waiter.hpp"
#include "weft/detail/taking_iterator.hpp"
#include "weft/mutex.hpp"

namespace weft {

/// What happens to a value for which a subscriber has no place.
enum class overflow : unsigned char {
  block,        ///< who publishes waits for this subscriber
  drop_oldest,  ///< the subscriber loses the oldest value that it has not received yet: it sees what is new
  drop_newest,  ///< it loses this one
};

/// A channel that gives each value to every subscriber: publish and subscribe.
///
/// Use it for news of which all want to know; to share work out use `channel`, and for a state of which only the present
/// value counts a subscription with capacity 1 and `overflow::drop_oldest` and a @p replay of 1.
///
///     weft::broadcast<price> prices;
///     weft::spawn([mine = prices.subscribe(16, weft::overflow::drop_oldest)]() mutable {
///       for (const price& p : mine) show(p);  // ends when it is closed and what came before is received
///     });
///     prices.publish({"WFT", 42});
///
/// Each subscriber has a queue of its own, and says itself how long that is and what happens when it is full.
///
/// Blocking  `publish` suspends while a subscriber that asked for it has no place, and behind others that publish;
///           `receive` while there is nothing. Only the calling fiber sleeps; without a hub the thread itself.
/// Order     All subscribers see the values in the same order, that of the calls of `publish`.
/// Timeout   A `publish` that timed out gave its value to nobody.
/// Cancel    `publish` and `receive` are cancellation points when they wait. A cancelled `publish` gave its value to
///           nobody; a cancelled `receive` took none.
/// Threads   Safe from any fiber of any thread; one subscription is for one fiber at a time. T is copied under a mutex.
/// Lifetime  Subscriptions may outlive it, which then is closed. Destroying it while somebody publishes aborts.
/// Cost      A publish: one lock, and for each subscriber a copy and the lock of its channel.
template <class T>
class broadcast {
  static_assert(std::is_copy_constructible_v<T>, "each subscriber gets a copy");
  struct endpoint;

 public:
  class subscription;

  /// @param replay  how many of the last values a late joiner is given
  explicit broadcast(std::size_t replay = 0) : replay_(replay) {}
  broadcast(const broadcast&) = delete;
  broadcast& operator=(const broadcast&) = delete;
  ~broadcast() {
    if (turn_.is_used()) [[unlikely]]
      detail::destroyed_in_use("broadcast", this);
    close();
  }

  /// Who subscribes gets what is published from now on, and before that as many of the replayed values as fit. After
  /// `close` it gets those and nothing more.
  /// @param capacity  values that may wait for this subscriber
  /// @throws std::invalid_argument  a capacity of 0
  [[nodiscard]] subscription subscribe(std::size_t capacity, overflow when_full = overflow::block) {
    if (capacity == 0) throw std::invalid_argument("weft::broadcast: a subscription with capacity 0");
    auto mine = std::make_shared<endpoint>(capacity, when_full);
    const detail::quiet_lock held(mutex_);
    forget_the_gone();
    const std::size_t skipped = recent_.size() > capacity ? recent_.size() - capacity : 0;
    for (std::size_t i = skipped; i < recent_.size(); ++i) (void)mine->values.try_send(recent_[i]);
    if (shut_) {
      mine->values.close();
    } else {
      endpoints_.push_back(mine);
    }
    return subscription(std::move(mine));
  }

  /// Gives a copy of @p value to every subscriber. Without any it is lost, but for those that join late.
  /// @return false if this is closed, or @p by passed before all that wanted to be waited for had a place: nobody then got
  ///         it
  /// @throws cancelled  the calling fiber was cancelled; and what copying throws: nobody then got it
  bool publish(const T& value, deadline by = deadline::never()) {
    if (!turn_.lock(by)) return false;
    const std::lock_guard mine(turn_, std::adopt_lock);
    for (;;) {
      std::shared_ptr<endpoint> full;
      {
        const detail::quiet_lock held(mutex_);
        if (shut_) return false;
        forget_the_gone();
        // Who has a place keeps it: nobody else publishes, and who joins meanwhile is looked at too.
        const auto found =
            std::find_if(endpoints_.begin(), endpoints_.end(), [](const auto& e) { return e->blocks(); });
        if (found == endpoints_.end()) {
          give_to_all(value);
          return true;
        }
        full = *found;
      }
      if (!full->values.wait_for_room(by) && !full->values.closed()) return false;
    }
  }

  /// No more will be published. Subscribers receive what is on its way to them, and then nothing. May be called twice.
  void close() {
    const detail::quiet_lock held(mutex_);
    shut_ = true;
    for (const auto& e : endpoints_) e->values.close();
    endpoints_.clear();
  }
  bool closed() const {
    const detail::quiet_lock held(mutex_);
    return shut_;
  }

  /// Subscriptions at this moment.
  std::size_t subscribers() const {
    const detail::quiet_lock held(mutex_);
    return static_cast<std::size_t>(
        std::count_if(endpoints_.begin(), endpoints_.end(), [](const auto& e) { return !e->values.closed(); }));
  }

 private:
  struct endpoint {
    endpoint(std::size_t capacity, overflow what) : values(capacity), when_full(what) {}
    bool blocks() const noexcept { return when_full == overflow::block && values.size() >= values.capacity(); }

    // Only a publisher whose turn it is sends, so it finds a place as soon as it has made one.
    void give(T&& value) {
      // A send that fails leaves its value alone: each turn offers the same one.
      while (!values.try_send(static_cast<T&&>(value)) && !values.closed()) {
        if (when_full == overflow::drop_newest) {
          dropped.fetch_add(1, std::memory_order_relaxed);
          return;
        }
        if (values.try_receive()) dropped.fetch_add(1, std::memory_order_relaxed);
      }
    }

    channel<T> values;
    const overflow when_full;
    std::atomic<std::uint64_t> dropped{0};
  };

  void forget_the_gone() {
    std::erase_if(endpoints_, [](const auto& e) { return e->values.closed(); });
  }

  void give_to_all(const T& value) {
    // All copies before the first is given away: if one fails, nobody gets any.
    std::vector<T> copies;
    copies.reserve(endpoints_.size());
    for (std::size_t i = 0; i < endpoints_.size(); ++i) copies.push_back(value);
    if (replay_ != 0) recent_.push_back(value);
    if (recent_.size() > replay_) recent_.pop_front();
    for (std::size_t i = 0; i < copies.size(); ++i) endpoints_[i]->give(std::move(copies[i]));
  }

  const std::size_t replay_;
  mutex turn_;           // of those who publish
  mutable mutex mutex_;  // of what follows; nobody waits for room with it
  bool shut_ = false;
  std::vector<std::shared_ptr<endpoint>> endpoints_;
  std::deque<T> recent_;  // what a late joiner gets
};

/// What one subscriber of a broadcast receives. Ends by its destruction; what it has not received is then gone.
template <class T>
class broadcast<T>::subscription {
 public:
  using value_type = T;

  /// One that is closed.
  subscription() noexcept = default;
  subscription(subscription&& other) noexcept = default;
  subscription& operator=(subscription other) noexcept {
    std::swap(at_, other.at_);
    return *this;
  }
  ~subscription() {
    if (at_ != nullptr) at_->values.close();
  }

  /// Takes the oldest value that was published for it.
  /// @return the value, or nothing once the broadcast is closed and all was received, or @p by has passed
  /// @throws cancelled  the calling fiber was cancelled
  [[nodiscard]] std::optional<T> receive(deadline by = deadline::never()) {
    return at_ == nullptr ? std::nullopt : at_->values.receive(by);
  }
  /// The same, without waiting.
  [[nodiscard]] std::optional<T> try_receive() { return at_ == nullptr ? std::nullopt : at_->values.try_receive(); }

  /// Whether nothing more will be published for it; values may be on their way still.
  bool closed() const noexcept { return at_ == nullptr || at_->values.closed(); }
  /// Whether no value is on its way.
  bool empty() const noexcept { return at_ == nullptr || at_->values.empty(); }

  /// Values that it has lost, because it had no place for them.
  std::uint64_t dropped() const noexcept { return at_ == nullptr ? 0 : at_->dropped.load(std::memory_order_relaxed); }

  /// The channel that the values come through, for `on_receive` and for streams.
  /// @throws std::logic_error  of a default-made or moved-from one, which has none
  channel<T>& values() {
    if (at_ == nullptr) throw std::logic_error("weft::broadcast: a subscription to nothing has no channel");
    return at_->values;
  }

  // What a waitable offers: see waitable.hpp.
  bool ready() const noexcept { return at_ == nullptr || at_->values.ready(); }
  void add_waiter(detail::subscription& s) noexcept { at_ == nullptr ? s.notify(s) : at_->values.add_waiter(s); }
  void remove_waiter(detail::subscription& s) noexcept {
    if (at_ != nullptr) at_->values.remove_waiter(s);
  }

  /// Receives until the broadcast is closed and all was received.
  auto begin() { return detail::taking_iterator<T, subscription, &subscription::receive>(*this); }
  static constexpr std::default_sentinel_t end() noexcept { return {}; }

 private:
  friend class broadcast;
  explicit subscription(std::shared_ptr<endpoint> at) noexcept : at_(std::move(at)) {}
  std::shared_ptr<endpoint> at_;
};

}  // namespace weft
