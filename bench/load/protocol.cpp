// SPDX-License-Identifier: MIT
#include "protocol.hpp"

#include <charconv>
#include <cstring>

namespace weft_load {
namespace {

// splitmix64: cheap, and neighbouring seeds give unlike streams.
std::uint64_t next(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

bool same_letters(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

// The value of Content-Length in a head; npos when there is none that can be read.
std::size_t content_length(std::string_view head) {
  constexpr std::string_view name = "content-length:";
  for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    std::string_view field = head.substr(at + 2);
    if (!same_letters(field.substr(0, name.size()), name)) continue;
    field.remove_prefix(name.size());
    while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
    std::size_t value = 0;
    const auto parsed = std::from_chars(field.data(), field.data() + field.size(), value);
    return parsed.ec == std::errc() ? value : std::string_view::npos;
  }
  return std::string_view::npos;
}

}  // namespace

void echo_protocol::request(std::uint32_t connection, std::uint32_t sequence, std::string& out) const {
  out.resize(size_);
  std::uint64_t state = (std::uint64_t{connection} << 32) | sequence;
  for (std::size_t at = 0; at < size_; at += sizeof state) {
    const std::uint64_t word = next(state);
    std::memcpy(out.data() + at, &word, size_ - at < sizeof word ? size_ - at : sizeof word);
  }
}

verdict echo_protocol::check(std::string_view answer, std::string_view asked) const {
  if (answer.size() > asked.size() || answer != asked.substr(0, answer.size())) return verdict::wrong;
  return answer.size() == asked.size() ? verdict::complete : verdict::incomplete;
}

http_protocol::http_protocol(std::string_view path)
    : request_("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: weft-load\r\n\r\n") {}

verdict http_protocol::check(std::string_view answer) {
  constexpr std::size_t longest_head = 65536;
  const auto end = answer.find("\r\n\r\n");
  if (end == std::string_view::npos) return answer.size() > longest_head ? verdict::wrong : verdict::incomplete;
  if (answer.substr(0, 12) != "HTTP/1.1 200") return verdict::wrong;
  const std::size_t length = content_length(answer.substr(0, end));
  const std::string_view body = answer.substr(end + 4);
  if (length == std::string_view::npos || body.size() > length) return verdict::wrong;
  if (body.size() < length) return verdict::incomplete;
  if (!have_body_) {
    have_body_ = true;
    body_ = body;
  }
  return body == body_ ? verdict::complete : verdict::wrong;
}

}  // namespace weft_load
