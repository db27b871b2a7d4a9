// SPDX-License-Identifier: MIT
#include "weft/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace weft {

namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view unix_prefix = "unix:";
constexpr char digits[] = "0123456789abcdef";

[[noreturn]] void refuse(const char* why, std::string_view text) {
  throw std::invalid_argument(std::string("weft: ") + why + ": '" + std::string(text) + "'");
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A name or a number behind '%'; nothing if there is no such interface.
std::optional<std::uint32_t> scope_of(std::string_view text) {
  if (const auto number = whole_number<std::uint32_t>(text)) return number;
  char name[IF_NAMESIZE];
  if (text.empty() || text.size() >= sizeof name) return std::nullopt;
  *std::copy(text.begin(), text.end(), name) = '\0';
  const unsigned index = if_nametoindex(name);
  return index == 0 ? std::nullopt : std::optional<std::uint32_t>(index);
}

// inet_pton wants a terminated string; whatever does not fit is no address.
template <class Binary>
bool to_binary(int family, std::string_view text, Binary& out) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != text.npos) return false;
  *std::copy(text.begin(), text.end(), copy) = '\0';
  return inet_pton(family, copy, &out) == 1;
}

address make_unix(const char* bytes, std::size_t count, std::size_t size) noexcept {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, bytes, count);
  return address::from_native(reinterpret_cast<const sockaddr*>(&local), static_cast<socklen_t>(path_offset + size));
}

std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x1f && byte < 0x7f && c != '\\') {
      text += c;
    } else {
      text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return text;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      name += text[at];
      continue;
    }
    if (at + 3 >= text.size() || text[at + 1] != 'x') return std::nullopt;
    const char* const high = std::strchr(digits, text[at + 2]);
    const char* const low = std::strchr(digits, text[at + 3]);
    if (high == nullptr || low == nullptr || *high == '\0' || *low == '\0') return std::nullopt;
    name += static_cast<char>((high - digits) << 4 | (low - digits));
    at += 3;
  }
  return name;
}

std::optional<address> try_unix(std::string_view text) {
  if (text.empty()) return make_unix("", 0, 0);  // a socket without a name
  const auto name = unescaped(text);
  if (!name) return std::nullopt;
  if (name->front() == '@') {
    if (name->size() - 1 > longest_path) return std::nullopt;
    return address::abstract(std::string_view(*name).substr(1));
  }
  if (name->size() > longest_path || name->find('\0') != name->npos) return std::nullopt;
  return address::unix_path(*name);
}

}  // namespace

address address::from_native(const sockaddr* from, socklen_t size) {
  address a;
  if (size > sizeof a.store_) throw std::invalid_argument("weft: no address is that long");
  if (size < sizeof(sa_family_t)) return a;
  std::memcpy(&a.store_, from, size);
  a.size_ = size;
  return a;
}

