// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/stream_fibers.hpp"
#include "weft/detail/stream_flow.hpp"
#include "weft/detail/stream_groups.hpp"
#include "weft/detail/stream_time.hpp"
#include "weft/stream_run.hpp"
#include "weft/wait.hpp"
#include "weft/waitable.hpp"

namespace weft {

/// Values that come one after the other, and what is to be done with them: reactive streams, for fibers.
///
/// A stream is a recipe: nothing happens until somebody consumes it (`collect`, `for_each`, `open`, a range-for), and each
/// time begins anew. For work that changes hands and no more use a `channel`; a stream can be made of one and end in one.
/// streams.hpp has what streams are made of.
///
///     auto lines = weft::streams::from(log_channel)
///                      .filter([](const line& l) { return l.bad(); })
///                      .debounce(100ms)
///                      .take(10)
///                      .collect();
///
/// The consumer pulls each value through all stages, in its own fiber; the stages that do several things at once (merge,
/// prefetch, delay, take_until, group_by, map_unordered, flat_map of several) run fibers of their own, which end with the run. So nothing runs ahead of
/// its consumer by more than the capacity that a stage was given: back-pressure needs no further word.
///
/// Blocking  A consumer suspends while no value is there. A stage's function may wait.
/// Order     Values keep their order, but where several sources run at once.
/// Timeout   The stages that know time (debounce, throttle, sample, delay, timeout, buffer, window) read the clock when they are pulled.
/// Cancel    A consumer that is cancelled, or that stops early (`take`, `first`, leaving a loop), ends the run: the fibers
///           of its stages are cancelled and have ended when it goes on.
/// Errors    An exception of a source or of a stage's function travels to the consumer, through `retry` and `on_error`, and
///           ends the run. Those two let `cancelled` and `timeout_expired` pass: that is for who consumes. A count or a
///           concurrency of 0 throws std::invalid_argument when the stage is made; 0 means none to `take`, `skip`, `repeat`. The
///           run of a stream that was moved away throws std::logic_error.
/// Threads   A stream is a value that may be copied and opened by several fibers; its functions are shared by all its runs.
///           The fibers of stages run where `spawn` puts them: on the consumer's hub, but under `run` on any of its hubs. The
///           function of `map_unordered` or of `flat_map` of several may then be called by several hubs at once, and those
///           of what is merged, combined or fetched ahead beside the consumer: what they share they lock.
///           T moves without throwing where it goes through a channel.
/// Lifetime  A channel, a broadcast and what functions refer to outlive the runs.
/// Cost      One virtual call for each stage and value; opening allocates each stage once.
template <class T>
class stream {
  struct none {};

 public:
  using value_type = T;
  using recipe = std::function<detail::run_of<T>()>;

  /// @param make  begins a run; called once for each
  /// @throws std::invalid_argument  it is empty
  explicit stream(recipe make) {
    if (make == nullptr) throw std::invalid_argument("weft::stream: no recipe");
    make_ = std::make_shared<const recipe>(std::move(make));
  }

  /// Begins a run.
  stream_run<T> open() const { return stream_run<T>(begin_run()); }
  detail::run_of<T> begin_run() const {
    if (make_ == nullptr) throw std::logic_error("weft::stream: moved away");
    return (*make_)();
  }

  // -- each value

  /// @p f of each value.
  template <std::invocable<T> F>
  auto map(F f) const {
    using result = std::remove_cvref_t<std::invoke_result_t<F&, T>>;
    return then<result>([f = std::move(f)](auto& from, none&, std::optional<result>& out, deadline by) mutable {
      std::optional<T> value;
      const detail::pulled got = from.pull(value, by);
      if (got == detail::pulled::value) out.emplace(std::invoke(f, std::move(*value)));
      return got;
    });
  }

  /// Those for which @p keep says true.
  template <std::predicate<const T&> F>
  stream filter(F keep) const {
    return then<T>([keep = std::move(keep)](auto& from, none&, std::optional<T>& out, deadline by) mutable {
      return detail::pull_kept(from, out, by, [&](const T& value) { return std::invoke(keep, value); });
    });
  }

