// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_output.h"

#include <catch2/catch.hpp>

namespace hostclaw::node_host {
namespace {

constexpr auto kOut = Stream::kStandardOutput;
constexpr auto kErr = Stream::kStandardError;
constexpr const char* kSuffix = "\n... (truncated)";

RunOutcome captured(std::uint64_t limit, std::initializer_list<std::pair<Stream, std::string>> pieces) {
  OutputCapture capture(OutputLimits{limit, {}});
  for (const auto& [stream, bytes] : pieces) capture.append(stream, bytes);
  RunOutcome outcome;
  capture.finish(outcome);
  return outcome;
}

TEST_CASE("output below the cap is kept as it is") {
  const auto outcome = captured(10, {{kOut, "abc"}, {kErr, "de"}, {kOut, "f"}});
  CHECK(outcome.standard_output.text == "abcf");
  CHECK(outcome.standard_error.text == "de");
  CHECK(outcome.standard_output.total_bytes == 4);
  CHECK(outcome.standard_output.kept_bytes == 4);
  CHECK(outcome.standard_output.dropped_bytes == 0);
  CHECK_FALSE(outcome.truncated);
}

TEST_CASE("output of exactly the cap is not truncated") {
  const auto outcome = captured(4, {{kOut, "abcd"}});
  CHECK(outcome.standard_output.text == "abcd");
  CHECK_FALSE(outcome.truncated);
}

TEST_CASE("both streams share the cap in the order they arrive") {
  const auto outcome = captured(5, {{kOut, "abc"}, {kErr, "def"}, {kOut, "g"}});
  CHECK(outcome.standard_output.text == "abc");
  CHECK(outcome.standard_error.text == std::string("de") + kSuffix);
  CHECK(outcome.standard_error.kept_bytes == 2);
  CHECK(outcome.standard_error.dropped_bytes == 1);
  CHECK(outcome.standard_output.total_bytes == 4);
  CHECK(outcome.standard_output.dropped_bytes == 1);
  CHECK(outcome.truncated);
}

TEST_CASE("the suffix goes to stdout when stderr is blank") {
  const auto outcome = captured(4, {{kErr, " \n"}, {kOut, "abcd"}});
  CHECK(outcome.standard_output.text == std::string("ab") + kSuffix);
  CHECK(outcome.standard_error.text == " \n");
}

TEST_CASE("an incomplete character at the cut is removed and counted as dropped") {
  const auto outcome = captured(4, {{kOut, "ab\xE2\x82\xAC"}});  // a, b, euro sign
  CHECK(outcome.standard_output.text == std::string("ab") + kSuffix);
  CHECK(outcome.standard_output.kept_bytes == 2);
  CHECK(outcome.standard_output.dropped_bytes == 3);
  CHECK(outcome.standard_output.replaced == 0);
}

TEST_CASE("a complete character at the cut stays") {
  const auto outcome = captured(5, {{kOut, "ab\xE2\x82\xACz"}});
  CHECK(outcome.standard_output.text == std::string("ab\xE2\x82\xAC") + kSuffix);
}

TEST_CASE("bytes at the cut that begin no character are shown") {
  const auto outcome = captured(3, {{kOut,
                                     "ab\xFF"
                                     "cd"}});
  CHECK(outcome.standard_output.text == std::string("ab\xEF\xBF\xBD") + kSuffix);
  CHECK(outcome.standard_output.replaced == 1);
}

TEST_CASE("a surrogate prefix at the cut is shown, for it cannot become a character") {
  const auto outcome = captured(4, {{kOut, "ab\xED\xA0\x80"}});
  CHECK(outcome.standard_output.text == std::string("ab\xEF\xBF\xBD\xEF\xBF\xBD") + kSuffix);
}

TEST_CASE("a character that arrives in pieces is whole") {
  const auto outcome = captured(100, {{kOut, "\xE2"}, {kErr, "x"}, {kOut, "\x82\xAC"}});
  CHECK(outcome.standard_output.text == "\xE2\x82\xAC");
}

TEST_CASE("a cap of zero keeps nothing and says so") {
  const auto outcome = captured(0, {{kOut, "abc"}});
  CHECK(outcome.standard_output.text == kSuffix);
  CHECK(outcome.standard_output.dropped_bytes == 3);
}

TEST_CASE("a result in the last line of a cut stdout is whole, and the cap holds all the same") {
  const std::string result = "OPENCLAW_RESULT_JSON:{\"ok\":true}";
  const auto with_result = [&](const std::string& behind) {
    return captured(100, {{kOut, std::string(150, 'x') + "\n"},
                          {kOut, result.substr(0, 7)},
                          {kOut, result.substr(7) + behind}});
  };
  for (const char* behind : {"", "\n", "\r\n", "\n \n\n"}) {
    const auto outcome = with_result(behind);
    INFO(outcome.standard_output.text);
    CHECK(outcome.standard_output.text ==
          std::string(100 - result.size(), 'x') + kSuffix + "\n" + result + "\n");
    CHECK(outcome.standard_output.kept_bytes == 100);
    CHECK(outcome.standard_output.kept_bytes + outcome.standard_output.dropped_bytes ==
          outcome.standard_output.total_bytes);
    CHECK(outcome.truncated);
  }
  // Something came after it.
  CHECK(with_result("\nend\n").standard_output.text == std::string(100, 'x') + kSuffix);
}

TEST_CASE("a result is kept beside a stderr that has used the cap up") {
  const std::string result = "OPENCLAW_RESULT_JSON:{}";
  const auto outcome = captured(60, {{kErr, std::string(80, 'e')}, {kOut, "log\n" + result + "\n"}});
  CHECK(outcome.standard_output.text == std::string(kSuffix) + "\n" + result + "\n");
  CHECK(outcome.standard_error.text == std::string(60 - result.size(), 'e') + kSuffix);
}

TEST_CASE("a line that is no result, is too long for one or was not cut is treated as before") {
  CHECK(captured(10, {{kOut, "0123456789abc\nRESULT:{}\n"}}).standard_output.text ==
        std::string("0123456789") + kSuffix);
  const std::string is_long = "OPENCLAW_RESULT_JSON:" + std::string(60, 'x');
  CHECK(captured(100, {{kOut, std::string(100, 'y') + "\n" + is_long}}).standard_output.text ==
        std::string(100, 'y') + kSuffix);
  CHECK(captured(100, {{kOut, "a\nOPENCLAW_RESULT_JSON:{}\n"}}).standard_output.text ==
        "a\nOPENCLAW_RESULT_JSON:{}\n");
}

}  // namespace
}  // namespace hostclaw::node_host
