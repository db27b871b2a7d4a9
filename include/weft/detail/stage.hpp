// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/this_fiber.hpp"

namespace weft {

template <class T>
class stream;

namespace detail {

/// What came of a pull.
enum class pulled : unsigned char {
  value,
  end,
  late,  ///< the deadline passed first; the run goes on
};

/// One step of a run of a stream. Values are pulled through it from the end, so nothing runs ahead of who consumes. An
/// error is an exception of `pull`.
///
/// Threads   One pull at a time.
template <class T>
class stage {
 public:
  stage() = default;
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;
  virtual ~stage() = default;

  /// Puts the next value into @p out, which is empty, unless @p by passes first. A passed @p by still gets a value that is
  /// there. What was begun when it is late goes on with the next pull.
  virtual pulled pull(std::optional<T>& out, deadline by) = 0;
};

template <class T>
using run_of = std::unique_ptr<stage<T>>;

/// A stage whose pull is a function object with the same arguments.
template <class T, class F>
run_of<T> make_stage(F pull) {
  class made final : public stage<T> {
   public:
    explicit made(F f) : f_(std::move(f)) {}
    pulled pull(std::optional<T>& out, deadline by) override { return f_(out, by); }

   private:
    F f_;
  };
  return std::make_unique<made>(std::move(pull));
}

/// The stage before another. It is destroyed, and so all before it, as soon as it has ended or failed: from then on there
/// is nothing.
template <class T>
class upstream {
 public:
  explicit upstream(run_of<T> run) noexcept : run_(std::move(run)) {}

  pulled pull(std::optional<T>& out, deadline by) {
    if (run_ == nullptr) return pulled::end;
    pulled result;
    try {
      result = run_->pull(out, by);
    } catch (...) {
      stop();
      throw;
    }
    if (result == pulled::end) stop();
    return result;
  }
  void stop() { run_.reset(); }
  bool stopped() const noexcept { return run_ == nullptr; }

 private:
  run_of<T> run_;
};

/// The earlier of the caller's deadline and a stage's own.
inline deadline earlier(deadline a, deadline b) noexcept { return a < b ? a : b; }
inline bool has_passed(deadline point) noexcept {
  return !point.is_never() && deadline(deadline::clock::duration(0)) >= point;
}

/// For a stage that drops values: over a source that never waits its pull would be no cancellation point, and never late.
class drops {
 public:
  /// To be called behind each value that is dropped. A cancellation point now and then. @return whether @p by has passed
  bool make_late(deadline by) {
    if (++count_ % in_a_row != 0) return false;
    this_fiber::yield();
    return has_passed(by);
  }

 private:
  static constexpr unsigned in_a_row = 64;
  unsigned count_ = 0;
};

/// Pulls the next value for which @p keep, a predicate of a const T&, says true; drops those before.
template <class T, class F>
pulled pull_kept(upstream<T>& from, std::optional<T>& out, deadline by, F&& keep) {
  for (drops dropped;;) {
    const pulled got = from.pull(out, by);
    if (got != pulled::value || keep(std::as_const(*out))) return got;
    out.reset();
    if (dropped.make_late(by)) return pulled::late;
  }
}

}  // namespace detail
}  // namespace weft
