// SPDX-License-Identifier: MIT
#include "tls/engine.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "io/held_flag.hpp"
#include "tls/error.hpp"
#include "weft/cancelled.hpp"
#include "weft/fiber.hpp"
#include "weft/io_error.hpp"
#include "weft/shield.hpp"

namespace weft::tls {

namespace {

// A record of TLS and its frame; what more has come is taken by the next call.
constexpr std::size_t room = 17 * 1024;
// What one write encrypts at most.
constexpr std::size_t record = 16 * 1024;

// Of `state_`: short, and in the midst of what must not be cut in two.
class exclusively {
 public:
  explicit exclusively(mutex& m) : guard_(m) {}

 private:
  const shield whole_;
  const std::lock_guard<mutex> guard_;
};

bool lock_by(std::unique_lock<mutex>& guard, std::error_code& ec, deadline by) {
  if (guard.mutex()->lock(by)) {
    guard = std::unique_lock(*guard.mutex(), std::adopt_lock);
    return true;
  }
  ec = io_errc::timed_out;
  return false;
}

}  // namespace

engine::engine(std::unique_ptr<detail::lower_stream> lower, const tls_context& context, bool accepting)
    : ssl_(SSL_new(context.held())), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())), lower_(std::move(lower)) {
  if (ssl_ == nullptr || in_ == nullptr || out_ == nullptr) {
    SSL_free(ssl_);
    BIO_free(in_);
    BIO_free(out_);
    throw_openssl_error("weft: tls_stream");
  }
  // Empty is not the end: more may come.
  BIO_set_mem_eof_return(in_, -1);
  BIO_set_mem_eof_return(out_, -1);
  SSL_set_bio(ssl_, in_, out_);
  if (accepting) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
  arrived_.resize(room);
}

engine::~engine() { SSL_free(ssl_); }

void engine::close() noexcept {
  if (open_.exchange(false)) lower_->close();
}

template <class Call>
engine::step engine::call(Call&& on) {
  const exclusively guard(state_);
  ERR_clear_error();
  step s{.result = on(ssl_)};
  if (s.result <= 0) {
    s.wants = SSL_get_error(ssl_, s.result);
    if (s.wants == SSL_ERROR_SSL || s.wants == SSL_ERROR_SYSCALL) s.failure = error_of(ssl_, s.wants);
  }
  s.has_output = BIO_ctrl_pending(out_) > 0;
  s.fed = fed_;
  return s;
}

// Under `flushing_`. @return false if there is nothing to send
bool engine::refill_output() {
  if (left_ < leaving_.size()) return true;
  const exclusively guard(state_);
  left_ = 0;
  leaving_.resize(std::min(BIO_ctrl_pending(out_), 4 * room));
  if (leaving_.empty()) return false;
  const int n = BIO_read(out_, leaving_.data(), static_cast<int>(leaving_.size()));
  leaving_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return !leaving_.empty();
}

bool engine::flush(std::error_code& ec, deadline by) {
  std::unique_lock guard(flushing_, std::defer_lock);
  if (!lock_by(guard, ec, by)) return false;
  while (refill_output()) {
    const std::size_t n = lower_->write({leaving_.data() + left_, leaving_.size() - left_}, ec, by);
    if (n == 0) return false;
    left_ += n;
  }
  return true;
}

void engine::flush_soon() {
  std::error_code ec;
  if (flush(ec, deadline::from_ns(0)) || ec != io_errc::timed_out || flushing_behind_.exchange(true)) return;
  // The peer takes nothing at the moment, perhaps because it wants to be read from first: the caller goes on with that.
  const std::shared_ptr<engine> self = shared_from_this();
  io::held_flag flushing(std::shared_ptr<std::atomic<bool>>(self, &flushing_behind_));
  spawn({.name = "tls flush", .on = hub::current()}, [self, flushing = std::move(flushing)] {
    std::error_code ignored;
    self->flush(ignored, deadline::never());  // if it fails, the next call finds out
  });
}

