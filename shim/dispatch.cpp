// SPDX-License-Identifier: MIT
#include "shim/dispatch.hpp"

#include "shim/native.hpp"
#include "shim/outsiders.hpp"
#include "shim/process_report.hpp"
#include "shim/signals.hpp"
#include "shim/start.hpp"
#include "shim/table.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

void dispatch_all() noexcept { use_groups(settings().groups); }

void dispatch_solo() noexcept {
  for (unsigned char& handled : weft_handled) handled = 0;
  weft_handled[SYS_clone] = 1;
  weft_handled[SYS_clone3] = 1;
}

}  // namespace weft::shim

unsigned char weft_handled[WEFT_HANDLED_COUNT];

// Not noexcept and without cleanups: a handler of the program that deliver_signals runs may leave by unwinding
// (asynchronous cancellation) or by siglongjmp.
long weft_dispatch(weft::shim::frame* f) {
  using namespace weft::shim;
  if (__builtin_expect(outsiders.load(std::memory_order_relaxed) != 0, 0) && is_outsider()) return outsider_call(*f);
  weft::core::hub* h = weft_this_hub;
  if (__builtin_expect(h == nullptr, 0)) {
    if (!wants_threads(*f) || !start_threads()) return native_call(*f);
    h = weft_this_hub;
    h->current->hooked = 0;
  }
  weft::core::fiber& me = *h->current;
  if (__builtin_expect(me.hooked != 0 || me.light, 0)) return internal_call(*f);
  me.hooked = 1;
  call c{static_cast<long>(f->rax), {f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9}, f};
  const handler handle = __builtin_expect(me.native_calls, 0) ? native_handler_of(c.nr) : handler_of(c.nr);
  signal_state& signals = static_cast<thread&>(me).signals;
  for (;;) {
    const std::uint64_t epoch = me.epoch;
    long result = handle(c);
    count_call(*h, handle, me.epoch != epoch);
    if (__builtin_expect(!ticking[h->index].load(std::memory_order_relaxed), 0)) arm_tick(*h);
    bool again = false;
    do {
      if (__builtin_expect(signals_want(signals, result), 0)) {
        me.hooked = 1;
        result = deliver_signals(c, result, again);
        if (again) break;
      }
      me.hooked = 0;
      // Up to here a signal for this thread was only noted; from here on its handler runs where it comes.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } while (__builtin_expect(signals.attention.load(std::memory_order_relaxed), 0));
    if (__builtin_expect(!again, 1)) return result;
  }
}
