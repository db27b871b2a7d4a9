// SPDX-License-Identifier: MIT
// What one exchange consists of, and whether its answer is right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft_load {

enum class verdict { incomplete, complete, wrong };

// An echo: each message differs from every other one of the run, so that an answer that went to the wrong
// connection or came twice is seen.
class echo_protocol {
 public:
  explicit echo_protocol(std::size_t size) : size_(size) {}
  void request(std::uint32_t connection, std::uint32_t sequence, std::string& out) const;
  [[nodiscard]] verdict check(std::string_view answer, std::string_view asked) const;

 private:
  std::size_t size_;
};

// A GET over a kept-alive connection: the status must be 200 and all bodies of the run the same.
class http_protocol {
 public:
  explicit http_protocol(std::string_view path);
  void request(std::string& out) const { out = request_; }
  [[nodiscard]] verdict check(std::string_view answer);

 private:
  std::string request_;
  std::string body_;
  bool have_body_ = false;
};

}  // namespace weft_load
