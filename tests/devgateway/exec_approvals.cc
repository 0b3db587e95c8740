// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/exec_approvals.h"

#include "tests/devgateway/random_id.h"

namespace hostclaw::devgateway {

Json ApprovalRecord::to_json() const {
  return {{"id", id}, {"request", request}, {"createdAtMs", created_at_ms}, {"expiresAtMs", expires_at_ms}};
}

const ApprovalRecord& ExecApprovals::request(Json request, std::chrono::milliseconds lifetime, std::string id,
                                             OnDecision on_decision) {
  if (id.empty()) id = new_uuid();
  Entry& entry = entries_[id];
  entry.record.id = id;
  entry.record.request = std::move(request);
  entry.record.created_at_ms = wall_clock_ms();
  entry.record.expires_at_ms = entry.record.created_at_ms + lifetime.count();
  if (on_decision) entry.waiting.push_back(std::move(on_decision));
  entry.timer = scheduler_.after(lifetime, [this, id] { decide(id, "expired"); });
  journal_.add("approval", {{"approvalId", id}, {"status", "requested"}, {"request", entry.record.request}});
  broadcast_("exec.approval.requested", entry.record.to_json());
  return entry.record;
}

bool ExecApprovals::wait(const std::string& id, OnDecision on_decision) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  if (found->second.record.decision) {
    on_decision(found->second.record);
  } else {
    found->second.waiting.push_back(std::move(on_decision));
  }
  return true;
}

ExecApprovals::Resolve ExecApprovals::resolve(const std::string& id, const std::string& decision) {
  if (decision != "allow-once" && decision != "allow-always" && decision != "deny")
    return Resolve::kInvalidDecision;
  const auto found = entries_.find(id);
  if (found == entries_.end()) return Resolve::kUnknown;
  if (found->second.record.decision) return Resolve::kAlreadyResolved;
  scheduler_.cancel(found->second.timer);
  decide(id, decision);
  return Resolve::kDone;
}

void ExecApprovals::decide(const std::string& id, const std::string& decision) {
  Entry& entry = entries_.at(id);
  entry.record.decision = decision;
  const bool expired = decision == "expired";
  journal_.add("approval",
               {{"approvalId", id}, {"status", expired ? "expired" : "resolved"}, {"decision", decision}});
  broadcast_("exec.approval.resolved", {{"id", id},
                                        {"decision", expired ? Json() : Json(decision)},
                                        {"ts", wall_clock_ms()},
                                        {"request", entry.record.request}});
  const std::vector<OnDecision> waiting = std::move(entry.waiting);
  entry.waiting.clear();
  for (const OnDecision& on_decision : waiting) on_decision(entry.record);
}

Json ExecApprovals::list() const {
  Json out = Json::array();
  for (const auto& [id, entry] : entries_) {
    if (!entry.record.decision) out.push_back(entry.record.to_json());
  }
  return out;
}

ApprovalRecord* ExecApprovals::find(const std::string& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second.record;
}

}  // namespace hostclaw::devgateway
