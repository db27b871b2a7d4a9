// SPDX-License-Identifier: MIT
// Whole runs of a process in one call.
#include <string.h>

#include <utility>

#include "weft/process.hpp"

namespace weft {

namespace {

std::string description(const std::string& name, exit_status status) {
  if (status.exited()) return name + " exited with " + std::to_string(status.code());
  if (!status.signaled()) return name + " ended in an unknown way";
  const char* const signal = sigabbrev_np(status.signal());
  return name + " was killed by " +
         (signal != nullptr ? "SIG" + std::string(signal) : "signal " + std::to_string(status.signal()));
}

}  // namespace

process_error::process_error(const std::string& what, completed_process result, bool timed_out)
    : std::runtime_error(what),
      result_(std::make_shared<const completed_process>(std::move(result))),
      timed_out_(timed_out) {}

completed_process run_process(std::vector<std::string> command, std::string_view input, const process_options& options,
                              deadline by) {
  const std::string name = command.empty() ? std::string() : command.front();
  process_options used = options;
  if (!input.empty()) used.in = stdio::pipe();
  process child(command, used);
  completed_process result;
  std::optional<process_output> output;
  try {
    output = child.communicate(input, by);
  } catch (...) {
    child.kill_and_wait(result);
    throw;
  }
  if (!output) {
    child.kill_and_wait(result);
    result.status = child.wait();
    throw process_error(name + " did not end in time", std::move(result), /*timed_out=*/true);
  }
  static_cast<process_output&>(result) = std::move(*output);
  result.status = child.wait();
  return result;
}

std::string check_output(std::vector<std::string> command, std::string_view input, deadline by) {
  const std::string name = command.empty() ? std::string() : command.front();
  completed_process result = run_process(std::move(command), input, {.out = stdio::pipe()}, by);
  if (!result.status.success()) {
    const std::string what = description(name, result.status);
    throw process_error(what, std::move(result), /*timed_out=*/false);
  }
  return std::move(result.out);
}

std::vector<std::string> shell(std::string line) { return {"/bin/sh", "-c", std::move(line)}; }

}  // namespace weft
