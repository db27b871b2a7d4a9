// SPDX-License-Identifier: MIT
#include "process.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace weft_load {
namespace {

// proc_pid_stat(5): utime is field 14, stime 15; the name before them, in parentheses, may hold blanks.
bool read_cpu(const std::string& folder, double& seconds) {
  std::ifstream file(folder + "stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return false;
  seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return true;
}

}  // namespace

process_sample sample_process(pid_t pid) {
  process_sample sample;
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  if (!read_cpu(folder, sample.cpu_seconds)) return sample;
  std::ifstream status(folder + "status");
  std::string line;
  while (std::getline(status, line)) {
    std::istringstream fields(line);
    std::string name;
    long value = 0;
    if (!(fields >> name >> value)) continue;
    if (name == "Threads:") sample.threads = value;
    if (name == "VmRSS:") sample.resident_kib = value;
    if (name == "VmPTE:") sample.page_tables_kib = value;
  }
  sample.valid = sample.threads > 0;
  return sample;
}

}  // namespace weft_load
