// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/programs/safe_bins.h"

using namespace hostclaw::policy;

namespace {

bool allowed(const std::string& name, const std::vector<std::string>& arguments,
             Strictness strictness = Strictness::kHardened) {
  const SafeBinRules* rules = built_in_safe_bin_rules(name);
  REQUIRE(rules != nullptr);
  const SafeBinCheck check = check_safe_bin_arguments(name, *rules, arguments, strictness);
  CHECK(check.ok == check.reason.empty());
  return check.ok;
}

}  // namespace

TEST_CASE("filters that read only their input are allowed") {
  CHECK(allowed("cut", {"-d:", "-f1", "-"}));
  CHECK(allowed("cut", {"-d", ":", "--fields=1,2", "--complement"}));
  CHECK(allowed("head", {"-n", "5"}));
  CHECK(allowed("head", {"-n5", "-q"}));
  CHECK(allowed("tail", {"-n", "-3"}));
  CHECK(allowed("tr", {"a-z", "A-Z"}));
  CHECK(allowed("tr", {"-d", "x"}));
  CHECK(allowed("uniq", {"-c"}));
  CHECK(allowed("wc", {"-lw"}));
  CHECK(allowed("wc", {}));
  CHECK(allowed("wc", {"--", "-"}));
  CHECK(allowed("sort", {"-k", "2", "-t", ","}));
  CHECK(allowed("grep", {"-e", "x"}));
}

TEST_CASE("anything that could name a file or run something is refused") {
  CHECK_FALSE(allowed("head", {"/etc/shadow"}));
  CHECK_FALSE(allowed("head", {"id_rsa"}));
  CHECK_FALSE(allowed("head", {"--", "/etc/passwd"}));
  CHECK_FALSE(allowed("head", {"-c", "10", "x"}));
  CHECK_FALSE(allowed("cut", {"-f1", "/etc/passwd"}));
  CHECK_FALSE(allowed("cut", {"-d", "/x"}));
  CHECK_FALSE(allowed("cut", {"-d", ""}));
  CHECK_FALSE(allowed("cut", {"-d"}));
  CHECK_FALSE(allowed("cut", {"-d", "$IFS"}));
  CHECK_FALSE(allowed("tail", {"-f"}));
  CHECK_FALSE(allowed("tail", {"--follow=name"}));
  CHECK_FALSE(allowed("tr", {}));
  CHECK_FALSE(allowed("tr", {"a", "b", "c"}));
  CHECK_FALSE(allowed("tr", {"[a-z]", "x"}));
  CHECK_FALSE(allowed("wc", {"--files0-from=/x"}));
  CHECK_FALSE(allowed("wc", {"--files0-from", "/x"}));
  CHECK_FALSE(allowed("wc", {"--bytes=1"}));
  CHECK_FALSE(allowed("wc", {"-x"}));
  CHECK_FALSE(allowed("uniq", {"a", "b"}));
  CHECK_FALSE(allowed("sort", {"--compress-program=sh"}));
  CHECK_FALSE(allowed("sort", {"--compress-prog=sh"}));
  CHECK_FALSE(allowed("sort", {"-o", "x"}));
  CHECK_FALSE(allowed("sort", {"-T", "x"}));
  CHECK_FALSE(allowed("grep", {"-r", "x"}));
  CHECK_FALSE(allowed("grep", {"-e", "x", "file"}));
}

TEST_CASE("an option with an optional value never swallows an operand") {
  // coreutils reads the element after --group as its input file, and the next one as its output.
  for (const Strictness strictness : {Strictness::kHardened, Strictness::kOfficial}) {
    CHECK_FALSE(allowed("uniq", {"--group", "in"}, strictness));
    CHECK_FALSE(allowed("uniq", {"--group", "in", "--group", "out"}, strictness));
    CHECK_FALSE(allowed("uniq", {"--group=append"}, strictness));
  }
}

TEST_CASE("abbreviated options are refused unless the official tolerance is on") {
  CHECK_FALSE(allowed("head", {"--line=3"}));
  CHECK(allowed("head", {"--line=3"}, Strictness::kOfficial));
  CHECK_FALSE(allowed("head", {"--z=3"}, Strictness::kOfficial));
}

TEST_CASE("tools whose programs read files stay refused with any rules") {
  const SafeBinRules rules = configured_safe_bin_rules(std::nullopt, std::nullopt, {}, {});
  for (const char* name : {"jq", "awk", "gawk", "mawk", "nawk", "sed", "gsed"}) {
    CHECK_FALSE(check_safe_bin_arguments(name, rules, {}, Strictness::kOfficial).ok);
  }
}

TEST_CASE("a configured profile allows value flags and positionals only") {
  const SafeBinRules rules = configured_safe_bin_rules(1, 2, {"width", "-w"}, {"o"});
  const auto check = [&](const std::vector<std::string>& arguments) {
    return check_safe_bin_arguments("fmt", rules, arguments, Strictness::kHardened).ok;
  };
  CHECK(check({"--width", "3", "x"}));
  CHECK(check({"-w3", "x", "y"}));
  CHECK_FALSE(check({}));
  CHECK_FALSE(check({"x", "y", "z"}));
  CHECK_FALSE(check({"-o", "x"}));
  CHECK_FALSE(check({"-q", "x"}));
}

TEST_CASE("only files directly in a trusted directory count") {
  const std::vector<std::string> configured = {"/opt/tools/"};
  CHECK(is_in_trusted_directory("/usr/bin/head", configured));
  CHECK(is_in_trusted_directory("/bin/head", configured));
  CHECK(is_in_trusted_directory("/opt/tools/head", configured));
  CHECK_FALSE(is_in_trusted_directory("/usr/bin/x/head", configured));
  CHECK_FALSE(is_in_trusted_directory("/tmp/head", configured));
  CHECK_FALSE(is_in_trusted_directory("/head", configured));
  CHECK_FALSE(is_in_trusted_directory("head", configured));
}
