// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "weft/datagram_socket.hpp"
#include "weft/fiber.hpp"

namespace weft::test {

/// A server of a few names on loopback, on a fiber: DNS as RFC 1035 has it, one question a message.
class dns_server {
 public:
  enum type : std::uint16_t { a = 1, cname = 5, ptr = 12, aaaa = 28 };
  enum rcode : std::uint8_t { ok = 0, server_failure = 2, no_name = 3, refused = 5 };
  struct record {
    type kind;
    std::uint32_t ttl;
    std::string data;
  };

  dns_server() : door_(datagram_socket::bind(address::loopback(AF_INET, 0))), at_(door_.local_address()) {}
  ~dns_server() {
    door_.close();
    fiber_.join();
  }
  address at() const { return at_; }
  int questions() const { return questions_; }

  /// What is asked for a name that is not here is unknown.
  std::multimap<std::string, record> records;
  std::map<std::string, rcode> failing;

  static std::string of(const address& ip) {
    return ip.is_ipv4() ? std::string(reinterpret_cast<const char*>(ip.data()) + offsetof(sockaddr_in, sin_addr), 4)
                        : std::string(reinterpret_cast<const char*>(ip.data()) + offsetof(sockaddr_in6, sin6_addr), 16);
  }
  static std::string name_of(std::string_view dotted) {
    std::string labels;
    while (!dotted.empty()) {
      const std::string_view label = dotted.substr(0, dotted.find('.'));
      labels += static_cast<char>(label.size());
      labels += label;
      dotted.remove_prefix(std::min(dotted.size(), label.size() + 1));
    }
    return labels + '\0';
  }

 private:
  static std::string number(std::uint32_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
    return text;
  }

  void serve() {
    char room[512];
    address from;
    std::error_code ec;
    for (;;) {
      const std::size_t n = door_.receive_from(room, from, ec).bytes;
      if (ec) return;
      ++questions_;
      door_.send_to(answer({room, n}), from, ec);
    }
  }

  std::string answer(std::string_view question) {
    std::string name;
    std::size_t at = 12;
    while (const auto length = static_cast<std::size_t>(question[at])) {
      name += (name.empty() ? "" : ".") + std::string(question.substr(at + 1, length));
      at += length + 1;
    }
    const auto asked = static_cast<type>(static_cast<unsigned char>(question[at + 1]) << 8 |
                                         static_cast<unsigned char>(question[at + 2]));
    const std::string_view section = question.substr(12, at + 5 - 12);
    std::string answers;
    std::uint32_t count = 0;
    const auto [first, last] = records.equal_range(name);
    for (auto r = first; r != last; ++r) {
      if (r->second.kind != asked && r->second.kind != cname) continue;
      ++count;
      answers += "\xc0\x0c" + number(r->second.kind, 2) + number(1, 2) + number(r->second.ttl, 4) +
                 number(static_cast<std::uint32_t>(r->second.data.size()), 2) + r->second.data;
    }
    rcode code = first == last ? no_name : ok;
    if (const auto f = failing.find(name); f != failing.end()) code = f->second;
    return std::string(question.substr(0, 2)) + "\x81" + static_cast<char>(0x80 | code) + number(1, 2) +
           number(count, 2) + number(0, 4) + std::string(section) + answers;
  }

  datagram_socket door_;
  const address at_;
  int questions_ = 0;
  fiber fiber_ = spawn([this] { serve(); });
};

}  // namespace weft::test
