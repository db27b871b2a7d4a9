// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/stage.hpp"
#include "weft/detail/stream_flow.hpp"

// Stages of stream.hpp that look at the clock.
namespace weft::detail {

template <class T>
stream<std::vector<T>> buffer(stream<T> source, std::size_t count, deadline::clock::duration span) {
  if (count == 0) refuse_count();
  return stream_of<std::vector<T>>([source = std::move(source), count, span] {
    return [from = upstream<T>(source.begin_run()), count, span, list = std::vector<T>(), full_at = deadline()](
               std::optional<std::vector<T>>& out, deadline by) mutable {
      for (;;) {
        std::optional<T> value;
        const pulled got = from.pull(value, list.empty() ? by : earlier(by, full_at));
        if (got == pulled::value) {
          if (list.empty()) full_at = deadline(span);
          list.push_back(std::move(*value));
          if (list.size() < count) continue;
        } else if (list.empty() || (got == pulled::late && !has_passed(full_at))) {
          return got;
        }
        out.emplace(std::exchange(list, {}));
        return pulled::value;
      }
    };
  });
}

template <class T>
stream<T> debounce(stream<T> source, deadline::clock::duration quiet) {
  return stream_of<T>([source = std::move(source), quiet] {
    return [from = upstream<T>(source.begin_run()), quiet, last = std::optional<T>(), quiet_at = deadline()](
               std::optional<T>& out, deadline by) mutable {
      for (drops dropped;;) {
        std::optional<T> value;
        const pulled got = from.pull(value, last.has_value() ? earlier(by, quiet_at) : by);
        if (got == pulled::value) {
          last.reset();
          last.emplace(std::move(*value));
          quiet_at = deadline(quiet);
          if (dropped.make_late(by)) return pulled::late;
        } else if (!last.has_value() || (got == pulled::late && !has_passed(quiet_at))) {
          return got;
        } else {
          out.emplace(std::move(*last));
          last.reset();
          return pulled::value;
        }
      }
    };
  });
}

template <class T>
stream<T> throttle(stream<T> source, deadline::clock::duration pause) {
  return stream_of<T>([source = std::move(source), pause] {
    return [from = upstream<T>(source.begin_run()), pause, open_at = deadline::from_ns(0)](std::optional<T>& out,
                                                                                           deadline by) mutable {
      return pull_kept(from, out, by, [&](const T&) {
        if (!has_passed(open_at)) return false;
        open_at = deadline(pause);
        return true;
      });
    };
  });
}

template <class T>
stream<T> sample(stream<T> source, deadline::clock::duration period) {
  check_period(period);
  return stream_of<T>([source = std::move(source), period] {
    return [from = upstream<T>(source.begin_run()), period, last = std::optional<T>(), due = deadline(period)](
               std::optional<T>& out, deadline by) mutable {
      for (drops dropped;;) {
        std::optional<T> value;
        const pulled got = from.pull(value, earlier(by, due));
        if (got == pulled::value) last.swap(value);
        if (got == pulled::end || has_passed(due)) {
          due = deadline(period);
          if (last.has_value()) {
            out.swap(last);
            return pulled::value;
          }
          if (got == pulled::end) return got;
        }
        if (got == pulled::late && has_passed(by)) return got;
        if (got == pulled::value && dropped.make_late(by)) return pulled::late;
      }
    };
  });
}

template <class T>
stream<T> timeout(stream<T> source, deadline::clock::duration limit) {
  return stream_of<T>([source = std::move(source), limit] {
    return [from = upstream<T>(source.begin_run()), limit, fail_at = std::optional<deadline>()](std::optional<T>& out,
                                                                                                deadline by) mutable {
      if (!fail_at.has_value()) fail_at = deadline(limit);
      const pulled got = from.pull(out, earlier(by, *fail_at));
      if (got == pulled::late && has_passed(*fail_at)) {
        throw std::system_error(std::make_error_code(std::errc::timed_out), "weft::stream");
      }
      if (got == pulled::value) fail_at.reset();
      return got;
    };
  });
}

}  // namespace weft::detail
