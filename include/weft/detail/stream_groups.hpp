// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/stream_fibers.hpp"
#include "weft/detail/stream_flow.hpp"

// The stage of stream.hpp that gives each key a stream of its own.
namespace weft::detail {

/// One group's values, on their way from the fiber that sorts them.
template <class K, class T>
struct stream_group {
  /// The groups whose readers have let go of them, for the fiber that sorts.
  class let_go {
   public:
    void add(std::shared_ptr<stream_group> group) noexcept {
      const std::lock_guard guard(lock_);
      if (over_) return;
      group->next = std::move(first_);
      first_ = std::move(group);
    }
    std::shared_ptr<stream_group> take_all() noexcept {
      const std::lock_guard guard(lock_);
      return std::move(first_);
    }
    /// Takes no more: each would keep this, and this it.
    void end() noexcept {
      const std::lock_guard guard(lock_);
      over_ = true;
    }

   private:
    spinlock lock_;
    bool over_ = false;
    std::shared_ptr<stream_group> first_;
  };

  stream_group(const K& k, std::size_t ahead, std::shared_ptr<let_go> to)
      : key(k), values(ahead), gone(std::move(to)) {}

  pulled pull(std::optional<T>& out, deadline by) {
    if (std::optional<T> got = values.receive(by)) {
      out.emplace(std::move(*got));
      return pulled::value;
    }
    if (!values.closed() || !values.empty()) return pulled::late;
    if (error) std::rethrow_exception(error);
    return pulled::end;
  }

  const K key;
  channel<T> values;
  std::exception_ptr error;  // of the source; read behind the close of `values`
  const std::shared_ptr<let_go> gone;
  std::shared_ptr<stream_group> next;  // in `gone`

  /// The reader's share. Whoever has the last one lets go of the group.
  struct share {
    explicit share(std::shared_ptr<stream_group> g) noexcept : of(std::move(g)) {}
    share(const share&) = delete;
    share& operator=(const share&) = delete;
    ~share() {
      of->values.close();
      of->gone->add(of);
    }
    const std::shared_ptr<stream_group> of;
  };
};

/// The groups of a run. They end with the run.
template <class K, class T>
class stream_groups {
  using group = stream_group<K, T>;

 public:
  explicit stream_groups(std::size_t ahead) : ahead_(ahead), gone_(std::make_shared<typename group::let_go>()) {}
  stream_groups(const stream_groups&) = delete;
  stream_groups& operator=(const stream_groups&) = delete;
  ~stream_groups() { end(nullptr); }

  /// Puts @p value into the group of @p key, and a new group into @p to before. @return false if nobody wants it
  bool sort(K key, T&& value, pump<std::pair<K, stream<T>>>& to) {
    forget_those_let_go();
    if (const auto at = all_.find(key); at != all_.end()) {
      // A copy: a send may wait, and what it is sent to be let go of.
      const std::shared_ptr<group> old = at->second;
      if (old->values.send(std::move(value))) return true;
      all_.erase(at);
    }
    const auto made = std::make_shared<group>(key, ahead_, gone_);
    all_.emplace(key, made);
    to.send({std::move(key), readable(made)});
    return made->values.send(std::move(value));
  }
  void end(const std::exception_ptr& error) noexcept {
    for (auto& [key, each] : all_) {
      each->error = error;
      each->values.close();
    }
    all_.clear();
    gone_->end();
    forget_those_let_go();
  }

 private:
  static stream<T> readable(std::shared_ptr<group> of) {
    auto share = std::make_shared<typename group::share>(std::move(of));
    return stream_of<T>([share = std::move(share)] {
      return [share](std::optional<T>& out, deadline by) { return share->of->pull(out, by); };
    });
  }

  void forget_those_let_go() noexcept {
    for (std::shared_ptr<group> each = gone_->take_all(); each != nullptr; each = std::move(each->next)) {
      const auto at = all_.find(each->key);
      if (at != all_.end() && at->second == each) all_.erase(at);
    }
  }

  std::size_t ahead_;
  std::unordered_map<K, std::shared_ptr<group>> all_;
  const std::shared_ptr<typename group::let_go> gone_;
};

template <class T, class F>
auto group_by(stream<T> source, F key, std::size_t ahead) {
  using K = std::remove_cvref_t<std::invoke_result_t<F&, const T&>>;
  using keyed = std::pair<K, stream<T>>;
  return stream_of<keyed>([source = std::move(source), shared = std::make_shared<F>(std::move(key)), ahead] {
    return pump_run<keyed>(ahead, [&](pump<keyed>& to) {
      to.start([&to, source, shared, ahead] {
        stream_groups<K, T> groups(ahead);
        try {
          upstream<T> run(source.begin_run());
          drops dropped;
          for (std::optional<T> value; run.pull(value, deadline::never()) == pulled::value; value.reset()) {
            K one = std::invoke(*shared, std::as_const(*value));
            if (!groups.sort(std::move(one), std::move(*value), to)) dropped.make_late(deadline::never());
          }
        } catch (const cancelled&) {
          throw;
        } catch (...) {
          groups.end(std::current_exception());
          throw;
        }
      });
    });
  });
}

}  // namespace weft::detail
