// SPDX-License-Identifier: Apache-2.0
// The vocabulary of a decision. OpenClaw's words keep OpenClaw's spelling on the wire.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/model/decision_codes.h"

namespace hostclaw::policy {

enum class Security { kDeny, kAllowlist, kFull };  // strictest first
enum class Ask { kOff, kOnMiss, kAlways };         // strictest last
enum class RuleEffect { kDeny, kAsk, kAllow };     // of a rule of the owner; strictest first
enum class Platform { kPosix, kWindows };

// `hardened` also asks for what is listed but carries other code to run; `official` keeps upstream's
// tolerance there. Neither ever allows text that was not understood.
enum class Strictness { kHardened, kOfficial };

enum class Verdict {
  kAllow,
  kAsk,  // a human must decide; on the wire this is a denial with reason approval-required
  kDeny,
  kInvalid,  // the request itself is malformed; nothing was decided
};

std::string_view to_string(Security value);    // deny | allowlist | full
std::string_view to_string(Ask value);         // off | on-miss | always
std::string_view to_string(Strictness value);  // hardened | official
std::string_view to_string(RuleEffect value);  // deny | ask | allow
std::string_view to_string(Verdict value);     // allow | ask | deny | invalid
std::optional<Security> security_from(std::string_view text);
std::optional<Ask> ask_from(std::string_view text);
std::optional<RuleEffect> rule_effect_from(std::string_view text);
std::optional<Strictness> strictness_from(std::string_view text);

// Why a request is allowed, asked about or refused. A normal value, never an exception. What a peer is told
// of it is made at its door.
struct Decision {
  Verdict verdict = Verdict::kDeny;
  DecisionCode code = DecisionCode::kNone;
  std::string_view layer;                // who decided, see DecisionLayer
  Reason reason = Reason::kNone;         // which of the code's ways, where it has several
  std::vector<std::string> names;        // what it is about: members, variables; may be empty
  std::vector<std::string> other_names;  // see Reason::kVariableRefused
  std::string detail;                    // the option that carries code, or the rule in doubt; may be empty
  std::string explanation;               // one sentence for a human, e.g. which segment missed
  std::string next;                      // the next command to type, or empty

  // Both members at once, so that they never disagree.
  void set_code(DecisionCode which) {
    code = which;
    layer = to_string(layer_of(which));
  }
};

// One line of the trace, written by the code that decides, in the order it decided.
struct TraceStep {
  std::string stage;  // origin | request | policy | analyse | resolve | match | decide | bind
  std::string text;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

}  // namespace hostclaw::policy
