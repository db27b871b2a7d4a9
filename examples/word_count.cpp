// SPDX-License-Identifier: MIT
// Counts the words of files on worker processes:
//
//     word_count [--workers N] [FILE...]
//
// Each file is cut into pieces of about 64 KiB, at spaces. Without a file it counts the words of a text of its own. Prints the
// ten most frequent words and the sums.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <weft/offload.hpp>
#include <weft/process_pool.hpp>

namespace {

using counts = std::map<std::string, std::size_t>;

// Runs in the workers: a crash of it would cost the program nothing but this piece.
counts count_words(const std::string& text) {
  counts found;
  std::string word;
  auto end_word = [&] {
    if (!word.empty()) ++found[std::exchange(word, {})];
  };
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    } else {
      end_word();
    }
  }
  end_word();
  return found;
}

std::string own_text() {
  std::string text;
  for (int line = 0; line < 20'000; ++line) {
    text += "over and under the fixed warp goes the weft, ";
    text += line % 2 == 0 ? "over and under it goes back;\n" : "and the cloth grows.\n";
  }
  return text;
}

// Files block, so they are read on a thread.
std::string read_file(const std::string& name) {
  return weft::offload([name] {
    std::ifstream in(name, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  });
}

void cut(const std::string& text, std::vector<std::string>& pieces) {
  constexpr std::size_t size = 64 << 10;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(at + size, text.size());
    while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end])) == 0) ++end;
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
}

int run(std::size_t workers, const std::vector<std::string>& files) {
  std::vector<std::string> pieces;
  for (const std::string& file : files) cut(read_file(file), pieces);
  if (files.empty()) cut(own_text(), pieces);

  weft::process_pool pool({.limit = workers});
  counts total;
  // At most four pieces for each worker are under way: the counts come back while others are being made.
  for (const counts& some : pool.map_unordered<count_words>(pieces, 4 * workers)) {
    for (const auto& [word, count] : some) total[word] += count;
  }

  std::vector<std::pair<std::string, std::size_t>> order(total.begin(), total.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::size_t words = 0;
  for (const auto& each : order) words += each.second;
  for (std::size_t i = 0; i < std::min<std::size_t>(10, order.size()); ++i) {
    std::printf("%8zu %s\n", order[i].second, order[i].first.c_str());
  }
  std::printf("%zu words, %zu different ones, in %zu pieces\n", words, order.size(), pieces.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  weft::run_if_worker(argc, argv);
  std::size_t workers = 2;
  std::vector<std::string> files(argv + 1, argv + argc);
  if (files.size() >= 2 && files[0] == "--workers") {
    workers = std::max<std::size_t>(1, std::strtoul(files[1].c_str(), nullptr, 10));
    files.erase(files.begin(), files.begin() + 2);
  }
  try {
    return run(workers, files);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "word_count: %s\n", e.what());
    return 1;
  }
}
