// SPDX-License-Identifier: Apache-2.0
// What a caller sends is read in time that grows with its length: eight times the text takes about eight
// times as long. A quadratic reader takes sixty-four times.
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>

#include "policy/decide/command_analysis.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

constexpr std::size_t kSmall = 1'500;
constexpr double kMostRatio = 28;
// Below it a measurement says nothing.
constexpr double kLeastSeconds = 0.002;

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += piece;
  return out;
}

// Of the first of three tries that says so: other work on the machine can only add.
bool grows_linearly(std::size_t small, const std::function<void(std::size_t)>& work) {
  const auto seconds = [&](std::size_t size) {
    const auto begin = std::chrono::steady_clock::now();
    work(size);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  for (int attempt = 0; attempt < 3; ++attempt) {
    const double few = std::max(kLeastSeconds, seconds(small));
    if (seconds(8 * small) < few * kMostRatio) return true;
  }
  return false;
}

TEST_CASE("cost: the time of a decision grows with the text, not with its square") {
  Machine machine;
  machine.files.add_file("/usr/bin/sudo", "x", true);
  machine.context.settings.rules = std::make_shared<const RuleSet>(starter_rules());
  machine.context.settings.strict_inline_eval = true;
  const char* piece =
      GENERATE("security audit ", "security ", "git ", "python3 ", "docker system ", "[", "$((", "${x", "`",
               "{a,", "<<a ", "'", "\\\n", "(", "x=y ", "hostclaw x ", "a\n", "$(", "git;", "| sh ");
  CAPTURE(piece);
  const bool full = GENERATE(true, false);
  machine.policy(full ? "full" : "allowlist", "on-miss");
  CHECK(grows_linearly(kSmall, [&](std::size_t bytes) {
    machine.run({"sh", "-c", "echo " + repeated(piece, bytes)});
  }));
  CHECK(grows_linearly(kSmall, [&](std::size_t bytes) {
    machine.run({"sudo", "sh", "-c", repeated(piece, bytes)});
  }));
}

TEST_CASE("cost: the time of a decision grows with the words, not with their square") {
  Machine machine;
  machine.files.add_file("/usr/bin/sudo", "x", true);
  machine.context.settings.rules = std::make_shared<const RuleSet>(starter_rules());
  machine.policy("full", "off");
  const char* word = GENERATE("git", "nice", "env", "sh", "-c", "x=y", "hostclaw");
  const char* first = GENERATE("sudo", "env", "nice", "find", "git");
  CAPTURE(word, first);
  CHECK(grows_linearly(250, [&](std::size_t count) {
    std::vector<std::string> argv(count, word);
    argv.front() = first;
    machine.run(argv);
  }));
}

}  // namespace
}  // namespace hostclaw::policy
