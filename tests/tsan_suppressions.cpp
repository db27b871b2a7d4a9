// SPDX-License-Identifier: MIT
// What ThreadSanitizer is told in every test program.

// An exception that two threads hold is freed by whoever lets go of it last. Its references are counted inside libstdc++.so
// (libsupc++/eh_ptr.cc), which is not instrumented: that the other holder is done is ordered by atomics that TSan does not see.
extern "C" __attribute__((visibility("default"))) const char*
__tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {
  return "race:^std::__exception_ptr::exception_ptr::_M_release\n";
}
