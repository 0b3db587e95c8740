// SPDX-License-Identifier: Apache-2.0
// Any bytes as a stored approvals document: reading never fails otherwise than by denying, what is accepted
// is stored in a form that reads back as itself, and a peer never sees the socket's token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/decide/engine.h"
#include "policy/document/document.h"
#include "policy/document/effective_policy.h"
#include "policy/document/pattern_index.h"
#include "policy/lint/lint.h"

using namespace hostclaw;
using namespace hostclaw::policy;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

IdSource counted_ids() {
  return [count = 0]() mutable { return "id-" + std::to_string(++count); };
}

void check_accepted(const PolicyDocument& document) {
  const std::string stored = serialize_document(document);
  const PolicyDocument again = load_document(stored, counted_ids());
  require(!again.malformed);
  require(serialize_document(again) == stored);
  require(document_hash(stored).size() == 64);
  require(again.agents.size() == document.agents.size());
  const OrderedJson shown = redacted_document(document);
  require(!shown.contains("socket") || !shown["socket"].contains("token"));
  for (const PatternProblem& problem : pattern_problems(document)) require(!problem.reason.empty());
  for (const auto& [name, agent] : document.agents) {
    for (const AllowlistEntry& entry : agent.allowlist) require(!entry.pattern.empty() && !entry.id.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const PolicyDocument stored = load_document(text, counted_ids());
  require(stored.malformed == !stored.malformed_reason.empty());
  if (stored.malformed) {
    EngineSettings settings;
    settings.fallback_security = Security::kFull;
    settings.fallback_ask = Ask::kOff;
    require(resolve_policy(stored, "main", settings, Platform::kPosix).security == Security::kDeny);
  } else {
    check_accepted(stored);
  }
  const Result<OrderedJson> json = parse_ordered_json(text);
  if (!json) return 0;
  const Result<PolicyDocument> strict = read_document(*json, counted_ids());
  if (strict) {
    check_accepted(*strict);
  } else {
    require(!strict.error().code.empty() && !strict.error().message.empty());
  }
  static_cast<void>(read_document(tolerated_document(*json), counted_ids()));
  return 0;
}
