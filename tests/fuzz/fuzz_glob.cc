// SPDX-License-Identifier: Apache-2.0
// A pattern, a line end, a subject: the automaton and the index of a list agree with the obvious reading of
// the grammar, which is exponential and therefore asked about small inputs only.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/document/glob.h"
#include "policy/document/pattern_index.h"

using namespace hostclaw::policy;

namespace {

constexpr std::size_t kMaxSlowPattern = 10;
constexpr std::size_t kMaxSlowSubject = 16;

void require(bool condition) {
  if (!condition) std::abort();
}

bool slow_match(std::u16string_view pattern, std::u16string_view subject) {
  if (pattern.empty()) return subject.empty();
  if (pattern[0] == u'*') {
    const bool any = pattern.size() > 1 && pattern[1] == u'*';
    for (std::size_t i = 0; i <= subject.size(); ++i) {
      if (slow_match(pattern.substr(any ? 2 : 1), subject.substr(i))) return true;
      if (i < subject.size() && subject[i] == u'/' && !any) return false;
    }
    return false;
  }
  if (subject.empty()) return false;
  if (pattern[0] == u'?' ? subject[0] == u'/' : pattern[0] != subject[0]) return false;
  return slow_match(pattern.substr(1), subject.substr(1));
}

// The index finds a name exactly when some pattern of the list matches it.
void check_list(const std::vector<std::string>& lines) {
  const std::string& subject = lines.back();
  if (subject.empty()) return;
  std::vector<AllowlistEntry> entries;
  bool expected = false;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    // Without these it is a pattern about the name; blank ends are trimmed, which is not the question here.
    if (lines[i].empty() || lines[i].find_first_of("/\\~") != std::string::npos) continue;
    if (hostclaw::trim(lines[i]).size() != lines[i].size()) continue;
    AllowlistEntry entry;
    entry.pattern = lines[i];
    entries.push_back(entry);
    expected = expected || lines[i] == "*" || Glob(lines[i]).matches(subject);
  }
  const std::vector<std::string> arguments;
  PatternQuery query;
  query.name = subject;
  query.arguments = &arguments;
  require(PatternIndex(entries, Platform::kPosix).find(query).has_value() == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string> lines =
      hostclaw::split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  const Glob glob(lines.front());
  require(glob.matches(lines.front()) || glob.has_wildcard());
  for (const std::string& subject : lines) {
    const bool matches = glob.matches(subject);
    require(!matches ||
            (subject.starts_with(glob.literal_prefix()) && subject.ends_with(glob.literal_suffix())));
    const std::u16string pattern_units = to_utf16_units(lines.front());
    const std::u16string subject_units = to_utf16_units(subject);
    if (pattern_units.size() <= kMaxSlowPattern && subject_units.size() <= kMaxSlowSubject)
      require(matches == slow_match(pattern_units, subject_units));
  }
  check_list(lines);
  return 0;
}
