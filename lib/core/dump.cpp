// SPDX-License-Identifier: MIT
#include "core/dump.hpp"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <string_view>

#include "base/folder.hpp"
#include "base/message.hpp"
#include "base/syscall.hpp"
#include "core/clock.hpp"
#include "core/code_place.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "weft/dump.hpp"

namespace weft::core {

bool (*may_be_woken_from_outside)() noexcept = nullptr;

namespace {

using line = base::fixed_text<384>;

const char* name_of(fiber_state state) noexcept {
  switch (state) {
    case fiber_state::delayed:
      return "to start later";
    case fiber_state::unstarted:
      return "not started";
    case fiber_state::ready:
      return "ready";
    case fiber_state::running:
      return "running";
    case fiber_state::parked:
      return "parked";
    default:
      return "done";
  }
}

const char* name_of(wait_kind kind) noexcept {
  switch (kind) {
    case wait_kind::object:
      return "object";
    case wait_kind::fd:
      return "fd";
    case wait_kind::sleep:
      return "sleep";
    case wait_kind::helper:
      return "helper thread in a system call";
    case wait_kind::outside:
      return "outside";
    default:
      return "nothing";
  }
}

// What a hub has to say of one fiber is one write, no longer than what a pipe takes whole (pipe(7)): the lines of two hubs that
// print at the same time do not mix.
class block {
 public:
  void add(const base::text& whole_line) noexcept {
    if (text_.view().size() + whole_line.view().size() > PIPE_BUF) write();
    text_ << whole_line.view();
  }
  void write() noexcept {
    if (!text_.empty()) base::write_block(text_.view());
    text_.clear();
  }

