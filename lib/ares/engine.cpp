// SPDX-License-Identifier: MIT
#include "ares/engine.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "weft/thread_pool.hpp"

namespace weft::ares {

namespace {

// One thread for each engine that has questions. Never destroyed, as who waits for the network cannot be told to stop.
thread_pool& threads() {
  static thread_pool& only = *new thread_pool({.limit = no_limit, .name = "weft-ares"});
  return only;
}

ares_addr_port_node node_of(const address& server) {
  ares_addr_port_node node{};
  node.family = server.family();
  node.udp_port = node.tcp_port = server.port();
  if (server.is_ipv4()) {
    std::memcpy(&node.addr.addr4, &reinterpret_cast<const sockaddr_in*>(server.data())->sin_addr, 4);
  } else if (server.is_ipv6()) {
    std::memcpy(&node.addr.addr6, &reinterpret_cast<const sockaddr_in6*>(server.data())->sin6_addr, 16);
  } else {
    throw std::system_error(resolve_errc::family_not_supported, "weft: ares_names: a server's address");
  }
  return node;
}

// What getaddrinfo(3) calls so. @return -1 for flags that c-ares has not
int flags_of(int flags) noexcept {
  constexpr int known[][2] = {{AI_PASSIVE, ARES_AI_PASSIVE},         {AI_CANONNAME, ARES_AI_CANONNAME},
                              {AI_NUMERICHOST, ARES_AI_NUMERICHOST}, {AI_NUMERICSERV, ARES_AI_NUMERICSERV},
                              {AI_V4MAPPED, ARES_AI_V4MAPPED},       {AI_ALL, ARES_AI_ALL},
                              {AI_ADDRCONFIG, ARES_AI_ADDRCONFIG}};
  int result = 0;
  for (const auto& [libc, own] : known) {
    if ((flags & libc) != 0) result |= own;
    flags &= ~libc;
  }
  return flags == 0 ? result : -1;
}

name_answer answer_of(const name_query& query, int status, const ares_addrinfo* found) {
  name_answer a{.error = code_of(status)};
  if (found == nullptr) return a;
  for (const ares_addrinfo_node* n = found->nodes; n != nullptr; n = n->ai_next) {
    a.addresses.push_back(address::from_native(n->ai_addr, n->ai_addrlen));
    a.ttl = std::min(a.ttl, std::chrono::seconds(std::max(n->ai_ttl, 0)));
  }
  if ((query.flags & AI_CANONNAME) != 0) {
    a.name = found->name != nullptr ? found->name : query.host;
    for (const ares_addrinfo_cname* c = found->cnames; c != nullptr; c = c->next) {
      if (c->name != nullptr) a.name = c->name;
    }
  }
  return a;
}

void check(int status, const char* what) {
  if (status != ARES_SUCCESS) throw std::system_error(code_of(status), what);
}

}  // namespace

std::error_code code_of(int status) noexcept {
  switch (status) {
    case ARES_SUCCESS:
      return {};
    case ARES_ENODATA:
      return resolve_errc::no_address;
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
      return resolve_errc::name_not_known;
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
    case ARES_EOF:
      return resolve_errc::try_again;
    case ARES_EBADFAMILY:
      return resolve_errc::family_not_supported;
    case ARES_EBADFLAGS:
    case ARES_EBADHINTS:
      return resolve_errc::bad_flags;
    case ARES_ESERVICE:
      return resolve_errc::service_not_known;
    case ARES_ENOMEM:
      return resolve_errc::out_of_memory;
    default:
      return resolve_errc::failed;
  }
}

engine::engine(const ares_names_options& chosen) : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (bell_.get() < 0) throw std::system_error(errno, std::system_category(), "weft: ares_names: eventfd");
  ares_options options{};
  char lookups[] = "fb";  // the file, then the servers ("bind")
  options.lookups = chosen.hosts_file ? lookups : lookups + 1;
  options.timeout = static_cast<int>(chosen.timeout.count());
  options.tries = chosen.tries;
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<engine*>(self)->note_socket(fd, readable != 0, writable != 0);
  };
  int mask = ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  if (chosen.timeout.count() > 0) mask |= ARES_OPT_TIMEOUTMS;
  if (chosen.tries > 0) mask |= ARES_OPT_TRIES;
  check(ares_init_options(&channel_, &options, mask), "weft: ares_names");
  if (chosen.servers.empty()) return;
  std::vector<ares_addr_port_node> nodes;
  try {
    for (const address& server : chosen.servers) nodes.push_back(node_of(server));
    for (std::size_t i = 1; i < nodes.size(); ++i) nodes[i - 1].next = &nodes[i];
    check(ares_set_servers_ports(channel_, nodes.data()), "weft: ares_names: servers");
  } catch (...) {
    ares_destroy(channel_);
    throw;
  }
}

