// SPDX-License-Identifier: Apache-2.0
// The verbs of this program's own command line, and what a run of the node may do with each. The command line
// and the decision both go by this one table; a test compares it with the verbs that there are. What is not
// in it is not for a run.
//
// Pure; safe from any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policy/model/decision_codes.h"

namespace hostclaw::policy {

// The name by which this program is this program; links with other names are HostLink's and ClawLink's.
inline constexpr std::string_view kOwnName = "hostclaw";

// What a verb does, seen from a run of the node; the stricter, the later.
enum class VerbUse {
  kReads,         // shows texts, policy, state of the node: nothing about what anybody ran
  kReadsOwnRuns,  // shows runs; to a run its own only
  kReadsOthers,   // shows what others ran, were asked or allowed: not for a run
  kChanges,       // changes policy, answers, grants, keys, record or service, or starts a node: not for a run
};

std::string_view to_string(VerbUse value);  // reads | own-runs | reads-others | changes

inline bool is_for_runs(VerbUse use) { return use == VerbUse::kReads || use == VerbUse::kReadsOwnRuns; }

struct OwnVerb {
  std::string_view words;  // "approvals allowlist add"
  VerbUse use;
};

std::span<const OwnVerb> own_verbs();
// Exactly this verb; `words` as in the table. Null: not declared.
const OwnVerb* find_own_verb(std::string_view words);

// The first word of a declared verb; a cheap question.
bool begins_own_command(std::string_view word);

struct OwnCommand {
  VerbUse use = VerbUse::kChanges;
  const OwnVerb* verb = nullptr;  // null: none that is declared
};
// What `words`, the command line behind the program's name, would do. A verb has to stand first, word for
// word; what cannot be read so changes something, unless it only asks for help. Of a verb that has others
// below it (runs, runs cancel) the strictest counts that any word names.
OwnCommand read_own_command(std::span<const std::string> words);

// The refusal's code: SELF_POLICY for what changes something, SELF_PRIVATE for what shows others' runs.
DecisionCode self_code(VerbUse use);

}  // namespace hostclaw::policy