bool engine::feed(std::uint64_t seen, std::error_code& ec, deadline by) {
  std::unique_lock guard(receiving_, std::defer_lock);
  if (!lock_by(guard, ec, by)) return false;
  {
    const exclusively guarded(state_);
    if (fed_ != seen) return true;
  }
  const std::size_t n = lower_->read(arrived_, ec, by);
  if (n == 0 && ec) return false;
  const exclusively guarded(state_);
  ++fed_;
  if (n == 0) {
    BIO_set_mem_eof_return(in_, 0);
    return true;
  }
  if (BIO_write(in_, arrived_.data(), static_cast<int>(n)) == static_cast<int>(n)) return true;
  ec = std::make_error_code(std::errc::not_enough_memory);
  return false;
}

void engine::handshake(std::error_code& ec, deadline by) {
  for (;;) {
    const step s = call([](SSL* ssl) { return SSL_do_handshake(ssl); });
    std::error_code unsent;
    if (!flush(unsent, by) && !s.failure) ec = unsent;
    if (s.failure) ec = s.failure;  // the alert that says so to the peer was just sent
    if (s.result > 0 || ec || !feed(s.fed, ec, by)) return;
  }
}

std::size_t engine::read(mutable_buffer to, std::error_code& ec, deadline by) {
  const int wanted = static_cast<int>(std::min<std::size_t>(to.size(), 1U << 30));
  for (;;) {
    const step s = call([&](SSL* ssl) { return SSL_read(ssl, to.data(), wanted); });
    if (s.has_output) flush_soon();  // answers to what the peer has begun
    if (s.result > 0) return static_cast<std::size_t>(s.result);
    if (s.wants == SSL_ERROR_ZERO_RETURN) return 0;
    if (s.failure) ec = s.failure;
    if (ec || !feed(s.fed, ec, by)) return 0;
  }
}

// One record, so that what was accepted and is not sent yet stays small.
const_buffer engine::gather(std::span<const const_buffer> from) {
  if (from.size() == 1) return {from[0].data(), std::min(from[0].size(), record)};
  gathered_.clear();
  for (const const_buffer& part : from) {
    const std::size_t n = std::min(part.size(), record - gathered_.size());
    const char* const bytes = static_cast<const char*>(part.data());
    gathered_.insert(gathered_.end(), bytes, bytes + n);
  }
  return gathered_;
}

std::size_t engine::write(std::span<const const_buffer> from, std::error_code& ec, deadline by) {
  std::unique_lock guard(sending_, std::defer_lock);
  if (!lock_by(guard, ec, by)) return 0;
  // What an earlier call could not send goes first.
  if (!flush(ec, by)) return 0;
  const const_buffer some = gather(from);
  if (some.size() == 0) return 0;
  for (;;) {
    const step s = call([&](SSL* ssl) { return SSL_write(ssl, some.data(), static_cast<int>(some.size())); });
    std::error_code unsent;
    const bool sent = flush(unsent, by);
    if (s.failure) {
      ec = s.failure;
      return 0;
    }
    if (s.result > 0 && (sent || unsent == io_errc::timed_out)) return static_cast<std::size_t>(s.result);
    if (!sent) ec = unsent;
    if (ec || !feed(s.fed, ec, by)) return 0;
  }
}

void engine::shutdown(std::error_code& ec, deadline by) {
  std::unique_lock guard(sending_, std::defer_lock);
  if (!lock_by(guard, ec, by)) return;
  const step s = call([](SSL* ssl) { return SSL_shutdown(ssl); });
  // 0: sent, and the peer's has not come yet. It need not.
  if (s.result < 0 && s.failure) ec = s.failure;
  std::error_code unsent;
  if (!flush(unsent, by) && !ec) ec = unsent;
}

}  // namespace weft::tls
