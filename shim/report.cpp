// SPDX-License-Identifier: MIT
#include "shim/report.hpp"

#include <string.h>
#include <sys/syscall.h>

#include "base/message.hpp"
#include "base/syscall.hpp"
#include "base/text.hpp"
#include "base/words.hpp"

namespace weft::shim {
namespace {

constexpr std::size_t label_width = 24;
constexpr std::size_t number_width = 15;
// More columns than this are no table that anyone reads: then there is the sum alone.
constexpr std::size_t most_columns = 8;
constexpr std::size_t longest_line = label_width + (most_columns + 1) * number_width + 1;

// Lines are gathered so that a report in a file that several processes append to stays in one piece.
class printer {
 public:
  explicit printer(const base::config& how) noexcept : how_(how) {}
  ~printer() { flush(); }
  printer(const printer&) = delete;
  printer& operator=(const printer&) = delete;

  base::text& line() noexcept {
    if (lines_.view().size() + longest_line > capacity) flush();
    return lines_;
  }

 private:
  static constexpr std::size_t capacity = 4096;

  void flush() noexcept {
    if (lines_.empty()) return;
    if (how_.report_file[0] == '\0') {
      base::write_block(lines_.view());
    } else if (const long error = base::append_block(how_.report_file, lines_.view()); error < 0) {
      base::message complaint;
      complaint << "cannot write the report to " << how_.report_file << ": "
                << strerrordesc_np(static_cast<int>(-error));
      base::say(complaint);
    }
    lines_.clear();
  }

  const base::config& how_;
  base::fixed_text<capacity> lines_;
};

struct row {
  const char* label;
  counters::value counters::*count;
};

constexpr row rows[] = {
    {"switches", &counters::switches},       {"syscalls straight", &counters::straight},
    {"syscalls parked", &counters::parked},  {"syscalls passed", &counters::passed},
    {"preemptions", &counters::preemptions}, {"polls", &counters::polls},
};

void print_row(printer& out, const row& what, const report_facts& facts, bool columns) noexcept {
  std::uint64_t sum = 0;
  for (const counters* hub : facts.hubs) sum += (hub->*what.count).read();
  base::text& line = out.line();
  line.left(what.label, label_width).right(sum, number_width);
  if (columns) {
    for (const counters* hub : facts.hubs) line.right((hub->*what.count).read(), number_width);
  }
  line << '\n';
}

void print_title(base::text& line, const report_facts& facts) noexcept {
  base::fixed_text<64> title;
  title << "weft report: " << base::head(base::last_component(facts.program), 32);
  line << title.view() << ", pid " << base::raw_syscall(SYS_getpid);
}

void print_head(printer& out, const report_facts& facts, bool columns) noexcept {
  base::text& line = out.line();
  print_title(line, facts);
  line << ", " << facts.hubs.size() << (facts.hubs.size() == 1 ? " hub\n" : " hubs\n");
  if (!columns) return;
  line.left("", label_width).right("all", number_width);
  for (std::size_t hub = 0; hub < facts.hubs.size(); ++hub) {
    base::fixed_text<16> name;
    name << "hub " << hub;
    line.right(name.view(), number_width);
  }
  line << '\n';
}

void print_sites(printer& out, const report_facts& facts) noexcept {
  std::uint64_t patched = 0;
  std::uint64_t left = 0;
  for (const patched_object& object : facts.objects) {
    patched += object.patched;
    left += object.left;
  }
  out.line().left("sites patched", label_width).right(patched, number_width) << '\n';
  out.line().left("sites left", label_width).right(left, number_width) << '\n';
  for (const patched_object& object : facts.objects) {
    base::fixed_text<label_width> name;
    name << "  " << base::head(base::last_component(object.name), label_width - 3);
    base::text& line = out.line();
    line.left(name.view(), label_width).right(object.patched, number_width);
    if (object.left != 0) line << " and " << object.left << " left";
    if (object.later) line << ", loaded later";
    line << '\n';
  }
}

}  // namespace

void write_report(const base::config& how, const report_facts& facts) noexcept {
  if (!how.report) return;
  const bool columns = facts.hubs.size() > 1 && facts.hubs.size() <= most_columns;
  printer out(how);
  if (facts.hubs.empty()) {
    base::text& line = out.line();
    print_title(line, facts);
    line << (how.groups.has(base::patch_group::thread)
                 ? ": no thread was made, so nothing was changed\n"
                 : ": threads are left out of what is patched, so nothing was changed\n");
    return;
  }
  print_head(out, facts, columns);
  print_row(out, {"threads made", &counters::threads}, facts, columns);
  out.line().left("most alive at once", label_width).right(facts.most_alive, number_width) << '\n';
  for (const row& each : rows) print_row(out, each, facts, columns);
  print_sites(out, facts);
}

}  // namespace weft::shim
