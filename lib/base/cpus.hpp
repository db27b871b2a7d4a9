// SPDX-License-Identifier: MIT
#pragma once

namespace weft::base {

/// Where the kernel tells about control groups; tests put files of their own there.
struct cgroup_places {
  const char* membership = "/proc/self/cgroup";
  const char* mount = "/sys/fs/cgroup";
};

/// @return how many CPUs' worth of time the control groups (v2 and v1) of this process allow, rounded up; 0 if no limit is set.
unsigned cgroup_cpus(const cgroup_places& places = {}) noexcept;

/// @return how many CPUs this process can keep busy: its affinity, or the control groups' quota where that is less; at least 1.
/// Makes raw system calls only and allocates nothing.
unsigned usable_cpus() noexcept;

}  // namespace weft::base
