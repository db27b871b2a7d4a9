// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "base/cpus.hpp"
#include "shim/cli/checks.hpp"
#include "shim/cli/locate.hpp"

namespace weft::shim::cli {
namespace {

constexpr unsigned long fsgsbase_bit = 2;       // AT_HWCAP2 of x86 (arch/x86/include/uapi/asm/hwcap2.h)
constexpr int guard_install = 102;              // MADV_GUARD_INSTALL, Linux 6.13
constexpr int get_memory_deny_write_exec = 66;  // PR_GET_MDWE, Linux 6.3

std::string first_word(const char* path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

void check_shim(findings& into) {
  const std::string shim = find_shim();
  if (shim.empty()) {
    into.push_back(
        {level::error, "shim", "libweft-shim.so is neither beside this command nor in ../lib", "install it there"});
  } else {
    into.push_back({level::ok, "shim", shim, ""});
  }
}

void check_kernel(findings& into) {
  utsname name{};
  uname(&name);
  int major = 0;
  int minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  if (major > 5 || (major == 5 && minor >= 10)) {
    into.push_back({level::ok, "kernel", std::string("Linux ") + name.release, ""});
  } else {
    into.push_back({level::warning, "kernel",
                    std::string("Linux ") + name.release + " is older than what Weft is tested on",
                    "use 5.10 or newer"});
  }
}

void check_cpu(findings& into) {
  into.push_back(
      {level::ok, "hubs", "auto gives " + std::to_string(base::usable_cpus()) + ", by affinity and control group", ""});
  if ((getauxval(AT_HWCAP2) & fsgsbase_bit) != 0) {
    into.push_back({level::ok, "fsgsbase", "the thread pointer can be switched without a system call", ""});
  } else {
    into.push_back({level::warning, "fsgsbase",
                    "CPU or kernel lacks FSGSBASE: each switch of threads costs a system call more",
                    "use Linux 5.9 or newer on a CPU that has it, without nofsgsbase"});
  }
}

// Does to a page of a file what the shim does to libc: private and executable, then writable, written, and executable again.
int change_text() {
  const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const text = mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  const int map_error = text == MAP_FAILED ? errno : 0;
  close(fd);
  if (map_error != 0) return map_error;
  int error = 0;
  if (mprotect(text, page, PROT_READ | PROT_WRITE) != 0) {
    error = errno;
  } else {
    *static_cast<volatile char*>(text) = 0;
    if (mprotect(text, page, PROT_READ | PROT_EXEC) != 0) error = errno;
  }
  munmap(text, page);
  return error;
}

void check_text(findings& into) {
  if (const int error = change_text(); error != 0) {
    into.push_back({level::error, "text",
                    std::string("text may not be changed here (") + std::strerror(error) +
                        "): the shim would leave the program as it is",
                    "allow execmod in the SELinux policy, or drop MemoryDenyWriteExecute from the service"});
    return;
  }
  if (prctl(get_memory_deny_write_exec, 0, 0, 0, 0) > 0) {
    into.push_back(
        {level::note, "text", "this session denies memory that is writable and executable; the shim makes none", ""});
  } else if (first_word("/sys/fs/selinux/enforce") == "1") {
    into.push_back({level::note, "text",
                    "text may be changed here, but SELinux enforces: the program's own domain may differ",
                    "if it runs unchanged under weft run, allow execmod to its domain"});
  } else {
    into.push_back({level::ok, "text", "text may be changed here", ""});
  }
}

void check_stacks(findings& into) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const probe = mmap(nullptr, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool light = probe != MAP_FAILED && madvise(probe, page, guard_install) == 0;
  if (probe != MAP_FAILED) munmap(probe, page);
  if (light) {
    into.push_back({level::ok, "guards", "the kernel has lightweight guards: stacks cost no mapping each", ""});
    return;
  }
  const std::string most = first_word("/proc/sys/vm/max_map_count");
  into.push_back({level::note, "guards",
                  "the kernel has no lightweight guards (Linux 6.13): with vm.max_map_count = " + most +
                      " about half as many threads have a guard below their stack",
                  "for more, raise it: sysctl vm.max_map_count=1000000"});
}

void check_descriptors(findings& into) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::string counts =
      "ulimit -n is " + std::to_string(limit.rlim_cur) + ", at most " + std::to_string(limit.rlim_max);
  if (limit.rlim_cur < 64) {
    into.push_back(
        {level::warning, "descriptors", counts + ": too few for the hubs' own beside the program's", "ulimit -n 1024"});
  } else if (limit.rlim_cur <= 1024) {
    into.push_back({level::note, "descriptors", counts + ": a server has fewer connections than that",
                    "ulimit -n " + std::to_string(limit.rlim_max) + " for more"});
  } else {
    into.push_back({level::ok, "descriptors", counts, ""});
  }
}

void check_seccomp(findings& into) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word && word != "Seccomp:") {
  }
  status >> word;
  if (word == "2") {
    into.push_back({level::note, "seccomp", "this session has a system call filter, as containers do",
                    "if the program dies of SIGSYS, allow the calls that docs/preload.md lists"});
  } else {
    into.push_back({level::ok, "seccomp", "no system call filter", ""});
  }
}

}  // namespace

void check_host(findings& into) {
  check_shim(into);
  check_kernel(into);
  check_cpu(into);
  check_text(into);
  check_stacks(into);
  check_descriptors(into);
  check_seccomp(into);
}

}  // namespace weft::shim::cli
