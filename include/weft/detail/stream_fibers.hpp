// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "weft/cancel_scope.hpp"
#include "weft/cancelled.hpp"
#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/stream_flow.hpp"
#include "weft/fiber.hpp"
#include "weft/mutex.hpp"
#include "weft/shield.hpp"
#include "weft/task_cancelled.hpp"
#include "weft/wait.hpp"

// Stages of stream.hpp that run fibers of their own.
namespace weft::detail {

/// Ends @p f, whatever comes: a fiber of a run never outlives it.
inline void end_fiber(const fiber& f) {
  f.request_kill();
  const shield quiet;
  f.join();
}

/// Fibers that send values to one consumer. They end with it: cancelled, and joined.
template <class T>
class pump {
  struct item {
    std::optional<T> value;
    std::exception_ptr error;  // neither: one of the fibers has done its work
  };

 public:
  explicit pump(std::size_t capacity) : items_(capacity) {}
  pump(const pump&) = delete;
  pump& operator=(const pump&) = delete;
  ~pump() {
    for (const fiber& f : fibers_) f.request_kill();
    for (const fiber& f : fibers_) end_fiber(f);
  }

  /// Runs @p body in a fiber; it sends with `send`.
  /// @param counts  the consumer waits for its end
  template <class F>
  void start(F body, bool counts = true) {
    if (counts) ++running_;
    fibers_.push_back(spawn([this, run = std::move(body), counts]() mutable {
      try {
        or_fail(run);
      } catch (const cancelled&) {
        items_.close();  // in case that it was not the end of this pump
        throw;
      }
      if (counts) (void)items_.send(item{});
    }));
  }

  // For the fibers.
  void send(T&& value) { (void)items_.send(item{std::move(value), nullptr}); }
  /// Calls @p f; what it throws is thrown at the consumer.
  template <class F>
  void or_fail(F&& f) {
    item failed;
    try {
      return f();
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      failed.error = std::current_exception();
    }
    (void)items_.send(std::move(failed));
  }

  // For the consumer.
  pulled pull(std::optional<T>& out, deadline by) {
    while (running_ != 0) {
      std::optional<item> got = items_.receive(by);
      if (!got.has_value()) {
        if (items_.closed()) throw task_cancelled();
        return pulled::late;
      }
      if (got->error) std::rethrow_exception(got->error);
      if (got->value.has_value()) {
        out.emplace(std::move(*got->value));
        return pulled::value;
      }
      --running_;
    }
    return pulled::end;
  }

 private:
  channel<item> items_;
  std::size_t running_ = 0;
  std::vector<fiber> fibers_;
};

/// The pull of a run whose fibers are those that @p fill starts in a pump.
template <class T, class F>
auto pump_run(std::size_t capacity, const F& fill) {
  auto values = std::make_unique<pump<T>>(capacity);
  fill(*values);
  return [values = std::move(values)](std::optional<T>& out, deadline by) { return values->pull(out, by); };
}

template <class T>
void send_all(pump<T>& to, const stream<T>& from) {
  upstream<T> run(from.begin_run());
  for (std::optional<T> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
    to.send(std::move(*value));
  }
}

template <class T>
stream<T> merge(std::vector<stream<T>> sources) {
  return stream_of<T>([sources = std::move(sources)] {
    return pump_run<T>(0, [&](pump<T>& values) {
      for (const stream<T>& one : sources) values.start([&values, one] { send_all(values, one); });
    });
  });
}

template <class T>
stream<T> prefetch(stream<T> source, std::size_t count) {
  return stream_of<T>([source = std::move(source), count] {
    return pump_run<T>(count, [&](pump<T>& values) { values.start([&values, source] { send_all(values, source); }); });
  });
}

/// Ends the pull of a run, from a fiber of its own that waits for an object.
template <class T>
class until {
 public:
  until(run_of<T> run, waitable_ref object) : from_(std::move(run)), reached_(object.ready()) {
    if (reached_) return;
    watcher_ = spawn([this, object] {
      waitable_ref one[] = {object};
      (void)weft::wait(one, 1);
      reached_.store(true, std::memory_order_release);
      pulling_.cancel();
    });
  }
  until(const until&) = delete;
  until& operator=(const until&) = delete;
  ~until() { end_fiber(watcher_); }

  pulled pull(std::optional<T>& out, deadline by) {
    pulled got = pulled::end;
    if (!reached_.load(std::memory_order_acquire) && pulling_.run([&] { got = from_.pull(out, by); })) return got;
    from_.stop();
    return pulled::end;
  }

 private:
  upstream<T> from_;
  std::atomic<bool> reached_;
  cancel_scope pulling_;
  fiber watcher_;
};

template <class T>
stream<T> take_until(stream<T> source, waitable_ref object) {
  return stream_of<T>([source = std::move(source), object] {
    return [run = std::make_unique<until<T>>(source.begin_run(), object)](std::optional<T>& out, deadline by) {
      return run->pull(out, by);
    };
  });
}

template <class T>
stream<T> delay(stream<T> source, deadline::clock::duration span, std::size_t ahead) {
  using timed = std::pair<deadline, T>;
  auto stamped = prefetch(source.map([span](T value) { return timed(deadline(span), std::move(value)); }), ahead);
  return stream_of<T>([stamped = std::move(stamped)] {
    return [from = upstream<timed>(stamped.begin_run()), held = std::optional<timed>()](std::optional<T>& out,
                                                                                        deadline by) mutable {
      if (!held.has_value()) {
        if (const pulled got = from.pull(held, by); got != pulled::value) return got;
      }
      if (!has_passed(held->first)) {
        this_fiber::sleep_until(earlier(by, held->first));
        if (!has_passed(held->first)) return pulled::late;
      }
      out.emplace(std::move(held->second));
      held.reset();
      return pulled::value;
    };
  });
}

/// A source that several fibers pull from in turn.
template <class T>
class shared_upstream {
 public:
  explicit shared_upstream(run_of<T> run) noexcept : from_(std::move(run)) {}
  std::optional<T> next() {
    std::optional<T> value;
    const std::lock_guard turn(turn_);
    from_.pull(value, deadline::never());
    return value;
  }

