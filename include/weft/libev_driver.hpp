// SPDX-License-Identifier: MIT
#pragma once

#include <ev.h>

#include <chrono>
#include <system_error>

#include "weft/deadline.hpp"
#include "weft/hub_driver.hpp"

namespace weft {

/// Adopts a libev loop of the program's: while it runs, the thread's fibers run too, and its own watchers as ever.
///
///     struct ev_loop* const loop = ev_default_loop(0);
///     start_watchers_of_old(loop);
///     const weft::libev_driver driver(loop);
///     weft::spawn(serve_by_fibers);
///     ev_run(loop, 0);
///
/// For programs that have a libev loop already; they link their own libev (-lev), of which Weft's is not a part. Its functions may be
/// called from fibers of the loop's thread, but for ev_run. A callback may spawn, notify and unpark; if it waits by Weft's
/// means, the loop waits with it and the fibers run on.
///
/// Blocking  Nothing here does. The loop's callbacks wait for a turn of the fibers, of a millisecond at most but for one that does
///           not let go.
/// Order     Before each sleep of the loop the fibers run until all of them wait.
/// Cancel    None: what comes out of the fiber that runs the loop ends the program by std::terminate, since it cannot pass libev.
/// Threads   For the thread that runs the loop.
/// Lifetime  Shorter than the loop's. While it lives ev_run goes on until ev_break, whether other watchers are active or not; so fibers
///           are not left behind. In a fork's child make another, behind ev_loop_fork.
/// Cost      A turn: that of hub_driver::run_once, and a restart of a timer where a fiber waits for one.
class libev_driver {
 public:
  /// @throws std::system_error  errc::invalid_argument: @p loop is null (ev_default_loop found no backend); or as `hub_driver`
  explicit libev_driver(struct ev_loop* loop) : loop_(loop) {
    if (loop == nullptr) {
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "weft::libev_driver: the loop is null; ev_default_loop(0) gives none without a backend");
    }
    ev_prepare_init(&prepare_, before_sleep);
    ev_io_init(&io_, end_sleep<ev_io>, hub_.native_handle(), EV_READ);
    ev_timer_init(&timer_, end_sleep<ev_timer>, 0., 0.);
    ev_idle_init(&idle_, end_sleep<ev_idle>);
    prepare_.data = this;
    ev_prepare_start(loop_, &prepare_);
    ev_io_start(loop_, &io_);
  }
  libev_driver(const libev_driver&) = delete;
  libev_driver& operator=(const libev_driver&) = delete;
  ~libev_driver() {
    ev_prepare_stop(loop_, &prepare_);
    ev_io_stop(loop_, &io_);
    ev_timer_stop(loop_, &timer_);
    ev_idle_stop(loop_, &idle_);
  }

 private:
  // The others only end the loop's sleep: this comes before the next one.
  static void before_sleep(struct ev_loop*, ev_prepare* w, int) noexcept {
    static_cast<libev_driver*>(w->data)->run_fibers();
  }
  template <class Watcher>
  static void end_sleep(struct ev_loop*, Watcher*, int) noexcept {}

  void run_fibers() noexcept {
    const deadline next = hub_.run_once();
    ev_timer_stop(loop_, &timer_);
    ev_idle_stop(loop_, &idle_);
    if (next.is_never()) return;
    const std::chrono::duration<double> left =
        std::chrono::nanoseconds(next.ns() - deadline(std::chrono::seconds(0)).ns());
    if (left.count() <= 0) {
      ev_idle_start(loop_, &idle_);  // with one active the loop does not sleep
      return;
    }
    ev_now_update(loop_);
    ev_timer_set(&timer_, left.count(), 0.);
    ev_timer_start(loop_, &timer_);
  }

  struct ev_loop* loop_;
  hub_driver hub_;
  ev_prepare prepare_;
  ev_io io_;
  ev_timer timer_;
  ev_idle idle_;
};

}  // namespace weft
