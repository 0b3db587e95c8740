// SPDX-License-Identifier: Apache-2.0
// A pattern, a line end, arguments (one a line): the translation to RE2 never fails otherwise than by saying
// so, what describes is also found, and for plain ASCII patterns the answer is that of a backtracking
// ECMAScript matcher, asked about small inputs only.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/document/arg_pattern.h"

using namespace hostclaw::policy;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// nullopt where the reference reads the pattern differently (classes, escapes of Annex B, counts).
std::optional<bool> slow_search(const std::string& pattern, const std::string& subject) {
  constexpr std::string_view kPlain = "ab01 .*+?|()^$";
  if (pattern.size() > 12 || subject.size() > 8) return std::nullopt;
  if (pattern.find_first_not_of(kPlain) != std::string::npos) return std::nullopt;
  if (subject.find_first_not_of("ab01 -\n") != std::string::npos) return std::nullopt;
  try {
    return std::regex_search(subject, std::regex(pattern, std::regex::ECMAScript | std::regex::nosubs));
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> arguments =
      hostclaw::split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  const std::string pattern = arguments.front();
  arguments.erase(arguments.begin());
  const ArgPattern compiled(pattern);
  require(compiled.ok() == compiled.problem().empty());
  const bool found = compiled.found_in(arguments);
  require(compiled.ok() || !found);
  require(!compiled.describes(arguments) || found);
  require(compiled.separated_by_nul() == (pattern.find('\0') != std::string::npos));
  if (compiled.ok() && !compiled.separated_by_nul()) {
    std::string subject;
    for (const std::string& argument : arguments)
      subject += (&argument == arguments.data() ? "" : " ") + argument;
    if (const std::optional<bool> expected = slow_search(pattern, subject)) require(found == *expected);
  }
  return 0;
}