 private:
  mutex turn_;
  upstream<T> from_;
};

/// @p count fibers that each call `work(values, value)` for one value of @p source after the other.
template <class U, class T, class F>
stream<U> work_on(stream<T> source, std::size_t count, F work) {
  if (count == 0) refuse_count();
  return stream_of<U>([source = std::move(source), count, shared = std::make_shared<F>(std::move(work))] {
    return pump_run<U>(0, [&](pump<U>& values) {
      auto from = std::make_shared<shared_upstream<T>>(source.begin_run());
      for (std::size_t i = 0; i < count; ++i) {
        values.start([&values, from, shared] {
          while (std::optional<T> value = from->next()) (*shared)(values, std::move(*value));
        });
      }
    });
  });
}

template <class T, class F>
auto map_unordered(stream<T> source, F f, std::size_t concurrency) {
  using result = std::remove_cvref_t<std::invoke_result_t<F&, T>>;
  return work_on<result>(std::move(source), concurrency, [f = std::move(f)](pump<result>& values, T value) mutable {
    values.send(std::invoke(f, std::move(value)));
  });
}

template <class T, class F>
auto flat_map(stream<T> source, F f, std::size_t concurrency) {
  using inner = std::remove_cvref_t<std::invoke_result_t<F&, T>>;
  using result = typename inner::value_type;
  if (concurrency != 1) {
    return work_on<result>(std::move(source), concurrency, [f = std::move(f)](pump<result>& values, T value) mutable {
      send_all(values, std::invoke(f, std::move(value)));
    });
  }
  return stream_of<result>([source = std::move(source), shared = std::make_shared<F>(std::move(f))] {
    return [from = upstream<T>(source.begin_run()), shared, of_one = upstream<result>(nullptr)](
               std::optional<result>& out, deadline by) mutable {
      for (;;) {
        pulled got = of_one.pull(out, by);
        if (got != pulled::end) return got;
        std::optional<T> value;
        got = from.pull(value, by);
        if (got != pulled::value) return got;
        of_one = upstream<result>(std::invoke(*shared, std::move(*value)).begin_run());
      }
    };
  });
}

/// As flat_map of one stream at a time, but the next value ends the stream of the one before.
template <class T, class F>
auto switch_map(stream<T> source, F f) {
  using result = typename std::remove_cvref_t<std::invoke_result_t<F&, T>>::value_type;
  return stream_of<result>([source = std::move(source), shared = std::make_shared<F>(std::move(f))] {
    return pump_run<result>(0, [&](pump<result>& values) {
      values.start([&values, source, shared] {
        struct ending {
          fiber of;
          void now() { end_fiber(std::exchange(of, {})); }
          ~ending() { now(); }
        } present;
        upstream<T> run(source.begin_run());
        for (std::optional<T> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
          present.now();
          present.of = spawn([&values, inner = std::invoke(*shared, std::move(*value))] {
            values.or_fail([&] { send_all(values, inner); });
          });
        }
        present.of.join();
      });
    });
  });
}

/// Each side's values with the last one of the other.
template <class T, class U>
stream<std::pair<T, U>> combine_latest(stream<T> left, stream<U> right) {
  using both = std::pair<T, U>;
  struct state {
    mutex turn;  // held while a pair is sent too: so that the newer one is not overtaken
    std::optional<T> left;
    std::optional<U> right;
  };
  return stream_of<both>([left = std::move(left), right = std::move(right)] {
    return pump_run<both>(0, [&](pump<both>& values) {
      const auto last = std::make_shared<state>();
      const auto follow = [&]<class V>(const stream<V>& side, std::optional<V> state::*mine) {
        values.start([&values, last, side, mine] {
          upstream<V> run(side.begin_run());
          for (std::optional<V> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
            const std::lock_guard turn(last->turn);
            ((*last).*mine).swap(value);
            if (last->left.has_value() && last->right.has_value()) values.send(both(*last->left, *last->right));
          }
        });
      };
      follow(left, &state::left);
      follow(right, &state::right);
    });
  });
}

template <class T, class U>
stream<std::pair<T, U>> with_latest_from(stream<T> source, stream<U> other) {
  using both = std::pair<T, U>;
  struct state {
    mutex turn;
    std::optional<U> last;
  };
  return stream_of<both>([source = std::move(source), other = std::move(other)] {
    return pump_run<both>(0, [&](pump<both>& values) {
      const auto shared = std::make_shared<state>();
      const auto follow = [shared, other] {
        upstream<U> run(other.begin_run());
        for (std::optional<U> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
          const std::lock_guard turn(shared->turn);
          shared->last.swap(value);
        }
      };
      values.start(follow, /*counts=*/false);  // first: what it has at once comes with the first value
      values.start([&values, shared, source] {
        upstream<T> run(source.begin_run());
        drops dropped;
        for (std::optional<T> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
          std::optional<U> with;
          {
            const std::lock_guard turn(shared->turn);
            with = shared->last;
          }
          if (with.has_value()) {
            values.send(both(std::move(*value), std::move(*with)));
          } else {
            dropped.make_late(deadline::never());
          }
        }
      });
    });
  });
}

}  // namespace weft::detail
