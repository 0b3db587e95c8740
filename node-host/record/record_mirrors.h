// SPDX-License-Identifier: Apache-2.0
// Sends rows of the record to its mirrors. A mirror that fails loses rows and disturbs nobody: they are
// counted, the reason is kept, and the log tells of the first failure and of the recovery.
// Thread rule: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_settings.h"
#include "node-host/record/record_mirror_state.h"
#include "node-host/system/host/record_sinks.h"

namespace hostclaw::node_host {

class RecordMirrors {
 public:
  // `known` is where an earlier process left off; mirrors whose target changed begin anew.
  RecordMirrors(const approvals::AuditMirrorTargets& targets, MirrorStates known);

  // To every mirror. Rows must come oldest first; rows missing in between (retention was faster) count as
  // dropped.
  void send(const approvals::AuditRow& row);

  const MirrorStates& states() const { return states_; }

 private:
  struct Mirror {
    std::string name;
    std::unique_ptr<RecordSink> sink;
  };
  void send_to(Mirror& mirror, const approvals::AuditRow& row);

  std::vector<Mirror> mirrors_;
  MirrorStates states_;
  const std::string host_;
};

}  // namespace hostclaw::node_host
