// SPDX-License-Identifier: Apache-2.0
// The argv that was judged is the argv that runs, byte for byte.
#include <random>

#include "run_support.h"

namespace hostclaw::node_host {
namespace {

constexpr int kLists = 2000;

// Any bytes but NUL; empty ones, newlines, quotes, ill-formed UTF-8 and option-like words more often than
// chance would have them.
std::string any_argument(std::mt19937& random) {
  static const std::vector<std::string> special = {"",
                                                   "\n",
                                                   "\n\n",
                                                   " ",
                                                   "-",
                                                   "--",
                                                   "-c",
                                                   "'",
                                                   "\"",
                                                   "\\",
                                                   "$0",
                                                   "$(id)",
                                                   "`id`",
                                                   "*",
                                                   "a\xff\xfe",
                                                   "\xc3",
                                                   "\x80",
                                                   "\xed\xa0\x80",
                                                   "\r\n",
                                                   "\t",
                                                   "\x01\x7f",
                                                   "=",
                                                   "A=b",
                                                   "\xf0\x9f\x98\x80",
                                                   "\xef\xbb\xbf",
                                                   ";",
                                                   "|",
                                                   "&&",
                                                   "~"};
  if (random() % 3 == 0) return special[random() % special.size()];
  std::string text(random() % (random() % 50 == 0 ? 5000 : 24), '\0');
  for (char& byte : text) byte = static_cast<char>(1 + random() % 255);
  return text;
}

std::string in_hex(const std::vector<std::string>& argv) {
  std::string lines;
  for (const std::string& argument : argv) {
    for (const char byte : argument) {
      static const char* digits = "0123456789abcdef";
      lines += digits[static_cast<unsigned char>(byte) >> 4];
      lines += digits[static_cast<unsigned char>(byte) & 15];
    }
    lines += '\n';
  }
  return lines;
}

TEST_CASE("two thousand generated argument lists arrive byte for byte") {
  constexpr unsigned seed = 20'260'906;
  std::mt19937 random(seed);
  Harness harness;
  for (int i = 0; i < kLists; ++i) {
    // The mode of the test program is told by its environment: every element is the generator's.
    std::vector<std::string> argv(1 + random() % 8);
    for (std::string& argument : argv) argument = any_argument(random);
    if (argv.front().empty()) argv.front() = "name";
    ExecutionPlan whole = plan(command(test_child(), argv));
    whole.environment.emplace_back("TEST_CHILD_MODE", "hex");
    const RunOutcome outcome = harness.run(std::move(whole));
    INFO("seed " << seed << ", list " << i);
    REQUIRE(outcome.launch_error.empty());
    REQUIRE(outcome.standard_output.text == in_hex(argv));
  }
}

TEST_CASE("argv[0] is kept for programs that look at their own name") {
  Harness harness;
  TemporaryDirectory directory;
  // One program under two names, as busybox has it.
  for (const char* name : {"first", "second"}) {
    const auto link = directory.link(name, test_child());
    ExecutionPlan whole = plan(command(test_child(), {link, "x"}));
    whole.environment.emplace_back("TEST_CHILD_MODE", "hex");
    CHECK(harness.run(std::move(whole)).standard_output.text == in_hex({link, "x"}));
    ExecutionPlan by_name = plan(command(test_child(), {name, "x"}));
    by_name.environment.emplace_back("TEST_CHILD_MODE", "hex");
    CHECK(harness.run(std::move(by_name)).standard_output.text == in_hex({name, "x"}));
  }
}

TEST_CASE("a link as virtual environments make it is what the program sees as its name") {
  Harness harness;
  TemporaryDirectory directory;
  directory.make_directory("venv/bin");
  const auto link = directory.link("venv/bin/python", test_child());
  ExecutionPlan whole = plan(command(link, {link, "-V"}));
  whole.environment.emplace_back("TEST_CHILD_MODE", "hex");
  CHECK(harness.run(std::move(whole)).standard_output.text == in_hex({link, "-V"}));
}

}  // namespace
}  // namespace hostclaw::node_host
