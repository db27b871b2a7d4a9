// SPDX-License-Identifier: MIT
#include "base/cpus.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace weft::base {
namespace {

namespace fs = std::filesystem;

// A tree of control group files of the test's own.
class cgroups : public testing::Test {
 protected:
  void SetUp() override {
    root = fs::path(testing::TempDir()) /
           (std::string("weft-cgroups-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root);
    fs::create_directories(root);
  }
  void TearDown() override { fs::remove_all(root); }

  void put(const std::string& path, const std::string& content) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << content;
  }
  unsigned cpus() {
    const std::string membership = root / "self";
    const std::string mount = root / "mount";
    return cgroup_cpus({membership.c_str(), mount.c_str()});
  }

  fs::path root;
};

TEST_F(cgroups, v2_quota_is_rounded_up) {
  put("self", "0::/user/app\n");
  put("mount/user/app/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus(), 2U);
}

TEST_F(cgroups, v2_least_of_all_groups_above_counts) {
  put("self", "0::/user/app\n");
  put("mount/user/app/cpu.max", "max 100000\n");
  put("mount/user/cpu.max", "300000 100000\n");
  put("mount/cpu.max", "800000 100000\n");
  EXPECT_EQ(cpus(), 3U);
}

TEST_F(cgroups, container_whose_outer_path_is_not_there_has_the_limit_at_its_root) {
  put("self", "0::/docker/0123\n");
  put("mount/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(cgroups, v1_quota) {
  put("self", "5:devices:/\n3:cpu,cpuacct:/app\n1:name=systemd:/\n");
  put("mount/cpu/app/cpu.cfs_quota_us", "250000\n");
  put("mount/cpu/app/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 3U);
}

TEST_F(cgroups, v1_controller_must_be_cpu_itself) {
  put("self", "3:cpuset:/\n2:cpuacct:/\n");
  put("mount/cpu/cpu.cfs_quota_us", "100000\n");
  put("mount/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0U);
}

TEST_F(cgroups, hybrid_hierarchy_keeps_v2_in_unified) {
  put("self", "1:cpu:/\n0::/app\n");
  put("mount/cpu/cpu.cfs_quota_us", "-1\n");
  put("mount/cpu/cpu.cfs_period_us", "100000\n");
  put("mount/unified/app/cpu.max", "400000 100000\n");
  EXPECT_EQ(cpus(), 4U);
}

TEST_F(cgroups, no_limit_is_zero) {
  EXPECT_EQ(cpus(), 0U);
  put("self", "0::/\n");
  EXPECT_EQ(cpus(), 0U);
  put("mount/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 0U);
  put("self", "nonsense\n::\n0::\n");
  EXPECT_EQ(cpus(), 0U);
  put("mount/cpu.max", "100000 0\n");
  EXPECT_EQ(cpus(), 0U);
}

TEST(cpus, are_at_most_those_of_the_affinity_mask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(usable_cpus(), 1U);
  EXPECT_LE(usable_cpus(), static_cast<unsigned>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpus(), 1U);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace weft::base