 private:
  base::fixed_text<PIPE_BUF> text_;
};
block* blocks[max_hubs];  // of each hub that prints, for the fibers that show their stacks

void print_frame(block& into, std::uintptr_t pc) noexcept {
  line text;
  add_frame(text, pc);
  into.add(text);
}

struct walk {
  block& into;
  int skip;
  int left;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* at) {
  auto& w = *static_cast<walk*>(at);
  if (w.skip > 0) {
    --w.skip;
    return _URC_NO_REASON;
  }
  const std::uintptr_t pc = _Unwind_GetIP(context);
  if (pc == 0 || w.left-- == 0) return _URC_END_OF_STACK;
  print_frame(w.into, pc);
  return _URC_NO_REASON;
}

void add_object(base::text& to, const fiber& f) noexcept {
  to << " ";
  if (f.wait == wait_kind::fd) {
    to << __atomic_load_n(static_cast<const int*>(f.wait_object), __ATOMIC_RELAXED);
  } else {
    to << base::hex{reinterpret_cast<std::uintptr_t>(f.wait_object)};
  }
}

void print_fiber(block& into, fiber& f, std::int64_t now) noexcept {
  line text;
  text << "  fiber " << f.id;
  if (f.name[0] != 0) text << " '" << static_cast<const char*>(f.name) << "'";
  text << ": " << name_of(f.state);
  if (f.state == fiber_state::parked) {
    text << ", waits for " << name_of(f.wait);
    if (f.wait_object != nullptr) add_object(text, f);
    if (f.due != timers::never) text << ", at most " << (f.due > now ? (f.due - now) / 1'000'000 : 0) << " ms more";
  }
  text << "\n";
  into.add(text);
}

// On the loop fiber: a parked fiber prints its own stack, since only it has the registers to unwind from.
void print_hub(hub& h) noexcept {
  base::fixed_text<128> head;
  head << "hub " << h.index << ": " << h.live << " fibers, " << h.switches << " switches";
  base::say(head);
  const std::int64_t now = now_ns();
  block of_one;
  blocks[h.index] = &of_one;
  for (fiber* f = h.all.front(); f != nullptr; f = h.all.after(f)) {
    print_fiber(of_one, *f, now);
    if (f->state == fiber_state::parked) {
      f->show_stack = true;
      switch_to(h, *f);
    }
    of_one.write();
  }
  blocks[h.index] = nullptr;
}

struct dump_request : message {
  std::atomic<bool> posted{false};
};
dump_request requests[max_hubs];

void run_dump(message& m, hub& h) noexcept {
  static_cast<dump_request&>(m).posted.store(false, std::memory_order_release);
  print_hub(h);
}

// The kernel's own threads of an io_uring are listed among ours. Somebody waits for what they do, and that wait counts.
bool is_kernel_worker(long folder, const char* tid) noexcept {
  constexpr unsigned long io_worker = 0x10;  // PF_IO_WORKER (include/linux/sched.h)
  base::fixed_text<32> path;
  path << tid << "/stat" << '\0';
  const long fd = base::raw_syscall(SYS_openat, folder, path.view().data(), O_RDONLY | O_CLOEXEC);
  if (base::is_error(fd)) return false;
  char text[256];
  const long got = base::raw_syscall(SYS_read, fd, text, sizeof text);
  base::raw_syscall(SYS_close, fd);
  if (got <= 0) return false;
  // Behind the name, which may have anything in it: state, five numbers, the flags (proc(5)).
  std::string_view rest(text, static_cast<std::size_t>(got));
  rest.remove_prefix(rest.rfind(')') + 1);
  for (int i = 0; i < 7; ++i) rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  unsigned long flags = 0;
  for (const char c : rest) {
    if (c < '0' || c > '9') break;
    flags = flags * 10 + static_cast<unsigned long>(c - '0');
  }
  return (flags & io_worker) != 0;
}

}  // namespace

// No further than one above @p most: each is a file to be read, and the rest would not change the answer.
unsigned count_os_threads(unsigned most) noexcept {
  unsigned n = 0;
  base::for_each_entry("/proc/self/task", [&](int folder, const char* tid) {
    if (!is_kernel_worker(folder, tid)) ++n;
    return n <= most;
  });
  return n;
}

namespace {

// Not a hub whose thread has ended: nothing happens there.
bool is_run(const hub& h) noexcept { return h.kernel_tid.load(std::memory_order_relaxed) != 0; }

bool waits_for_others(const hub& h, const hub& caller) noexcept {
  if (h.awaited.load(std::memory_order_relaxed) != 0 || h.deadlines.count() != 0) return false;
  if (&h != &caller && !h.sleeping.load(std::memory_order_seq_cst)) return false;
  return h.inbox.load(std::memory_order_seq_cst) == nullptr;
}

// One pass over the hubs is not one moment: while we look at one, another, seen asleep, may wake, wake it and sleep again.
// So a second pass finds each in the very sleep that the first has seen, and between the two is the moment.
bool all_wait_for_each_other(const hub& caller) noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  std::uint32_t polls[max_hubs];
  unsigned threads = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (!is_run(*hubs[i])) continue;
    ++threads;
    if (!waits_for_others(*hubs[i], caller)) return false;
    polls[i] = hubs[i]->polls.load(std::memory_order_relaxed);
  }
  // A thread that is not ours might wake somebody.
  if (count_os_threads(threads) != threads || (may_be_woken_from_outside != nullptr && may_be_woken_from_outside()))
    return false;
  for (unsigned i = 0; i < count; ++i) {
    if (!is_run(*hubs[i])) continue;
    if (!waits_for_others(*hubs[i], caller) || hubs[i]->polls.load(std::memory_order_relaxed) != polls[i]) return false;
  }
  return hub_count.load(std::memory_order_acquire) == count;
}

}  // namespace

void show_own_stack(hub& h, fiber& f) noexcept {
  f.show_stack = false;
  walk w{*blocks[h.index], 2, 40};  // not this function and park
  _Unwind_Backtrace(visit, &w);
  f.state = fiber_state::parked;
  switch_to(h, h.loop_fiber);
}

void dump_all() noexcept {
  const unsigned count = hub_count.load(std::memory_order_acquire);
  for (unsigned i = 0; i < count; ++i) {
    dump_request& request = requests[i];
    if (!is_run(*hubs[i]) || request.posted.exchange(true, std::memory_order_acq_rel)) continue;
    request.run = run_dump;
    hubs[i]->post(request);
  }
}

void dump_on_sigusr2() noexcept {
  struct sigaction present;
  if (sigaction(SIGUSR2, nullptr, &present) != 0 || present.sa_handler != SIG_DFL) return;
  struct sigaction action = {};
  action.sa_handler = [](int) { dump_all(); };
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
}

void report_deadlock(hub& h) noexcept {
  static std::atomic<bool> reported{false};
  if (h.live == 0 || reported.load(std::memory_order_relaxed)) return;
  if (!all_wait_for_each_other(h) || reported.exchange(true)) return;
  base::say("all threads wait for each other: nothing in this process can go on (WEFT_LOG=FILE puts this elsewhere)");
  dump_all();
}

}  // namespace weft::core

namespace weft {
void dump() noexcept { core::dump_all(); }
}  // namespace weft
