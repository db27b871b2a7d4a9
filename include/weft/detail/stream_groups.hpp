// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/channel.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/stream_fibers.hpp"
#include "weft/detail/stream_flow.hpp"

// The stage of stream.hpp that gives each key a stream of its own.
namespace weft::detail {

/// One group's values, on their way from the fiber that sorts them.
template <class T>
struct stream_group {
  explicit stream_group(std::size_t ahead) : values(ahead) {}

  pulled pull(std::optional<T>& out, deadline by) {
    if (std::optional<T> got = values.receive(by)) {
      out.emplace(std::move(*got));
      return pulled::value;
    }
    if (!values.closed() || !values.empty()) return pulled::late;
    if (error) std::rethrow_exception(error);
    return pulled::end;
  }

  channel<T> values;
  std::exception_ptr error;  // of the source; read behind the close of `values`

  /// The reader's share. Whoever has the last one lets go of the group.
  struct share {
    explicit share(std::shared_ptr<stream_group> g) noexcept : of(std::move(g)) {}
    share(const share&) = delete;
    share& operator=(const share&) = delete;
    ~share() { of->values.close(); }
    const std::shared_ptr<stream_group> of;
  };
};

/// The groups of a run. They end with the run.
template <class K, class T>
class stream_groups {
 public:
  explicit stream_groups(std::size_t ahead) noexcept : ahead_(ahead) {}
  stream_groups(const stream_groups&) = delete;
  stream_groups& operator=(const stream_groups&) = delete;
  ~stream_groups() { end(nullptr); }

  /// Puts @p value into the group of @p key, and a new group into @p to before. @return false if nobody wants it any more
  bool sort(K key, T&& value, pump<std::pair<K, stream<T>>>& to) {
    auto at = all_.find(key);
    if (at == all_.end()) {
      at = all_.emplace(std::move(key), std::make_shared<stream_group<T>>(ahead_)).first;
      to.send({at->first, readable(at->second)});
    }
    return at->second->values.send(std::move(value));
  }
  void end(const std::exception_ptr& error) noexcept {
    for (auto& [key, group] : all_) {
      group->error = error;
      group->values.close();
    }
    all_.clear();
  }

 private:
  static stream<T> readable(std::shared_ptr<stream_group<T>> group) {
    auto share = std::make_shared<typename stream_group<T>::share>(std::move(group));
    return stream_of<T>([share = std::move(share)] {
      return [share](std::optional<T>& out, deadline by) { return share->of->pull(out, by); };
    });
  }

  std::size_t ahead_;
  std::unordered_map<K, std::shared_ptr<stream_group<T>>> all_;
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
