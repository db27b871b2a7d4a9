// SPDX-License-Identifier: MIT
#include "shim/from_inside.hpp"

#include <fcntl.h>
#include <time.h>

#include "base/folder.hpp"
#include "base/syscall.hpp"
#include "core/runtime.hpp"
#include "shim/hub_threads.hpp"
#include "shim/start.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"

namespace weft::shim {

namespace {

using core::patch_result;

constexpr unsigned most_named = 8;

// What makes threads into fibers.
constexpr auto always =
    static_cast<std::uint32_t>(base::patch_group::thread) | static_cast<std::uint32_t>(base::patch_group::process) |
    static_cast<std::uint32_t>(base::patch_group::signal) | static_cast<std::uint32_t>(base::patch_group::memory);

/// A list of names that grows until it is long enough.
class name_list {
 public:
  explicit name_list(base::text& into) noexcept : into_(into) {}
  base::text* add() noexcept {
    if (++count_ > most_named) return nullptr;
    if (count_ != 1) into_ << ", ";
    return &into_;
  }
  void end() noexcept {
    if (count_ > most_named) into_ << " and " << count_ - most_named << " more";
  }

 private:
  base::text& into_;
  unsigned count_ = 0;
};

long number_of(const char* digits) noexcept {
  long number = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) number = number * 10 + (*digits - '0');
  return number;
}

void add_thread(name_list& list, int directory, const char* tid) noexcept {
  base::text* const out = list.add();
  if (out == nullptr) return;
  base::fixed_text<32> path;
  path << tid << "/comm" << '\0';
  char name[32];
  long size = -1;
  const long fd = base::raw_syscall(SYS_openat, directory, path.view().data(), O_RDONLY | O_CLOEXEC, 0);
  if (!base::is_error(fd)) {
    size = base::raw_syscall(SYS_read, fd, name, sizeof name);
    base::raw_syscall(SYS_close, fd);
  }
  if (size > 1) *out << '"' << std::string_view(name, static_cast<std::size_t>(size) - 1) << "\" ";
  *out << '(' << tid << ')';
}

/// The threads of this process besides the calling one. Without /proc there are none to be seen.
bool list_threads(base::text& into) noexcept {
  name_list list(into);
  const long own = base::raw_syscall(SYS_gettid);
  const bool seen = base::for_each_entry("/proc/self/task", [&](int folder, const char* tid) {
    if (number_of(tid) != own) add_thread(list, folder, tid);
    return true;
  });
  if (!seen) return false;
  list.end();
  return !into.empty();
}

/// The fibers besides those that are their threads' own.
void list_fibers(base::text& into) noexcept {
  name_list list(into);
  for (unsigned i = 0, n = core::hub_count.load(std::memory_order_acquire); i < n; ++i) {
    core::hub& h = *core::hubs[i];
    for (core::fiber* f = h.all.front(); f != nullptr; f = h.all.after(f)) {
      if (f == h.current) continue;
      if (base::text* const out = list.add()) {
        if (f->name[0] != 0) *out << '"' << static_cast<const char*>(f->name) << "\" ";
        *out << '#' << f->id;
      }
    }
  }
  list.end();
}

/// Whether the calling thread is the only one of the process and has no fibers: what can be taken over.
patch_result look_for_others(base::text& problem) noexcept {
  base::fixed_text<384> names;
  // One that was joined just now may be at its end in the kernel still.
  for (int left = 100; list_threads(names) && left > 0; --left) {
    constexpr timespec moment{0, 1'000'000};
    base::raw_syscall(SYS_nanosleep, &moment, nullptr);
    names.clear();
  }
  if (!names.empty()) {
    problem << "there are threads already: " << names.view();
    return patch_result::crowded;
  }
  list_fibers(names);
  if (!names.empty()) {
    problem << "there are fibers already: " << names.view();
    return patch_result::crowded;
  }
  if (core::hub_count.load(std::memory_order_acquire) != 0) {
    problem << "main has waited as a fiber already; call it first in main";
    return patch_result::crowded;
  }
  return patch_result::done;
}

patch_result patch(std::uint32_t groups, base::text& problem) noexcept {
  if (switched_off()) return patch_result::off;
  if (!is_threaded()) {
    if (const patch_result found = look_for_others(problem); found != patch_result::done) return found;
  }
  const base::patch_groups before = settings().groups;
  set_groups({before.bits | groups | always});
  if (is_threaded()) return patch_result::done;
  const refusal r = take_over();
  if (r.how != patch_result::done) {
    problem << r.why;
    set_groups(before);
    return r.how;
  }
  core::self().hooked = 0;
  return patch_result::done;
}

std::uint32_t groups() noexcept { return is_threaded() ? settings().groups.bits : 0; }

bool take_over_with_first_hub() noexcept {
  if (!starts_by_itself() || base::raw_syscall(SYS_getpid) != base::raw_syscall(SYS_gettid)) return false;
  if (core::hub_count.load(std::memory_order_acquire) != 0 || !start_threads()) return false;
  core::self().hooked = 0;
  return true;
}

bool survive() noexcept { return has_survivor() && take_over_with_first_hub(); }

core::hub* add_hub() noexcept {
  const core::thread_request native{.native = true};
  const core::making_thread asked(native);
  return add_hub_thread();
}

}  // namespace

const core::patcher own_patcher{patch, groups, take_over_with_first_hub, survive, add_hub};

}  // namespace weft::shim
