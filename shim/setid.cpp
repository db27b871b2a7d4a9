// SPDX-License-Identifier: MIT
#include "shim/setid.hpp"

#include <cstring>

#include "context/thread_pointer.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "shim/hub_threads.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {

struct setid_message : core::message {
  std::uintptr_t tp;
  kernel_action act;
  core::waker done;
};

// Nothing thread-local may be touched under the other pointer but by the handler itself.
__attribute__((noinline)) void run_under(std::uintptr_t tp, const kernel_action& act) noexcept {
  siginfo_t info;
  std::memset(&info, 0, sizeof info);
  info.si_signo = kick_signal;
  info.si_code = SI_TKILL;
  info.si_pid = static_cast<pid_t>(base::raw_syscall(SYS_getpid));
  info.si_uid = static_cast<uid_t>(base::raw_syscall(SYS_getuid));
  const std::uintptr_t own = context::thread_pointer();
  context::set_thread_pointer(tp);
  act.detailed(kick_signal, &info, nullptr);
  context::set_thread_pointer(own);
}

void run_message(core::message& m, core::hub&) noexcept {
  auto& s = static_cast<setid_message&>(m);
  const core::waker done = s.done;
  run_under(s.tp, s.act);
  core::unpark(done);
}

}  // namespace

bool run_setid_handler(int tid) noexcept {
  const kernel_action act = action_of(kick_signal);
  if (!act.handles()) return false;
  core::hub* home;
  std::uintptr_t tp;
  if (thread* t = find_thread(tid)) {
    home = t->home;
    tp = t->tp;
  } else if (is_hub_thread(tid)) {
    home = core::hubs[0];
    for (unsigned i = 1; i < core::hub_count.load(std::memory_order_acquire); ++i) {
      if (core::hubs[i]->kernel_tid.load(std::memory_order_relaxed) == tid) home = core::hubs[i];
    }
    tp = home->loop_fiber.tp;
  } else {
    return false;
  }
  if (home == weft_this_hub) {
    run_under(tp, act);
    return true;
  }
  setid_message m{};
  m.run = run_message;
  m.tp = tp;
  m.act = act;
  m.done = core::prepare_park();
  home->post(m);
  core::park(m.done, core::timers::never, core::wait_kind::object, &m);
  return true;
}

}  // namespace weft::shim
