// SPDX-License-Identifier: MIT
// What /proc says about the server under load.
#pragma once

#include <sys/types.h>

namespace weft_load {

struct process_sample {
  bool valid = false;
  double cpu_seconds = 0;  // user + system, of all its threads that are or were
  long threads = 0;
  long resident_kib = 0;
  long page_tables_kib = 0;
};

process_sample sample_process(pid_t pid);

}  // namespace weft_load