std::optional<address> address::try_ip(std::string_view text, std::uint16_t port) {
  sockaddr_in v4{};
  if (to_binary(AF_INET, text, v4.sin_addr)) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return from_native(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (const std::size_t mark = text.find('%'); mark != text.npos) {
    const auto scope = scope_of(text.substr(mark + 1));
    if (!scope) return std::nullopt;
    v6.sin6_scope_id = *scope;
    text = text.substr(0, mark);
  }
  if (!to_binary(AF_INET6, text, v6.sin6_addr)) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return from_native(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

address address::ip(std::string_view text, std::uint16_t port) {
  const auto found = try_ip(text, port);
  if (!found) refuse("not a numeric IP address", text);
  return *found;
}

address address::any(int family, std::uint16_t port) noexcept {
  address a;
  if (family == AF_INET6) {
    a.store_.v6.sin6_family = AF_INET6;
    a.store_.v6.sin6_port = htons(port);
    a.size_ = sizeof(sockaddr_in6);
  } else {
    a.store_.v4.sin_family = AF_INET;
    a.store_.v4.sin_port = htons(port);
    a.size_ = sizeof(sockaddr_in);
  }
  return a;
}

address address::loopback(int family, std::uint16_t port) noexcept {
  address a = any(family, port);
  if (a.is_ipv6()) {
    a.store_.v6.sin6_addr = in6addr_loopback;
  } else {
    a.store_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  return a;
}

address address::unix_path(std::string_view path) {
  if (path.empty() || path.size() > longest_path || path.find('\0') != path.npos) refuse("not a socket's path", path);
  return make_unix(path.data(), path.size(), path.size() + 1);
}

address address::abstract(std::string_view name) {
  if (name.size() > longest_path) refuse("too long for a socket's name", name);
  char bytes[sizeof(sockaddr_un::sun_path)] = {};
  std::copy(name.begin(), name.end(), bytes + 1);
  return make_unix(bytes, name.size() + 1, name.size() + 1);
}

std::optional<address> address::try_parse(std::string_view text) {
  if (text.starts_with(unix_prefix)) return try_unix(text.substr(unix_prefix.size()));
  if (text.starts_with('/')) return try_unix(text);
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const auto port = whole_number<std::uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  // The brackets tell the colons of an IPv6 address from the one before the port.
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!port || bracketed != (host.find(':') != host.npos)) return std::nullopt;
  return try_ip(host, *port);
}

address address::parse(std::string_view text) {
  const auto found = try_parse(text);
  if (!found) refuse("not an address", text);
  return *found;
}

bool address::is_abstract() const noexcept {
  return is_unix() && size_ > path_offset && store_.local.sun_path[0] == '\0';
}

std::uint16_t address::port() const noexcept {
  if (is_ipv4()) return ntohs(store_.v4.sin_port);
  return is_ipv6() ? ntohs(store_.v6.sin6_port) : 0;
}

address address::with_port(std::uint16_t port) const noexcept {
  address a = *this;
  if (is_ipv4()) a.store_.v4.sin_port = htons(port);
  if (is_ipv6()) a.store_.v6.sin6_port = htons(port);
  return a;
}

bool address::is_loopback() const noexcept {
  if (is_ipv4()) return ntohl(store_.v4.sin_addr.s_addr) >> 24 == 127;
  return is_ipv6() &&
         (IN6_IS_ADDR_LOOPBACK(&store_.v6.sin6_addr) || (unmapped().is_ipv4() && unmapped().is_loopback()));
}

bool address::is_any() const noexcept {
  if (is_ipv4()) return store_.v4.sin_addr.s_addr == 0;
  return is_ipv6() && IN6_IS_ADDR_UNSPECIFIED(&store_.v6.sin6_addr);
}

bool address::is_multicast() const noexcept {
  if (is_ipv4()) return IN_MULTICAST(ntohl(store_.v4.sin_addr.s_addr));
  return is_ipv6() && IN6_IS_ADDR_MULTICAST(&store_.v6.sin6_addr);
}

bool address::is_link_local() const noexcept {
  if (is_ipv4()) return ntohl(store_.v4.sin_addr.s_addr) >> 16 == 0xa9fe;  // 169.254/16, RFC 3927
  return is_ipv6() && IN6_IS_ADDR_LINKLOCAL(&store_.v6.sin6_addr);
}

address address::unmapped() const noexcept {
  if (!is_ipv6() || !IN6_IS_ADDR_V4MAPPED(&store_.v6.sin6_addr)) return *this;
  address a = any(AF_INET, port());
  std::memcpy(&a.store_.v4.sin_addr, store_.v6.sin6_addr.s6_addr + 12, 4);
  return a;
}

std::string address::ip() const {
  if (!is_ip()) return {};
  char text[INET6_ADDRSTRLEN];
  const void* const from =
      is_ipv4() ? static_cast<const void*>(&store_.v4.sin_addr) : static_cast<const void*>(&store_.v6.sin6_addr);
  std::string out = inet_ntop(family(), from, text, sizeof text);
  if (scope_id() != 0) {
    char name[IF_NAMESIZE];
    out += '%';
    out += if_indextoname(scope_id(), name) != nullptr ? std::string(name) : std::to_string(scope_id());
  }
  return out;
}

std::string_view address::path() const noexcept {
  if (!is_unix() || size_ <= path_offset) return {};
  const std::string_view bytes(store_.local.sun_path, size_ - path_offset);
  // A path may come without its final zero (unix(7)); an abstract name may have zeros inside.
  return bytes.front() == '\0' ? bytes.substr(1) : bytes.substr(0, bytes.find('\0'));
}

std::string address::to_string() const {
  if (is_ipv4()) return ip() + ':' + std::to_string(port());
  if (is_ipv6()) return '[' + ip() + "]:" + std::to_string(port());
  if (is_unix()) return std::string(unix_prefix) + (is_abstract() ? "@" : "") + escaped(path());
  return family() == AF_UNSPEC ? "unspecified" : "family " + std::to_string(family());
}

std::strong_ordering operator<=>(const address& a, const address& b) noexcept {
  const auto bytes = [](const void* x, const void* y, std::size_t n) { return std::memcmp(x, y, n) <=> 0; };
  if (const auto by_family = a.family() <=> b.family(); by_family != 0) return by_family;
  if (a.is_unix()) {
    if (const auto kind = a.is_abstract() <=> b.is_abstract(); kind != 0) return kind;
    return a.path() <=> b.path();
  }
  if (a.is_ipv4()) {
    const auto by_address = bytes(&a.store_.v4.sin_addr, &b.store_.v4.sin_addr, sizeof(in_addr));
    return by_address != 0 ? by_address : a.port() <=> b.port();
  }
  if (a.is_ipv6()) {
    const auto by_address = bytes(&a.store_.v6.sin6_addr, &b.store_.v6.sin6_addr, sizeof(in6_addr));
    if (by_address != 0) return by_address;
    const auto by_port = a.port() <=> b.port();
    return by_port != 0 ? by_port : a.scope_id() <=> b.scope_id();
  }
  if (const auto by_size = a.size_ <=> b.size_; by_size != 0) return by_size;
  return bytes(&a.store_, &b.store_, a.size_);
}

std::size_t address::hash() const noexcept {
  std::uint64_t sum = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&sum](const void* from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) sum = (sum ^ static_cast<const unsigned char*>(from)[i]) * 0x100000001b3;
  };
  const int kind = family();
  add(&kind, sizeof kind);
  if (is_ipv4()) add(&store_.v4.sin_port, sizeof(in_port_t) + sizeof(in_addr));
  if (is_ipv6()) {
    add(&store_.v6.sin6_port, sizeof(in_port_t));
    add(&store_.v6.sin6_addr, sizeof(in6_addr));
    add(&store_.v6.sin6_scope_id, sizeof(std::uint32_t));
  }
  if (is_unix()) add(path().data(), path().size());
  return sum;
}

address address_room::get() noexcept {
  address out;
  if (size_ >= sizeof(sa_family_t) && size_ <= sizeof(sockaddr_un)) {
    out = room_;
    out.size_ = size_;
  }
  return out;
}

}  // namespace weft
