// SPDX-License-Identifier: MIT
// docs/tutorial.md: values that change hands.
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [pipeline]
void pipeline() {
  weft::channel<int> numbers(4);  // a sender may be four values ahead
  weft::channel<std::string> lines(4);
  weft::spawn([&] {
    for (int i = 1; i <= 5 && numbers.send(i); ++i) continue;
    numbers.close();
  });
  weft::spawn([&] {
    for (const int n : numbers) {  // until it is closed and empty
      if (!lines.send(std::to_string(n * n))) return;
    }
    lines.close();
  });
  for (const std::string& line : lines) std::printf("%s ", line.c_str());
  std::puts("are squares");
}
// [end pipeline]

// [select]
void select_one() {
  weft::channel<std::string> mail(0);  // a rendezvous: a send returns when it was received
  weft::channel<int> quit(0);
  const weft::task<> sender = weft::spawn([&] {
    for (const char* text : {"first", "second"}) (void)mail.send(text);
    quit.close();
  });
  for (bool more = true; more;) {
    weft::select(weft::on_receive(mail,
                                  [](const std::optional<std::string>& m) {
                                    if (m) std::printf("mail: %s\n", m->c_str());
                                  }),
                 weft::on_receive(quit, [&](std::optional<int>) { more = false; }),
                 weft::on_timeout(10s, [&] { more = false; }));
  }
  sender.join();
}
// [end select]

// [queue]
void all_work_is_done() {
  weft::queue<int> todo;
  int done = 0;
  const weft::task<> worker = weft::spawn([&] {
    for (const int depth : todo) {
      ++done;
      if (depth < 3) (void)(todo.push(depth + 1) && todo.push(depth + 1));  // work that makes work
      todo.task_done();
    }
  });
  (void)todo.push(0);
  todo.join();  // until everything that was pushed is done
  todo.shutdown();
  worker.join();
  std::printf("%d pieces of work\n", done);
}
// [end queue]

// [broadcast]
void to_everybody() {
  weft::broadcast<int> news;
  auto first = news.subscribe(8), second = news.subscribe(8);
  news.publish(42);
  news.close();
  for (const int n : first) std::printf("first heard %d\n", n);
  for (const int n : second) std::printf("second heard %d\n", n);
}
// [end broadcast]

}  // namespace

int main() {
  pipeline();
  select_one();
  all_work_is_done();
  to_everybody();
}
