// SPDX-License-Identifier: MIT
// Crawls a site from a page on, many pages at once, and says which links are broken; it follows those that begin with '/'.
//     crawl [HOST:PORT/PATH] [AT_ONCE]
// Without an argument it crawls a site of its own, of 1000 pages.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

struct site {
  std::string host;
  std::uint16_t port;
};

struct page {
  int status;
  std::string body;
};

page fetch(const site& from, const std::string& path) {
  const weft::deadline by = 30s;
  weft::stream_socket s = weft::connect(from.host, from.port, by);
  s.write_all("GET " + path + " HTTP/1.0\r\nHost: " + from.host + "\r\n\r\n", by);
  std::string answer;
  char room[4096];
  while (const std::size_t n = s.read_some(room, by)) answer.append(room, n);
  if (answer.rfind("HTTP/1.", 0) != 0 || answer.size() < 12) throw std::runtime_error("no HTTP: " + path);
  return {std::atoi(answer.c_str() + 9), answer.substr(answer.find("\r\n\r\n"))};
}

// Follows every link of a site once, each in a fiber, so many at the same time.
class crawler {
 public:
  crawler(site from, std::ptrdiff_t at_once) : from_(std::move(from)), at_once_(at_once) {}

  void run(const std::string& path) {
    all_.run([&] { follow(path); });
  }
  std::size_t pages() const { return pages_; }
  const std::vector<std::string>& broken() const { return broken_; }

 private:
  void follow(const std::string& path) {
    // Its fibers are all of one hub, and nothing here waits: no lock is needed.
    if (seen_.insert(path).second) all_.spawn([this, path] { visit(path); });
  }

  void visit(const std::string& path) {
    page found;
    {
      const std::lock_guard place(at_once_);
      found = fetch(from_, path);
    }
    if (found.status != 200) {
      broken_.push_back(path);
      return;
    }
    ++pages_;
    constexpr std::string_view before = "href=\"";
    for (std::size_t at = found.body.find(before); at != found.body.npos; at = found.body.find(before, at)) {
      at += before.size();
      const std::string path_there = found.body.substr(at, found.body.find_first_of("\"#", at) - at);
      if (path_there.rfind('/', 0) == 0) follow(path_there);
    }
  }

  const site from_;
  struct places : weft::counting_semaphore<> {
    using counting_semaphore::counting_semaphore;
    void lock() { acquire(); }
    void unlock() { release(); }
  } at_once_;
  weft::scope all_;
  std::set<std::string> seen_;
  std::size_t pages_ = 0;
  std::vector<std::string> broken_;
};

// Page n links to 2n and 2n+1; there are 1000.
void serve_own_page(weft::stream_socket s) {
  std::string request;
  s.read_until(request, "\r\n\r\n", 10s);
  const int n = std::atoi(request.c_str() + request.find('/') + 1);
  std::string text = "HTTP/1.0 404 Not Found\r\n\r\n";
  if (n > 0 && n <= 1000) {
    text = "HTTP/1.0 200 OK\r\n\r\n<a href=\"/" + std::to_string(2 * n) + "\">left</a> <a href=\"/" +
           std::to_string(2 * n + 1) + "\">right</a> <a href=\"/1#top\">first</a>";
  }
  s.write_all(text);
}

int usage() {
  std::fputs("usage: crawl [HOST:PORT/PATH] [AT_ONCE]\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const long at_once = argc > 2 ? std::atol(argv[2]) : 50;
    if (argc > 3 || at_once < 1) return usage();
    weft::stream_server own(weft::address::loopback(AF_INET, 0), serve_own_page);
    site from{"127.0.0.1", own.local_address().port()};
    std::string path = "/1";
    if (argc > 1) {
      std::string url = argv[1];
      if (url.rfind("http://", 0) == 0) url.erase(0, 7);
      const std::size_t slash = std::min(url.find('/'), url.size());
      if (slash < url.size()) path = url.substr(slash);
      const std::size_t colon = url.rfind(':', slash);
      const int port = colon == url.npos ? 0 : std::atoi(url.c_str() + colon + 1);
      if (colon == 0 || port < 1 || port > 65535) return usage();
      from = {url.substr(0, colon), static_cast<std::uint16_t>(port)};
      if (slash == url.size()) path = "/";
    } else {
      own.start();
    }
    crawler all(from, at_once);
    all.run(path);
    for (std::size_t i = 0; i < all.broken().size() && i < 10; ++i)
      std::printf("broken: %s\n", all.broken()[i].c_str());
    std::printf("%zu pages, %zu broken links\n", all.pages(), all.broken().size());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crawl: %s\n", error.what());
    return 1;
  }
}
