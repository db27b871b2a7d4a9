// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <mutex>

#include "ares/engine.hpp"
#include "weft/ares.hpp"
#include "weft/mutex.hpp"

namespace weft {

namespace {

class dns_names final : public name_service {
 public:
  explicit dns_names(const ares_names_options& options) : options_(options) { current(); }

  void find_addresses(const name_query& query, receiver done) override {
    if (query.host.empty()) return system_names()->find_addresses(query, std::move(done));
    ask({query, {}, std::move(done)});
  }
  void find_name(const address& of, receiver done) override { ask({{}, of, std::move(done)}); }

 private:
  void ask(ares::engine::question q) { current()->submit(std::make_unique<ares::engine::question>(std::move(q))); }

  // In a fork's child the parent's is left alone: its thread is gone, perhaps in the midst of something.
  std::shared_ptr<ares::engine> current() {
    const std::lock_guard guard(lock_);
    if (process_ == getpid()) return engine_;
    auto fresh = std::make_shared<ares::engine>(options_);
    if (engine_ != nullptr) new std::shared_ptr(std::move(engine_));
    engine_ = std::move(fresh);
    process_ = getpid();
    return engine_;
  }

  const ares_names_options options_;
  mutex lock_;  // of the two below
  std::shared_ptr<ares::engine> engine_;
  pid_t process_ = 0;
};

}  // namespace

std::shared_ptr<name_service> ares_names(const ares_names_options& options) {
  return std::make_shared<dns_names>(options);
}

}  // namespace weft
