// SPDX-License-Identifier: Apache-2.0
// Which policy applies to a request: agent over wildcard over defaults over the node owner's settings, then
// bounded by the owner's limits. Exec contract 5.5, 11.5. Pure; safe from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "policy/document/document.h"
#include "policy/document/pattern_index.h"
#include "policy/model/engine_context.h"

namespace hostclaw::policy {

struct AgentList {
  std::string agent;  // key under `agents`
  const std::vector<AllowlistEntry>* entries = nullptr;
  const PatternIndex* index = nullptr;
};

struct EffectivePolicy {
  Security security = Security::kDeny;
  Ask ask = Ask::kAlways;
  Security ask_fallback = Security::kDeny;
  bool auto_allow_skills = false;
  // What the document alone says, with upstream's fallbacks; this is what a plan's snapshot records.
  Security document_security = Security::kDeny;
  Ask document_ask = Ask::kAlways;
  std::vector<AgentList> lists;  // wildcard first
  // Who decided, for the trace: e.g. "agents.main", "defaults", "node setting".
  std::string security_source;
  std::string ask_source;
  // Keeps `lists` alive when the document was not compiled.
  std::shared_ptr<const CompiledPatterns> compiled;
};

// `agent_id` empty: none was given. Hardened then takes the strictest value of all agents (17.5 item 8).
EffectivePolicy resolve_policy(const PolicyDocument& document, const std::string& agent_id,
                               const EngineSettings& settings, Platform platform);

// {security, ask, askFallback, autoAllowSkills} with the owner's settings folded in.
Json resolved_defaults(const PolicyDocument& document, const EngineSettings& settings);

// {security, ask, askFallback, autoAllowSkills, allowlistRules}: order-independent.
Json policy_snapshot(const EffectivePolicy& policy);
// True when `value` has the members of a snapshot with values of the right kinds.
bool is_policy_snapshot(const Json& value);
// Same scalars, and every rule of `expected` still there (or meanwhile allow-always).
bool is_snapshot_current(const Json& expected, const EffectivePolicy& policy);

}  // namespace hostclaw::policy
