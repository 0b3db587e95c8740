// SPDX-License-Identifier: Apache-2.0
// The glob of allowlist patterns (exec contract 7.3): whole string, `**` any characters, `*` any run without
// `/`,
// `?` one UTF-16 code unit other than `/`, everything else literal. Time is bounded by length of pattern ×
// length of subject; there is no backtracking, so no pattern can stall the host (17.2). Safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::policy {

class Glob {
 public:
  explicit Glob(std::string_view pattern);

  bool matches(std::string_view subject) const;
  bool has_wildcard() const { return wildcard_; }
  const std::string& source() const { return source_; }
  // What every match begins and ends with; the whole pattern when there is no wildcard.
  const std::string& literal_prefix() const { return prefix_; }
  const std::string& literal_suffix() const { return suffix_; }

 private:
  enum class Kind : std::uint8_t { kLiteral, kOne, kRun, kAny };
  struct Token {
    Kind kind;
    char16_t unit;
  };

  bool matches_units(const std::u16string& subject) const;

  std::string source_;
  std::vector<Token> tokens_;
  std::string prefix_;
  std::string suffix_;
  bool wildcard_ = false;
};

// UTF-16 code units of a UTF-8 text; ill-formed bytes become one private unit each, so that they stay
// distinct from every character.
std::u16string to_utf16_units(std::string_view text);

}  // namespace hostclaw::policy
