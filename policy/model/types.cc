// SPDX-License-Identifier: Apache-2.0
#include "policy/model/types.h"

namespace hostclaw::policy {

std::string_view to_string(Security value) {
  switch (value) {
    case Security::kDeny:
      return "deny";
    case Security::kAllowlist:
      return "allowlist";
    case Security::kFull:
      return "full";
  }
  return "deny";
}

std::string_view to_string(Ask value) {
  switch (value) {
    case Ask::kOff:
      return "off";
    case Ask::kOnMiss:
      return "on-miss";
    case Ask::kAlways:
      return "always";
  }
  return "always";
}

std::string_view to_string(Strictness value) {
  return value == Strictness::kHardened ? "hardened" : "official";
}

std::string_view to_string(Verdict value) {
  switch (value) {
    case Verdict::kAllow:
      return "allow";
    case Verdict::kAsk:
      return "ask";
    case Verdict::kDeny:
      return "deny";
    case Verdict::kInvalid:
      return "invalid";
  }
  return "deny";
}

std::optional<Security> security_from(std::string_view text) {
  if (text == "deny") return Security::kDeny;
  if (text == "allowlist") return Security::kAllowlist;
  if (text == "full") return Security::kFull;
  return std::nullopt;
}

std::optional<Ask> ask_from(std::string_view text) {
  if (text == "off") return Ask::kOff;
  if (text == "on-miss") return Ask::kOnMiss;
  if (text == "always") return Ask::kAlways;
  return std::nullopt;
}

std::optional<Strictness> strictness_from(std::string_view text) {
  if (text == "hardened") return Strictness::kHardened;
  if (text == "official") return Strictness::kOfficial;
  return std::nullopt;
}

std::string_view to_string(RuleEffect value) {
  switch (value) {
    case RuleEffect::kDeny:
      return "deny";
    case RuleEffect::kAsk:
      return "ask";
    case RuleEffect::kAllow:
      return "allow";
  }
  return "deny";
}

std::optional<RuleEffect> rule_effect_from(std::string_view text) {
  if (text == "deny") return RuleEffect::kDeny;
  if (text == "ask") return RuleEffect::kAsk;
  if (text == "allow") return RuleEffect::kAllow;
  return std::nullopt;
}

}  // namespace hostclaw::policy
