// SPDX-License-Identifier: MIT
#include "base/cpus.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <cstdint>
#include <string_view>

#include "base/syscall.hpp"
#include "base/text.hpp"
#include "base/words.hpp"

namespace weft::base {
namespace {

// Reads the start of a small kernel file; empty if there is none.
std::string_view read_file(const char* path, char* room, std::size_t size) noexcept {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return {};
  const long got = raw_syscall(SYS_read, fd, room, size);
  raw_syscall(SYS_close, fd);
  return {room, got > 0 ? static_cast<std::size_t>(got) : 0};
}

// 0 for what is no positive number: "max" and "-1" both say that there is no limit.
std::uint64_t positive(std::string_view word) noexcept {
  std::uint64_t result = 0;
  for (char c : word) {
    if (c < '0' || c > '9' || result > UINT64_MAX / 16) return 0;
    result = result * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return result;
}

unsigned share(std::string_view quota, std::string_view period) noexcept {
  const std::uint64_t q = positive(quota);
  const std::uint64_t p = positive(period);
  return q == 0 || p == 0 ? 0 : static_cast<unsigned>(std::min<std::uint64_t>((q + p - 1) / p, UINT_MAX));
}

unsigned lesser(unsigned a, unsigned b) noexcept { return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b); }

using path_text = fixed_text<PATH_MAX>;

std::string_view read_in(std::string_view folder, const char* name, char* room, std::size_t size) noexcept {
  path_text path;
  path << folder << '/' << name << '\0';
  return read_file(path.view().data(), room, size);
}

// cpu.max holds both numbers (kernel: Documentation/admin-guide/cgroup-v2.rst).
unsigned limit_v2(std::string_view folder) noexcept {
  char room[64];
  std::string_view file = read_in(folder, "cpu.max", room, sizeof room);
  std::string_view line = take(file, '\n');
  const std::string_view quota = take(line, ' ');
  return share(quota, line);
}

unsigned limit_v1(std::string_view folder) noexcept {
  char quota_room[32];
  char period_room[32];
  std::string_view quota = read_in(folder, "cpu.cfs_quota_us", quota_room, sizeof quota_room);
  std::string_view period = read_in(folder, "cpu.cfs_period_us", period_room, sizeof period_room);
  return share(take(quota, '\n'), take(period, '\n'));
}

// A limit on any group above counts as well. A container often sees its group's outer path without the folders to it:
// those that are missing are passed over, and the mount's own root is tried last.
unsigned least_up_the_tree(std::string_view mount, std::string_view group,
                           unsigned (*limit)(std::string_view)) noexcept {
  unsigned least = 0;
  while (true) {
    path_text folder;
    folder << mount << group;
    least = lesser(least, limit(folder.view()));
    if (group.empty()) return least;
    group = head(group, group.rfind('/') == std::string_view::npos ? 0 : group.rfind('/'));
  }
}

bool has_cpu_controller(std::string_view controllers) noexcept {
  while (!controllers.empty()) {
    if (take(controllers, ',') == "cpu") return true;
  }
  return false;
}

unsigned affinity_cpus() noexcept {
  unsigned long mask[1024] = {};  // 65536 CPUs; the kernel refuses a mask that is too short
  const long bytes = raw_syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  if (bytes <= 0) return 1;
  unsigned count = 0;
  for (unsigned long word : mask) count += static_cast<unsigned>(std::popcount(word));
  return std::max(count, 1U);
}

}  // namespace

unsigned cgroup_cpus(const cgroup_places& places) noexcept {
  char room[4096];
  std::string_view lines = read_file(places.membership, room, sizeof room);
  unsigned least = 0;
  while (!lines.empty()) {
    // hierarchy:controllers:group, see cgroups(7); the group's own name may hold colons
    std::string_view group = take(lines, '\n');
    take(group, ':');
    const std::string_view controllers = take(group, ':');
    if (!group.starts_with('/')) continue;
    if (group == "/") group = {};
    path_text mount;
    mount << places.mount;
    if (controllers.empty()) {
      least = lesser(least, least_up_the_tree(mount.view(), group, limit_v2));
      mount << "/unified";
      least = lesser(least, least_up_the_tree(mount.view(), group, limit_v2));
    } else if (has_cpu_controller(controllers)) {
      mount << "/cpu";
      least = lesser(least, least_up_the_tree(mount.view(), group, limit_v1));
    }
  }
  return least;
}

unsigned usable_cpus() noexcept {
  const unsigned allowed = affinity_cpus();
  const unsigned quota = cgroup_cpus();
  return quota == 0 ? allowed : std::min(allowed, quota);
}

}  // namespace weft::base