  /// Each as it is, once @p f has seen it.
  template <std::invocable<const T&> F>
  stream tap(F f) const {
    return then<T>([f = std::move(f)](auto& from, none&, std::optional<T>& out, deadline by) mutable {
      const detail::pulled got = from.pull(out, by);
      if (got == detail::pulled::value) std::invoke(f, std::as_const(*out));
      return got;
    });
  }

  /// What has come of @p initial and the values so far: f(initial, v1), f(f(initial, v1), v2) and so on.
  template <std::copy_constructible A, class F>
  stream<A> scan(A initial, F f) const {
    return then<A>(
        [f = std::move(f)](auto& from, A& sum, std::optional<A>& out, deadline by) mutable {
          std::optional<T> value;
          const detail::pulled got = from.pull(value, by);
          if (got == detail::pulled::value) {
            sum = std::invoke(f, std::move(sum), std::move(*value));
            out.emplace(sum);
          }
          return got;
        },
        std::move(initial));
  }

  /// The values of the streams that @p f makes of each value, one stream after the other; with @p concurrency up to so many
  /// at once, each in a fiber of its own, and their values as they come.
  template <std::invocable<T> F>
  auto flat_map(F f, std::size_t concurrency = 1) const {
    return detail::flat_map(*this, std::move(f), concurrency);
  }

  /// As `map`, with up to @p concurrency calls at once, each in a fiber of its own: results as they come.
  template <std::invocable<T> F>
  auto map_unordered(F f, std::size_t concurrency) const {
    return detail::map_unordered(*this, std::move(f), concurrency);
  }

  /// The values of the stream that @p f makes of the newest value: the next value cancels the stream of the one before.
  template <std::invocable<T> F>
  auto switch_map(F f) const {
    return detail::switch_map(*this, std::move(f));
  }

  // -- some of them

  /// The first @p count. What comes before is stopped with the last of them.
  stream take(std::size_t count) const {
    return then<T>(
        [](auto& from, std::size_t& left, std::optional<T>& out, deadline by) {
          if (left == 0) from.stop();
          const detail::pulled got = from.pull(out, by);
          if (got == detail::pulled::value && --left == 0) from.stop();
          return got;
        },
        count);
  }

  /// Those before the first for which @p go_on says false.
  template <std::predicate<const T&> F>
  stream take_while(F go_on) const {
    return then<T>([go_on = std::move(go_on)](auto& from, none&, std::optional<T>& out, deadline by) mutable {
      const detail::pulled got = from.pull(out, by);
      if (got != detail::pulled::value || std::invoke(go_on, std::as_const(*out))) return got;
      out.reset();
      from.stop();
      return detail::pulled::end;
    });
  }

  /// All but the first @p count.
  stream skip(std::size_t count) const {
    return then<T>(
        [](auto& from, std::size_t& left, std::optional<T>& out, deadline by) {
          return detail::pull_kept(from, out, by, [&](const T&) { return left == 0 || left-- == 0; });
        },
        count);
  }

  /// Those from the first on for which @p drop says false.
  template <std::predicate<const T&> F>
  stream skip_while(F drop) const {
    return then<T>(
        [drop = std::move(drop)](auto& from, bool& begun, std::optional<T>& out, deadline by) mutable {
          return detail::pull_kept(from, out, by, [&](const T& value) {
            begun = begun || !std::invoke(drop, value);
            return begun;
          });
        },
        false);
  }

  /// Each that was not there before in this run. Remembers all of them: T has a std::hash and ==.
  stream distinct() const {
    return then<T>(
        [](auto& from, std::unordered_set<T>& known, std::optional<T>& out, deadline by) {
          return detail::pull_kept(from, out, by, [&](const T& value) { return known.insert(value).second; });
        },
        std::unordered_set<T>());
  }

