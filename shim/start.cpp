// SPDX-License-Identifier: MIT
#include "shim/start.hpp"

#include <pthread.h>
#include <signal.h>

#include "base/cpus.hpp"
#include "base/message.hpp"
#include "base/words.hpp"
#include "context/thread_pointer.hpp"
#include "core/dump.hpp"
#include "core/runtime.hpp"
#include "shim/dispatch.hpp"
#include "shim/environment.hpp"
#include "shim/from_inside.hpp"
#include "shim/hub_threads.hpp"
#include "shim/process_report.hpp"
#include "shim/signal_actions.hpp"
#include "shim/signalfd.hpp"
#include "shim/signals.hpp"
#include "shim/sites.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constinit base::config config;
bool refused = false;  // to take this process over with its first thread; said once
bool loaded = false;
bool off = false;
bool inside = false;

unsigned wanted_hubs() noexcept {
  if (inside) return 1;
  const unsigned n = config.hubs != 0 ? config.hubs : base::usable_cpus();
  return n < 1 ? 1 : n > core::max_hubs ? core::max_hubs : n;
}

// Whether the program handles signals other than faults: a handler may wake a thread. The shim's own are not among those that it
// caught for the program.
bool has_signal_handlers() noexcept {
  constexpr signal_set not_asked = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) | signal_bit(SIGILL) |
                                   signal_bit(SIGTRAP) | signal_bit(SIGSYS) | signal_bit(SIGPIPE) | signal_bit(32) |
                                   signal_bit(kick_signal);
  return (caught_signals() & ~not_asked) != 0;
}

// Threads that ask for no size of their own get this one: libc's default, as a program may change it itself.
void set_default_stack(std::size_t size) noexcept {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  if (pthread_attr_setstacksize(&attr, size) == 0) pthread_setattr_default_np(&attr);
  pthread_attr_destroy(&attr);
}

// Once: the programs that this one starts get nothing of it.
void complain(std::string_view lines, char** envp) noexcept {
  while (!lines.empty()) {
    const std::string_view line = base::take(lines, '\n');
    base::say(line);
    remove_variable(envp, base::head(line, line.find('=')));
  }
}

// With `-z initfirst` no other library's constructor has run yet, environ is not set, and nothing of libstdc++ may be
// used that has a constructor of its own.
__attribute__((constructor)) void load(int, char** argv, char** envp) {
  if (loaded || envp == nullptr) return;
  loaded = true;
  inside = core::patch_from_inside;
  core::the_patcher = &own_patcher;
  base::fixed_text<1024> problems;
  const bool understood = base::parse_environment(config, envp, problems);
  if (!base::open_messages(config.log_file)) remove_variable(envp, "WEFT_LOG");
  if (!understood) complain(problems.view(), envp);
  if (!config.follow && !inside) remove_preload(envp);
  off = !config.enabled || base::is_excluded(config, argv != nullptr ? argv[0] : nullptr);
  refused = inside || off || !config.groups.has(base::patch_group::thread);
  if (inside) config.groups.bits = 0;
  if (off) return;
  remember_program(argv != nullptr ? argv[0] : nullptr);
  if (refused && !inside) return;
  if (!inside && !patch_clone_sites()) return;
  if (config.stack_size != 0) set_default_stack(config.stack_size);
  if (!inside) dispatch_solo();
}

// One that has made a thread of ours reports when it ends, whatever way.
__attribute__((destructor)) void unload() {
  const bool left_out = !off && !inside && !config.groups.has(base::patch_group::thread);
  if (starts_by_itself() || left_out) report_at_exit();
}

}  // namespace

const base::config& settings() noexcept { return config; }
bool from_inside() noexcept { return inside; }
bool switched_off() noexcept { return off; }

void set_groups(base::patch_groups groups) noexcept {
  config.groups = groups;
  if (is_threaded()) dispatch_all();
}

bool starts_by_itself() noexcept { return !refused && !is_threaded(); }

bool wants_threads(const frame& f) noexcept {
  if (!starts_by_itself()) return false;
  std::uint64_t flags = f.rdi;
  if (f.rax == SYS_clone3) {
    if (!copy_in(flags, reinterpret_cast<const void*>(f.rdi))) return false;
  } else if (f.rax != SYS_clone) {
    return false;
  }
  return is_thread_clone(flags);
}

refusal take_over() noexcept {
  using result = core::patch_result;
  if (base::raw_syscall(SYS_getpid) != base::raw_syscall(SYS_gettid)) {
    return {result::misplaced, "the first one is made by a thread that Weft does not know"};
  }
  context::detect_fsgsbase();
  if (!patch_all_sites()) {
    return {result::unwritable, "the text of libc may not be changed (SELinux execmod, or W^X enforced)"};
  }
  dispatch_solo();                      // and so the clone of hub 0's hidden thread
  weft_handled[SYS_rt_sigaction] = 1;   // what libc does before its first
  weft_handled[SYS_epoll_create1] = 1;  // the loops' own
  core::hub* h = core::make_hub();
  if (h == nullptr) {
    return {result::exhausted, "no memory or descriptors for the event loop (raise RLIMIT_NOFILE)"};
  }
  thread* main = adopt_main_thread(*h);
  adopt_signals(*main);
  adopt_signalfds();
  if (!make_hub_threads(wanted_hubs())) {
    abandon_main_thread(*main);
    return {result::exhausted, "the hubs' own threads cannot be made"};
  }
#if defined(WEFT_CHECKS)
  core::dump_on_sigusr2();
#endif
  core::may_be_woken_from_outside = has_signal_handlers;
  refused = false;
  dispatch_all();
  return {};
}

bool start_threads() noexcept {
  const refusal refused_now = take_over();
  if (refused_now.how == core::patch_result::done) return true;
  refused = true;
  base::message m;
  m << "threads stay native: " << refused_now.why;
  base::say(m);
  return false;
}

void allow_start_again() noexcept { refused = false; }
void refuse_start() noexcept { refused = true; }

}  // namespace weft::shim
