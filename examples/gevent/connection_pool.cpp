// SPDX-License-Identifier: MIT
// gevent's psycopg2_pool.py without its database: many fibers share a few connections. A server stands for the database; it takes its
// time and counts how many ask at once.
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

class connection_pool {
 public:
  connection_pool(std::size_t size, const weft::address& to) : free_(size) {
    for (std::size_t i = 0; i < size; ++i) (void)free_.send(weft::stream_socket::connect(to, 10s));
  }

  // Calls the function with a connection, for which it waits while all are taken.
  template <class F>
  auto with(F function) {
    std::optional<weft::stream_socket> mine = free_.receive();
    const give_back returned{free_, *mine};
    return function(*mine);
  }

 private:
  struct give_back {
    weft::channel<weft::stream_socket>& to;
    weft::stream_socket& which;
    ~give_back() { (void)to.try_send(std::move(which)); }
  };
  weft::channel<weft::stream_socket> free_;
};

std::string query(weft::stream_socket& connection, const std::string& text) {
  connection.write_all(text + ";", 10s);
  std::string answer;
  return answer.substr(0, connection.read_until(answer, ";", 10s) - 1);
}

}  // namespace

int main() {
  int asking = 0, most = 0;
  weft::stream_server database(weft::address::parse("127.0.0.1:0"), [&](weft::stream_socket client) {
    std::string buffer;
    std::error_code ec;
    while (const std::size_t length = client.read_until(buffer, ";", 4096, ec)) {
      if (ec) return;
      most = std::max(most, ++asking);
      weft::this_fiber::sleep_for(2ms);
      --asking;
      client.write_all(buffer.substr(0, length));
      buffer.erase(0, length);
    }
  });
  database.start();

  connection_pool pool(3, database.local_address());
  std::vector<weft::task<std::string>> queries(12);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    queries[i] = weft::spawn(
        [&pool, i] { return pool.with([&](weft::stream_socket& c) { return query(c, std::to_string(i)); }); });
  }
  for (weft::task<std::string>& each : queries) std::printf("%s ", each.get().c_str());
  std::printf("\nat most %d at once\n", most);
}
