// SPDX-License-Identifier: MIT
#include "shim/cli/help.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>
#include <utility>

namespace weft::shim::cli {
namespace {

class usage_formatter : public CLI::Formatter {
 public:
  explicit usage_formatter(std::string usage) : usage_(std::move(usage)) { column_width(indent); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }
  // CLI11 adds the kind and the number of values; the placeholder says it all.
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
  // CLI11 indents what stands behind a newline, but makes none itself.
  std::string make_option_desc(const CLI::Option* option) const override {
    std::istringstream words(option->get_description());
    std::string text;
    std::size_t column = 0;
    for (std::string word; words >> word; column += word.size() + 1) {
      if (column + word.size() > screen_width - indent) {
        text += '\n';
        column = 0;
      } else if (column != 0) {
        text += ' ';
      }
      text += word;
    }
    return text;
  }

 private:
  static constexpr std::size_t screen_width = 96;
  static constexpr std::size_t indent = 24;

  std::string usage_;
};

}  // namespace

void set_up(CLI::App& app, const std::string& usage) {
  app.formatter(std::make_shared<usage_formatter>(usage));
  app.set_help_flag("-h,--help", "print this and exit");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

int parse(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    std::cerr << app.get_name() << ": " << error.what() << "; see " << app.get_name() << " --help\n";
    return 2;
  }
  return -1;
}

}  // namespace weft::shim::cli
