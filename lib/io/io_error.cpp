// SPDX-License-Identifier: MIT
#include "weft/io_error.hpp"

#include <new>
#include <string>

namespace weft {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft.io"; }
  std::string message(int code) const override {
    switch (static_cast<io_errc>(code)) {
      case io_errc::end_of_stream:
        return "end of stream";
      case io_errc::timed_out:
        return "deadline passed";
      case io_errc::too_long:
        return "delimiter not found within the limit";
    }
    return "unknown";
  }
  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<io_errc>(code)) {
      case io_errc::timed_out:
        return std::errc::timed_out;
      case io_errc::too_long:
        return std::errc::message_size;
      default:
        return {code, *this};
    }
  }
};

}  // namespace

const std::error_category& io_category() noexcept {
  // Never destroyed: errors outlive static objects.
  alignas(category) static std::byte place[sizeof(category)];
  static const category& only = *new (place) category;
  return only;
}

namespace detail {
void throw_error(std::error_code ec, const char* what) { throw std::system_error(ec, what); }
}  // namespace detail

}  // namespace weft
