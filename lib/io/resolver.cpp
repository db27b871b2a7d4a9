// SPDX-License-Identifier: MIT
#include "weft/resolver.hpp"

#include <unistd.h>

#include <atomic>
#include <list>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "weft/event.hpp"
#include "weft/io_error.hpp"
#include "weft/mutex.hpp"

namespace weft {

namespace {

// A question, under which the same ones find each other: the name of an address has no service and no host.
struct question {
  name_query query;
  address of;
  friend bool operator==(const question&, const question&) = default;
};

struct question_hash {
  std::size_t operator()(const question& q) const noexcept {
    const std::hash<std::string> text;
    const std::size_t numbers =
        static_cast<unsigned>(q.query.family) * std::size_t{8191} + static_cast<unsigned>(q.query.flags);
    return (text(q.query.host) * 31 + text(q.query.service)) * 31 + numbers + std::hash<address>{}(q.of);
  }
};

// One that is on its way. Those who ask wait for it; whoever gives up leaves the others undisturbed.
struct flight {
  event landed;
  std::atomic<bool> answered{false};
  name_answer answer;
  const pid_t process = getpid();  // in a fork's child those of the parent never land
};

}  // namespace

struct __attribute__((visibility("hidden"))) resolver::state : std::enable_shared_from_this<resolver::state> {
  struct kept {
    name_answer answer;
    clock::time_point until;
    std::list<question>::iterator age;
  };

  state(std::shared_ptr<name_service> asked, const resolver_options& chosen)
      : service(std::move(asked)), options(chosen) {}

  name_answer ask(const question& q, deadline by) {
    std::shared_ptr<flight> f;
    bool first = false;
    {
      const std::lock_guard guard(lock);
      if (const name_answer* known = find_kept(q)) return *known;
      std::shared_ptr<flight>& place = flights[q];
      first = place == nullptr || place->process != getpid();
      if (first) place = std::make_shared<flight>();
      f = place;
    }
    if (first) start(q, f);
    if (f->landed.wait(by)) return f->answer;
    return {.error = io_errc::timed_out};
  }

  // What a service has in its hands while it looks.
  struct pending {
    pending(std::shared_ptr<state> asked, const question& what, std::shared_ptr<flight> how)
        : self(std::move(asked)), q(what), f(std::move(how)) {}
    pending(const pending&) = delete;
    pending& operator=(const pending&) = delete;
    ~pending() {
      if (!f->answered) self->land(q, *f, {.error = resolve_errc::failed});
    }
    const std::shared_ptr<state> self;
    const question q;
    const std::shared_ptr<flight> f;
  };

  void start(const question& q, const std::shared_ptr<flight>& f) {
    const auto p = std::make_shared<pending>(shared_from_this(), q, f);
    name_service::receiver done = [p](name_answer answer) { p->self->land(p->q, *p->f, std::move(answer)); };
    try {
      if (q.of.size() != 0) {
        service->find_name(q.of, std::move(done));
      } else {
        service->find_addresses(q.query, std::move(done));
      }
    } catch (const std::system_error& error) {
      land(q, *f, {.error = error.code()});
    }
  }

  void land(const question& q, flight& f, name_answer answer) noexcept {
    if (f.answered.exchange(true)) return;
    f.answer = std::move(answer);
    {
      const std::lock_guard guard(lock);
      if (const auto mine = flights.find(q); mine != flights.end() && mine->second.get() == &f) flights.erase(mine);
      try {
        keep(q, f.answer);
      } catch (const std::bad_alloc&) {
        // then it is asked for again the next time
      }
    }
    f.landed.set();
  }

  const name_answer* find_kept(const question& q) {
    const auto found = answers.find(q);
    if (found == answers.end()) return nullptr;
    if (found->second.until > clock::now()) return &found->second.answer;
    ages.erase(found->second.age);
    answers.erase(found);
    return nullptr;
  }

  void keep(const question& q, const name_answer& answer) {
    const bool none = answer.error == resolve_errc::name_not_known || answer.error == resolve_errc::no_address;
    if (answer.error && !none) return;  // what went wrong may go well the next time
    auto time = answer.error ? options.keep_failures : options.keep;
    if (answer.ttl < std::chrono::hours(24 * 365)) time = std::min<std::chrono::nanoseconds>(time, answer.ttl);
    if (time <= std::chrono::nanoseconds::zero() || options.most_kept == 0) return;
    if (const auto old = answers.find(q); old != answers.end()) {
      ages.erase(old->second.age);
      answers.erase(old);
    }
    if (answers.size() >= options.most_kept) {
      answers.erase(ages.front());
      ages.pop_front();
    }
    ages.push_back(q);
    answers.emplace(q, kept{answer, clock::now() + time, std::prev(ages.end())});
  }

  const std::shared_ptr<name_service> service;
  const resolver_options options;
  mutex lock;  // of all below
  std::unordered_map<question, std::shared_ptr<flight>, question_hash> flights;
  std::unordered_map<question, kept, question_hash> answers;
  std::list<question> ages;  // the oldest answer first
};

resolver::resolver(std::shared_ptr<name_service> service, const resolver_options& options)
    : state_(std::make_shared<state>(std::move(service), options)) {
  if (state_->service == nullptr) throw std::invalid_argument("weft::resolver: no service");
}

resolver::~resolver() = default;

std::vector<address> resolver::resolve(std::string_view host, std::uint16_t port, std::error_code& ec, deadline by) {
  ec.clear();
  if (const auto plain = address::try_ip(host, port)) return {*plain};
  name_answer answer = resolve(name_query{.host = std::string(host), .service = {}}, ec, by);
  for (address& a : answer.addresses) a = a.with_port(port);
  return std::move(answer.addresses);
}

std::vector<address> resolver::resolve(std::string_view host, std::uint16_t port, deadline by) {
  std::error_code ec;
  std::vector<address> found = resolve(host, port, ec, by);
  if (ec) throw std::system_error(ec, "weft: resolve " + std::string(host));
  return found;
}

name_answer resolver::resolve(const name_query& query, std::error_code& ec, deadline by) {
  // libc would take what stands before the zero for the name.
  const bool cut = query.host.find('\0') != query.host.npos || query.service.find('\0') != query.service.npos;
  const std::shared_ptr<state> kept = state_;  // the resolver may be gone when the answer comes
  name_answer answer = cut ? name_answer{.error = resolve_errc::name_not_known} : kept->ask({query, {}}, by);
  ec = answer.error;
  return answer;
}

name_answer resolver::resolve(const name_query& query, deadline by) {
  std::error_code ec;
  name_answer answer = resolve(query, ec, by);
  if (ec) throw std::system_error(ec, "weft: resolve " + query.host);
  return answer;
}

std::string resolver::name_of(const address& of, std::error_code& ec, deadline by) {
  if (!of.is_ip()) {
    ec = resolve_errc::family_not_supported;
    return {};
  }
  const std::shared_ptr<state> kept = state_;
  name_answer answer = kept->ask({{}, of.with_port(0)}, by);
  ec = answer.error;
  return std::move(answer.name);
}

std::string resolver::name_of(const address& of, deadline by) {
  std::error_code ec;
  std::string name = name_of(of, ec, by);
  if (ec) throw std::system_error(ec, "weft: name of " + of.to_string());
  return name;
}

void resolver::forget() {
  const std::lock_guard guard(state_->lock);
  state_->answers.clear();
  state_->ages.clear();
}

resolver& default_resolver() {
  // Never destroyed: fibers and threads may use it until the process ends.
  static resolver& only = *new resolver;
  return only;
}

}  // namespace weft
