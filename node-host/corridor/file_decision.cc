// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/file_decision.h"

#include <algorithm>
#include <utility>

#include "base/file_names.h"
#include "policy/document/glob.h"

namespace hostclaw::node_host {

using policy::DecisionCode;
using policy::Verdict;

namespace {

policy::Decision file_decision(DecisionCode code, std::string explanation) {
  policy::Decision decision;
  decision.verdict = code == DecisionCode::kFileGranted ? Verdict::kAllow : Verdict::kDeny;
  decision.set_code(code);
  decision.explanation = std::move(explanation);
  decision.next = facts_of(code).next;
  return decision;
}

}  // namespace

policy::Decision decide_file(const FileAsked& asked, const Origin& origin) {
  const bool writes = asked.access == FileAsked::Access::kWrite;
  if (origin.within)
    return file_decision(DecisionCode::kOriginNotGranted,
                         "A command of this node reaches files by its own rights, not by a token.");
  if (writes ? !asked.grant.may_write : !asked.grant.may_read) {
    policy::Decision decision =
        file_decision(DecisionCode::kOriginNotGranted,
                      origin.who() + " may not " + (writes ? "write" : "read") + " files of this host.");
    decision.detail = writes ? "files-write" : "files-read";
    return decision;
  }
  const auto covers = [&](const std::string& root) {
    return lies_beneath(asked.real_path.empty() ? asked.path : asked.real_path, root);
  };
  if (std::none_of(asked.grant.roots.begin(), asked.grant.roots.end(), covers))
    return file_decision(
        DecisionCode::kFileOutsideRoots,
        asked.path + " lies in none of the directories that " + origin.who() + " may reach.");
  if (asked.problem) {
    const bool outside = asked.problem->code == to_string(DecisionCode::kFileOutsideRoots);
    return file_decision(outside ? DecisionCode::kFileOutsideRoots : DecisionCode::kFileUnreachable,
                         asked.problem->message);
  }
  for (const std::string& pattern : asked.grant.denied) {
    if (!policy::Glob(pattern).matches(asked.real_path)) continue;
    policy::Decision decision = file_decision(
        DecisionCode::kFileDenied, "The pattern " + pattern + " keeps " + asked.path + " from this caller.");
    decision.detail = pattern;
    return decision;
  }
  return file_decision(DecisionCode::kFileGranted,
                       asked.path + " lies in a directory that " + origin.who() + " may reach.");
}

}  // namespace hostclaw::node_host
