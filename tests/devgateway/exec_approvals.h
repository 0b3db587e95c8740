// SPDX-License-Identifier: Apache-2.0
// Questions to the operators about one command, and their answers. In memory.
// Source: exec contract section 12. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/devgateway/journal.h"
#include "tests/devgateway/transport.h"

namespace hostclaw::devgateway {

struct ApprovalRecord {
  std::string id;
  Json request;  // command, commandArgv, cwd, nodeId, host, security, ask, agentId, sessionKey, systemRunPlan
                 // ...
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;
  std::optional<std::string> decision;  // allow-once | allow-always | deny; "expired" when nobody answered
  bool consumed = false;                // an allow-once that was used
  Json to_json() const;
};

class ExecApprovals {
 public:
  using Broadcast = std::function<void(const std::string& event, const Json& payload)>;
  using OnDecision = std::function<void(const ApprovalRecord&)>;

  ExecApprovals(Scheduler& scheduler, Journal& journal, Broadcast broadcast)
      : scheduler_(scheduler), journal_(journal), broadcast_(std::move(broadcast)) {}

  // Announces exec.approval.requested. `on_decision` is called once: with an answer or when the time is over.
  const ApprovalRecord& request(Json request, std::chrono::milliseconds lifetime, std::string id,
                                OnDecision on_decision);
  // Calls `on_decision` at once when the answer is there. False: no such record.
  bool wait(const std::string& id, OnDecision on_decision);
  enum class Resolve { kDone, kUnknown, kAlreadyResolved, kInvalidDecision };
  Resolve resolve(const std::string& id, const std::string& decision);
  Json list() const;  // the open questions
  ApprovalRecord* find(const std::string& id);

 private:
  void decide(const std::string& id, const std::string& decision);

  struct Entry {
    ApprovalRecord record;
    std::uint64_t timer = 0;
    std::vector<OnDecision> waiting;
  };
  Scheduler& scheduler_;
  Journal& journal_;
  Broadcast broadcast_;
  std::map<std::string, Entry> entries_;
};

}  // namespace hostclaw::devgateway
