// SPDX-License-Identifier: MIT
// Names by libc's getaddrinfo(3) and getnameinfo(3), on real threads.
#include <netdb.h>

#include <cerrno>

#include "weft/name_service.hpp"
#include "weft/thread_pool.hpp"

namespace weft {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft.resolver"; }
  std::string message(int code) const override { return gai_strerror(code); }
};

std::error_code code_of(int failed) noexcept {
  if (failed == 0) return {};
  if (failed == EAI_SYSTEM) return {errno, std::system_category()};
  return static_cast<resolve_errc>(failed);
}

const char* or_null(const std::string& text) noexcept { return text.empty() ? nullptr : text.c_str(); }

name_answer ask_libc(const name_query& query) {
  addrinfo hints{};
  hints.ai_family = query.family;
  hints.ai_socktype = SOCK_STREAM;  // each address once, not once for each kind of socket
  hints.ai_flags = query.flags;
  addrinfo* found = nullptr;
  name_answer answer;
  // "" is a name that cannot be; no name is this machine. Neither a name nor a service is refused.
  const char* const service = query.host.empty() && query.service.empty() ? "0" : or_null(query.service);
  answer.error = code_of(::getaddrinfo(or_null(query.host), service, &hints, &found));
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_canonname != nullptr) answer.name = at->ai_canonname;
    answer.addresses.push_back(address::from_native(at->ai_addr, at->ai_addrlen));
  }
  if (found != nullptr) ::freeaddrinfo(found);
  return answer;
}

name_answer ask_libc_for_name(const address& of) {
  char name[NI_MAXHOST];
  name_answer answer;
  answer.error = code_of(::getnameinfo(of.data(), of.size(), name, sizeof name, nullptr, 0, NI_NAMEREQD));
  if (!answer.error) answer.name = name;
  return answer;
}

class libc_names final : public name_service {
 public:
  void find_addresses(const name_query& query, receiver done) override {
    threads().submit([query, done = std::move(done)] { done(ask_libc(query)); });
  }
  void find_name(const address& of, receiver done) override {
    threads().submit([of, done = std::move(done)] { done(ask_libc_for_name(of)); });
  }

 private:
  // Apart from the pool of `offload`, so that names that nobody answers do not hold up other work. Never destroyed, as
  // who waits for the network cannot be told to stop.
  static thread_pool& threads() {
    static thread_pool& only = *new thread_pool({.limit = 32, .name = "weft-names"});
    return only;
  }
};

}  // namespace

const std::error_category& resolve_category() noexcept {
  // Never destroyed: errors outlive static objects.
  alignas(category) static std::byte place[sizeof(category)];
  static const category& only = *new (place) category;
  return only;
}

std::shared_ptr<name_service> system_names() { return std::make_shared<libc_names>(); }

}  // namespace weft
