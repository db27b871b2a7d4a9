// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "weft/deadline.hpp"

namespace weft::tasks {

/// What stands in front of each message between a program and its workers, on a stream socket of theirs alone.
struct worker_header {
  std::uint32_t word = 0;  // to the worker: the function's index; back: a worker_status
  std::uint32_t unused = 0;
  std::uint64_t check = 0;  // to the worker: of the function's name
  std::uint64_t length = 0;
};

enum class worker_status : std::uint32_t {
  value,      // the body is the result
  exception,  // the body is the exception's type and text
  too_long,   // the result is longer than the program takes; no body
};

/// Tells functions of different names apart.
std::uint64_t name_check(const char* name) noexcept;

enum class message_end { complete, closed, late, too_long };

/// Sends it all, waiting as long as it takes. @return false if the other side is gone
bool send_message(int fd, worker_header header, const std::string& body) noexcept;

/// Receives one message of at most @p most bytes; `late` if @p by passes first.
message_end receive_message(int fd, worker_header& header, std::string& body, std::size_t most, deadline by);

}  // namespace weft::tasks
