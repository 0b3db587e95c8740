// SPDX-License-Identifier: Apache-2.0
// The approvals document in OpenClaw's JSON shape: policy defaults, per-agent policy and allowlists.
// Source: exec contract sections 5.3-5.6. Pure; values; safe from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

struct AllowlistEntry {
  std::string id;       // UUID
  std::string pattern;  // path pattern, name pattern, `*`, or a generated `=command:`/`=node-command:` key
  std::optional<std::string> arg_pattern;
  bool allow_always = false;  // source "allow-always"
  std::optional<std::int64_t> last_used_at_ms;
  std::string last_used_command;
  std::string last_resolved_path;
};

struct PolicyScalars {
  std::optional<Security> security;
  std::optional<Ask> ask;
  std::optional<Security> ask_fallback;
  std::optional<bool> auto_allow_skills;
};

struct AgentPolicy {
  PolicyScalars scalars;
  std::vector<AllowlistEntry> allowlist;
};

struct CompiledPatterns;

// A parsed, normalised document together with the text it is stored as.
struct PolicyDocument {
  bool malformed = false;  // a stored text that cannot be trusted: deny everything until it is replaced
  std::string malformed_reason;
  PolicyScalars defaults;
  std::map<std::string, AgentPolicy> agents;
  OrderedJson json;  // the normalised document; `socket.token` included
  // The lists in the form in which they are looked up. Shared by copies; null in a document made by hand,
  // which is then compiled for each decision. Whoever changes `agents` afterwards calls compile_patterns
  // again.
  std::shared_ptr<const CompiledPatterns> compiled;
};

// Supplies ids for entries that have none, so that this room needs no randomness of its own.
using IdSource = std::function<std::string()>;

// Strict reading for `set` and `import`: unknown enum values and malformed entries are errors that name the
// member (code INVALID_REQUEST, message "exec approvals: agents.main.allowlist[2].pattern: ..."), nothing is
// dropped silently. Legal old spellings are normalised: string entries, agents.default, missing ids.
Result<PolicyDocument> read_document(const OrderedJson& file, const IdSource& new_id);

// `file` as upstream would have stored it: policy words that do not exist and entries without a pattern are
// left out (exec contract 5.4). For comparisons with upstream only; our own `set` refuses such documents.
OrderedJson tolerated_document(const OrderedJson& file);

// Reading of what is stored. Never fails: a text that does not satisfy the rules yields `malformed`.
PolicyDocument load_document(std::string_view raw_text, const IdSource& new_id);

// A document that denies everything; what load_document answers for a malformed text.
PolicyDocument deny_all_document(std::string reason);

// {version, defaults: allowlist/on-miss/deny, agents: {}}: the policy of a fresh install.
PolicyDocument fresh_document();

// The stored form: two-space indentation, one trailing line feed, key order of the contract (section 5.6).
std::string serialize_document(const PolicyDocument& document);

// Lower-case hex SHA-256 of the stored text. Missing row: "missing:" + SHA-256 of the empty string.
std::string document_hash(std::string_view stored_text);
std::string missing_document_hash();

// The document as a peer may see it: `socket.token` removed.
OrderedJson redacted_document(const PolicyDocument& document);

}  // namespace hostclaw::policy