  /// Each that differs from the one before.
  stream distinct_until_changed() const requires std::equality_comparable<T> {
    return then<T>(
        [](auto& from, std::optional<T>& last, std::optional<T>& out, deadline by) {
          return detail::pull_kept(from, out, by, [&](const T& value) {
            if (last.has_value() && *last == value) return false;
            last.reset();
            last.emplace(value);
            return true;
          });
        },
        std::optional<T>());
  }

  /// Those that come before @p object (an event, a fiber, a future: anything one can wait for) is ready, once; a wait for the next one
  /// ends then. The object outlives the runs.
  template <waitable W>
  stream take_until(W& object) const {
    return detail::take_until(*this, waitable_ref(object));
  }

  // -- several together

  /// The values in lists of @p count; the last one may be shorter. With @p span a list is given out, too, once so much time
  /// has passed since its first value came.
  stream<std::vector<T>> buffer(std::size_t count,
                                deadline::clock::duration span = deadline::clock::duration::max()) const {
    return detail::buffer(*this, count, span);
  }

  /// The values in streams of @p count, to be consumed one after the other while they come; what is left of one is skipped
  /// when the next is asked for. With @p span one ends, too, once so much time has passed since its first value came.
  stream<stream> window(std::size_t count, deadline::clock::duration span = deadline::clock::duration::max()) const {
    return detail::window(*this, count, span);
  }

  /// The values in streams of those that have the same @p key (a function of a value; what it gives has a std::hash and ==):
  /// a pair of key and stream with the first value of each. They are to be consumed side by side, each once: while nobody
  /// takes a value, its group's or the next group, all wait, but for @p ahead values of each group and as many groups. A group
  /// that is let go of is forgotten with what it holds: what comes for its key begins another. So keys that come and go cost
  /// nothing when they have gone; to be rid of all but the first of each, take `distinct`.
  ///
  ///     words.group_by([](const std::string& w) { return w.size(); })
  ///         .map_unordered([](auto group) { return std::pair(group.first, group.second.count()); }, 100)
  template <std::invocable<const T&> F>
  auto group_by(F key, std::size_t ahead = 0) const {
    return detail::group_by(*this, std::move(key), ahead);
  }

  /// All values of this stream, then those of @p next.
  stream concat(stream next) const { return detail::concat(*this, std::move(next)); }

  /// @p first, and then all values of this stream.
  template <std::convertible_to<T>... Values>
  stream start_with(Values... first) const {
    return detail::start_with(*this, std::vector<T>{std::move(first)...});
  }

  /// The values of all, as they come: each runs in a fiber of its own. Ends when all have ended.
  template <std::same_as<stream>... Others>
  stream merge(Others... others) const {
    return detail::merge(std::vector<stream>{*this, std::move(others)...});
  }

  /// All values, and then @p times more all over again: each time is a run of its own.
  stream repeat(std::size_t times) const { return detail::repeat(*this, times + 1); }

  /// Pairs of one value of each. Ends with the shorter one.
  template <class U>
  stream<std::pair<T, U>> zip(stream<U> other) const {
    return detail::zip(*this, std::move(other));
  }

  /// For each value of either a pair of the last ones of both, once both have given one. Ends when both have ended.
  template <class U>
  stream<std::pair<T, U>> combine_latest(stream<U> other) const {
    return detail::combine_latest(*this, std::move(other));
  }

  /// For each value of this one a pair of it and the last one of @p other; those before the first of @p other are dropped.
  /// Ends when this one ends.
  template <class U>
  stream<std::pair<T, U>> with_latest_from(stream<U> other) const {
    return detail::with_latest_from(*this, std::move(other));
  }

  /// The same values; what comes before runs in a fiber of its own and up to @p count values ahead.
  stream prefetch(std::size_t count) const { return detail::prefetch(*this, count); }

  // -- time

  /// A value once no other has come for @p quiet; at the end at once.
  stream debounce(deadline::clock::duration quiet) const { return detail::debounce(*this, quiet); }

