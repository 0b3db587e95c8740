// SPDX-License-Identifier: Apache-2.0
// What a decision is made in: the settings of the node's owner, the machine, what a person has answered.
// Plain values; safe from any thread as long as nobody changes them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "policy/model/execution_plan.h"
#include "policy/model/file_probe.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

class RuleSet;  // policy/rules/rules.h

// A safe-bin profile that the owner configured (exec contract 9.1).
struct SafeBinProfile {
  std::optional<int> min_positional;
  std::optional<int> max_positional;
  std::vector<std::string> allowed_value_flags;
  std::vector<std::string> denied_flags;
};

// The node owner's own settings: they bound what the document (which a gateway may edit) can say.
struct EngineSettings {
  Strictness strictness = Strictness::kHardened;
  // Used where the document is silent.
  Security fallback_security = Security::kAllowlist;
  Ask fallback_ask = Ask::kOnMiss;
  Security fallback_ask_fallback = Security::kDeny;
  // The owner's ceiling and floor: effective security = min(document, limit), ask = max(document, floor).
  Security security_limit = Security::kFull;
  Ask ask_floor = Ask::kOff;
  bool strict_inline_eval = false;
  // nullopt: OpenClaw's default list (cut uniq head tail tr wc); empty: none.
  std::optional<std::vector<std::string>> safe_bins;
  std::map<std::string, SafeBinProfile> safe_bin_profiles;
  std::vector<std::string> safe_bin_trusted_dirs;
  // (name, real path) pairs that the gateway lists as skill binaries; used only with autoAllowSkills.
  std::vector<std::pair<std::string, std::string>> skill_bins;
  // The owner's own rules; deny > ask > allow, whatever their order.
  std::shared_ptr<const RuleSet> rules;
  // What holds where a text hides whether a deny or ask rule applies (RULE_NOT_EXCLUDED).
  RuleEffect rule_doubt = RuleEffect::kAsk;
  // What the rules, the lists or the analysis would ask about or refuse runs all the same, and
  // RunEvaluation::would_have says what it would have been. security=deny, a malformed policy, malformed
  // requests and what cannot be bound to a file stay refused.
  bool observe = false;
};

// What a node keeps of a plan that it prepared itself, found again by plan_key when the plan comes back. It
// stands in for what a gateway drops (policySnapshot), and it knows which words the caller had written, which
// a plan with resolved paths no longer shows. It grants nothing: the command is judged again.
struct RememberedPlan {
  Json policy_snapshot;                    // null: none
  bool listed = false;                     // this node's own evaluation allowed the command without approval
  std::vector<std::string> command_words;  // as the caller wrote them, one per command of the plan
  std::vector<std::string> programs;       // the real file that each of them led to; empty for builtins
  // The content of its only program, where the words of the plan are names and its user can change the file.
  std::optional<PlanOperand> program_content;
  bool leads_to_same(const RememberedPlan& other) const {
    return programs == other.programs && program_content == other.program_content;
  }
};

// What has become of a question that this node asked a person itself about the very request (or of a standing
// grant that covers it). Nothing here overrides a denial by policy or rule.
enum class LocalAnswer {
  kNone,
  kGranted,     // a person allowed this very request
  kCovered,     // a standing grant covers it: nobody saw this request, so its variables are filtered
  kDenied,      // a person said no
  kUnanswered,  // nobody answered in time: askFallback decides
  kChanged,     // allowed, but what would run now is not what was asked about
};

// The file of the running program, for requests that would use it on itself (self_guard.h).
struct OwnProgram {
  std::string path;  // real path, as policy/ writes paths
  FileIdentity identity;
};

struct EngineContext {
  Platform platform = Platform::kPosix;
  EngineSettings settings;
  Environment host_environment;  // of the host process, unfiltered
  std::string host_cwd;          // absolute
  std::string home;              // for `~`
  bool running_as_root = false;
  FileProbe* files = nullptr;  // never null
  // Of the plan that comes with the request, or null. For `system.run` only.
  const RememberedPlan* remembered = nullptr;
  // The gateway is of the 2026.4 generation: it sends no `security`/`ask` with prepare and drops
  // policySnapshot.
  bool older_peer = false;
  // For `system.run` only.
  LocalAnswer answer = LocalAnswer::kNone;
  // Milliseconds since the epoch, for rules that expire; nullopt: no clock.
  std::optional<std::int64_t> now_ms;
  // sanitized_environment(host_environment, platform), made once per process; null: made for each decision.
  const Environment* child_environment = nullptr;
  // Null: this program is known by its name alone.
  const OwnProgram* own_program = nullptr;
};

struct MatchedEntry {
  std::string agent;  // key under `agents`: the agent id or "*"
  std::string pattern;
  std::optional<std::string> arg_pattern;
  std::string resolved_path;
};

// An allow-always grant that becomes part of the document if the run is committed (exec contract 7.6).
struct GrantToStore {
  std::string pattern;
  std::optional<std::string> arg_pattern;
};

}  // namespace hostclaw::policy
