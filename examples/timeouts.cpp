// SPDX-License-Identifier: MIT
// A tour of time limits and cancellation: the deadline of a call, timeouts of blocks and how they nest, kill, shields, scopes that
// can be cancelled, and std::stop_token. Prints a line for each.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// Stands for a server that takes its time.
std::string ask(std::chrono::milliseconds takes) {
  weft::this_fiber::sleep_for(takes);
  return "an answer";
}

// [call]
void one_call() {
  weft::channel<int> orders(1);
  if (!orders.receive(2ms)) std::puts("call: no order within 2 ms");
}
// [end call]

// [block]
void a_block() {
  weft::timeout limit(2ms);
  try {
    ask(1h);
    ask(1h);
  } catch (const weft::timeout_expired& e) {
    if (!e.of(limit)) throw;  // that of a caller of ours: none of our business
    std::puts("block: both together may take 2 ms");
  }
}
// [end block]

// [short]
void shorter_forms() {
  const std::string answer = weft::with_timeout(
      2ms, [] { return ask(1h); }, "nothing");
  std::printf("fallback: %s\n", answer.c_str());
  if (!weft::within(2ms, [] { ask(1h); })) std::puts("silent: not within 2 ms");
}
// [end short]

// [nested]
void nested() {
  const bool in_time = weft::within(5ms, [] {
    // The inner limit is the longer one: what is thrown is the outer one's, and goes past it.
    const std::string answer = weft::with_timeout(
        1h, [] { return ask(2h); }, "never");
    std::printf("%s\n", answer.c_str());
  });
  std::printf("nested: %s\n", in_time ? "in time" : "the outer one has passed");
}
// [end nested]

// [own]
void own_exception() {
  const auto too_slow = std::make_exception_ptr(std::runtime_error("the database is too slow"));
  try {
    const weft::timeout limit(2ms, too_slow);
    ask(1h);
  } catch (const std::runtime_error& e) {
    std::printf("own exception: %s\n", e.what());
  }
}
// [end own]

// [kill]
struct lock_file {
  lock_file() { std::puts("kill: locked"); }
  ~lock_file() { std::puts("kill: unlocked"); }
};

void killed() {
  const weft::task<> server = weft::spawn([] {
    const lock_file mine;
    ask(1h);
    std::puts("never comes here");
  });
  weft::this_fiber::yield();  // it begins, and waits
  server.kill();              // throws weft::cancelled where it waits, and waits for its end
  try {
    server.get();
  } catch (const weft::task_cancelled& e) {
    std::printf("kill: %s\n", e.what());
  }
}
// [end kill]

// [shield]
void shielded() {
  const weft::task<> writer = weft::spawn([] {
    {
      const weft::shield both_or_none;
      std::puts("shield: begin");
      ask(2ms);
      std::puts("shield: commit");
    }
    ask(1h);  // here the kill is thrown
  });
  weft::this_fiber::yield();
  writer.kill();
}
// [end shield]

// [scope]
void a_scope() {
  weft::cancel_scope search;
  std::thread button([&] { search.cancel(); });  // from any thread
  if (!search.run([] { ask(1h); })) std::puts("scope: stopped");
  button.join();
}
// [end scope]

// [stop]
void stop_tokens() {
  std::stop_source stop;
  const weft::task<> worker = weft::spawn([token = stop.get_token()] {
    const weft::cancel_on_stop tied(token);
    ask(1h);
  });
  weft::this_fiber::yield();
  stop.request_stop();
  worker.join();
  std::printf("stop token: the worker has ended %s\n", worker.successful() ? "as asked" : "by a failure");
}
// [end stop]

}  // namespace

int main() {
  one_call();
  a_block();
  shorter_forms();
  nested();
  own_exception();
  killed();
  shielded();
  a_scope();
  stop_tokens();
}