engine::~engine() { ares_destroy(channel_); }

void engine::submit(std::unique_ptr<question> q) {
  {
    const std::lock_guard guard(lock_);
    asked_.push_back(std::move(q));
    if (std::exchange(running_, true)) {
      ::eventfd_write(bell_.get(), 1);
      return;
    }
  }
  try {
    threads().submit([self = shared_from_this()] { self->run(); });
  } catch (...) {
    std::vector<std::unique_ptr<question>> failed;  // destroyed, they are answered so
    const std::lock_guard guard(lock_);
    failed.swap(asked_);
    running_ = false;
    throw;
  }
}

void engine::run() {
  for (;;) {
    for (std::unique_ptr<question>& q : take()) begin(std::move(q));
    if (open_ != 0) {
      poll_once();
      continue;
    }
    const std::lock_guard guard(lock_);
    if (!asked_.empty()) continue;
    running_ = false;
    return;
  }
}

std::vector<std::unique_ptr<engine::question>> engine::take() {
  std::vector<std::unique_ptr<question>> now;
  const std::lock_guard guard(lock_);
  now.swap(asked_);
  return now;
}

void engine::begin(std::unique_ptr<question> q) {
  q->asked = this;
  ++open_;
  if (q->of.size() != 0) {
    const address of = q->of;
    ares_getnameinfo(channel_, of.data(), of.size(), ARES_NI_LOOKUPHOST | ARES_NI_NAMEREQD, on_name, q.release());
    return;
  }
  const int family = q->query.family;
  if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) {
    return answer(std::move(q), {.error = resolve_errc::family_not_supported});
  }
  const int flags = flags_of(q->query.flags);
  if (flags < 0) return answer(std::move(q), {.error = resolve_errc::bad_flags});
  const name_query query = q->query;  // the answer may come, and end the question, within the call
  const ares_addrinfo_hints hints{flags, family, SOCK_STREAM, 0};
  ares_getaddrinfo(channel_, query.host.c_str(), query.service.empty() ? nullptr : query.service.c_str(), &hints,
                   on_addresses, q.release());
}

void engine::answer(std::unique_ptr<question> q, name_answer a) {
  --open_;
  q->done(std::move(a));
}

void engine::on_addresses(void* held, int status, int, ares_addrinfo* found) {
  std::unique_ptr<question> q(static_cast<question*>(held));
  engine& self = *q->asked;
  name_answer a;
  try {
    a = answer_of(q->query, status, found);
  } catch (const std::bad_alloc&) {  // no exception may pass through c-ares
    a = {.error = resolve_errc::out_of_memory};
  }
  ares_freeaddrinfo(found);
  self.answer(std::move(q), std::move(a));
}

void engine::on_name(void* held, int status, int, char* name, char*) {
  std::unique_ptr<question> q(static_cast<question*>(held));
  engine& self = *q->asked;
  name_answer a{.error = code_of(status)};
  try {
    if (name != nullptr) a.name = name;
  } catch (const std::bad_alloc&) {
    a.error = resolve_errc::out_of_memory;
  }
  self.answer(std::move(q), std::move(a));
}

void engine::note_socket(int fd, bool readable, bool writable) {
  const auto same = [fd](const pollfd& p) { return p.fd == fd; };
  sockets_.erase(std::remove_if(sockets_.begin(), sockets_.end(), same), sockets_.end());
  const int wants = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
  if (wants != 0) sockets_.push_back({fd, static_cast<short>(wants), 0});
}

void engine::poll_once() {
  std::vector<pollfd> now = sockets_;  // the list changes while they are worked at
  now.push_back({bell_.get(), POLLIN, 0});
  timeval room{};
  const timeval* const left = ares_timeout(channel_, nullptr, &room);
  const int ms = left == nullptr ? -1 : static_cast<int>(left->tv_sec * 1000 + (left->tv_usec + 999) / 1000);
  ::poll(now.data(), now.size(), ms);
  eventfd_t rung;
  if (now.back().revents != 0) ::eventfd_read(bell_.get(), &rung);
  now.pop_back();
  for (const pollfd& p : now) {
    const bool ended = (p.revents & (POLLERR | POLLHUP)) != 0;
    const bool in = (p.revents & POLLIN) != 0 || (ended && (p.events & POLLIN) != 0);
    const bool out = (p.revents & POLLOUT) != 0 || (ended && (p.events & POLLOUT) != 0);
    if (in || out) ares_process_fd(channel_, in ? p.fd : ARES_SOCKET_BAD, out ? p.fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // those whose time is up
}

}  // namespace weft::ares
