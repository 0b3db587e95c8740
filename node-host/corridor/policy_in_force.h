// SPDX-License-Identifier: Apache-2.0
// What holds on this node at this moment: the document, the owner's settings and rules, and what the engine
// has to know of the machine. Nothing is kept across a change.
// Thread rule: the store's thread.
#pragma once

#include <memory>
#include <string>

#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "node-host/system/files/file_handles.h"
#include "policy/decide/engine.h"

namespace hostclaw::node_host {

// Of this process; they do not change while it runs.
struct HostFacts {
  policy::Environment environment;
  std::string cwd;
  std::string home;
  bool running_as_root = false;
};

class PolicyInForce {
 public:
  PolicyInForce(HostFacts host, const Clock& clock);

  std::shared_ptr<const policy::PolicyDocument> document(approvals::Store& store) {
    return cache_.current(store);
  }
  // The owner's rules among them. Rules that cannot be read deny everything; the log says so.
  approvals::ExecSettings settings(approvals::Store& store);
  // Requires: `exec` and `files` outlive what is answered.
  policy::EngineContext context(const approvals::ExecSettings& exec, OpenedFiles& files) const;
  // For edits of the document.
  approvals::PolicyCache& cache() { return cache_; }

  // One line for the log: the effective policy and how much is listed.
  std::string describe(approvals::Store& store);

 private:
  const HostFacts host_;
  const Clock& clock_;
  const policy::Environment child_environment_;  // made once: the host's own environment does not change
  approvals::PolicyCache cache_;
  approvals::RuleCache rules_;
};

}  // namespace hostclaw::node_host