  /// A value, and then none before @p pause is over: what comes in between is lost.
  stream throttle(deadline::clock::duration pause) const { return detail::throttle(*this, pause); }

  /// The last value of each @p period in which one came; at the end what is left.
  /// @throws std::invalid_argument  @p period is 0 or less
  stream sample(deadline::clock::duration period) const { return detail::sample(*this, period); }

  /// Each value @p span after it came. A fiber of its own takes them, so that up to @p ahead are on their way at once; what comes
  /// while there are so many waits with its source, and its time begins behind that.
  stream delay(deadline::clock::duration span, std::size_t ahead = 16) const {
    return detail::delay(*this, span, ahead);
  }

  /// Fails with std::system_error (timed_out) when the consumer has waited @p limit for a value.
  stream timeout(deadline::clock::duration limit) const { return detail::timeout(*this, limit); }

  // -- errors

  /// Begins anew when it fails, up to @p times, each time after @p pause. Values given out before are not taken back.
  stream retry(std::size_t times, deadline::clock::duration pause = {}) const {
    return detail::retry(*this, times, pause);
  }

  /// Goes on with the stream that @p f makes of the error (a std::exception_ptr) when this one fails.
  template <std::invocable<std::exception_ptr> F>
  stream on_error(F f) const {
    return detail::on_error(*this, std::move(f));
  }

  // -- consuming: each of these is a run in the calling fiber. Where @p by passes the run ends, behind the value that has come last,
  //    though more may be there at once. To tell a time-out from the end where the result does not, take `for_each` or `open`.

  /// Calls @p f with each value.
  /// @return false if @p by passed before the end
  template <std::invocable<T> F>
  bool for_each(F f, deadline by = deadline::never()) const {
    auto run = open();
    while (std::optional<T> value = run.next(by)) {
      std::invoke(f, std::move(*value));
      if (detail::has_passed(by)) return false;
    }
    return run.ended();
  }

  /// All values, or those that have come when @p by passes.
  std::vector<T> collect(deadline by = deadline::never()) const {
    std::vector<T> all;
    for_each([&](T value) { all.push_back(std::move(value)); }, by);
    return all;
  }

  /// f(f(initial, v1), v2) and so on, of all values or those that come until @p by: what Rx calls reduce.
  template <class A, class F>
  A fold(A initial, F f, deadline by = deadline::never()) const {
    for_each([&](T value) { initial = std::invoke(f, std::move(initial), std::move(value)); }, by);
    return initial;
  }

  /// How many values there are, or come until @p by.
  std::size_t count(deadline by = deadline::never()) const {
    std::size_t n = 0;
    for_each([&](const T&) { ++n; }, by);
    return n;
  }

  /// The first value; what comes before is stopped then. Nothing if there is none, or when @p by has passed.
  std::optional<T> first(deadline by = deadline::never()) const { return open().next(by); }

  /// Sends each value to @p to, until that is closed or @p by passes. Does not close it.
  /// @return whether all were sent
  bool send_to(channel<T>& to, deadline by = deadline::never()) const {
    auto run = open();
    while (std::optional<T> value = run.next(by)) {
      if (!to.send(std::move(*value), by)) return false;
      if (detail::has_passed(by)) return false;
    }
    return run.ended();
  }

 private:
  // A stage behind this one: `step(upstream, state, out, by)`. All runs share the step; each has a copy of the state.
  template <class U, class Step, class State = none>
  stream<U> then(Step step, State fresh = {}) const {
    return stream<U>([self = *this, shared = std::make_shared<Step>(std::move(step)), fresh = std::move(fresh)] {
      return detail::make_stage<U>([from = detail::upstream<T>(self.begin_run()), shared, state = fresh](
                                       auto& out, deadline by) mutable { return (*shared)(from, state, out, by); });
    });
  }

  std::shared_ptr<const recipe> make_;
};

}  // namespace weft
