// SPDX-License-Identifier: Apache-2.0
// `argPattern`: an ECMAScript regular expression without flags, matched by RE2 in linear time (exec
// contract 7.4, 17.2). The pattern is translated, so that classes, `.`, escapes and code units mean what they
// mean there. What cannot be translated faithfully (look-around, back references, counts above 1000) never
// matches and says why. Safe from any thread once made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace hostclaw::policy {

class ArgPattern {
 public:
  explicit ArgPattern(std::string_view pattern);
  ~ArgPattern();
  ArgPattern(ArgPattern&&) noexcept;
  ArgPattern& operator=(ArgPattern&&) noexcept;

  bool ok() const { return problem_.empty(); }
  const std::string& problem() const { return problem_; }  // one sentence when not ok
  // True when each argument is seen followed by NUL instead of all joined by spaces.
  bool separated_by_nul() const { return nul_; }

  // Searched anywhere, as upstream does.
  bool found_in(const std::vector<std::string>& arguments) const;
  // The pattern must describe all of the arguments, and they must not be mistakable for others: hardened.
  bool describes(const std::vector<std::string>& arguments) const;

 private:
  std::string problem_;
  bool nul_ = false;
  std::unique_ptr<re2::RE2> expression_;
};

// The RE2 spelling of an ECMAScript pattern over the texts of `to_code_unit_text`; empty `problem` on
// success.
std::string translate_ecmascript(std::string_view pattern, std::string& problem);

// UTF-8 in which every character outside the Basic Multilingual Plane is written as two private characters,
// one per UTF-16 code unit. A pattern without the `u` flag sees such a character as two.
std::string to_code_unit_text(std::string_view text);

}  // namespace hostclaw::policy
