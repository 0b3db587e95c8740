// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/prepared_plans.h"

#include <algorithm>

namespace hostclaw::node_host {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A prepared plan is good for as long as OpenClaw keeps an approval.
constexpr std::chrono::minutes kPlanLifetime{30};
// Markers are shown for the one `get` that follows a `prepare`.
constexpr std::chrono::seconds kMarkerLifetime{60};
// Long after that somebody may save a document that they had opened then.
constexpr std::chrono::hours kShownLifetime{24};
constexpr std::size_t kMostShown = 4096;
constexpr std::size_t kMaxPreparedPlans = 1024;

}  // namespace

void PreparedPlans::remember(const policy::PrepareEvaluation& prepared,
                             const std::shared_ptr<const policy::PolicyDocument>& document) {
  forget_expired();
  const auto plan = prepared.payload.find("plan");
  if (plan != prepared.payload.end()) {
    if (plans_.size() >= kMaxPreparedPlans) drop_oldest();
    const std::string key = policy::plan_key(*plan);
    const auto known = plans_.find(key);
    // The same words may lead elsewhere now: what was prepared first is what a person may be looking at.
    if (known == plans_.end() || known->second.remembered->leads_to_same(prepared.remember)) {
      plans_[key] = {std::make_shared<const policy::RememberedPlan>(prepared.remember),
                     SteadyClock::now() + kPlanLifetime};
    }
  }
  for (const policy::GrantToStore& entry : prepared.visible_markers) {
    markers_.push_back({prepared.run.agent_id, entry, document, SteadyClock::now() + kMarkerLifetime});
    if (markers_.size() > kMostShown) markers_.erase(markers_.begin());
    shown_.push_back({entry, SteadyClock::now() + kShownLifetime});
    if (shown_.size() > kMostShown) shown_.pop_front();
  }
}

std::shared_ptr<const policy::RememberedPlan> PreparedPlans::find(const Json& params) {
  if (!params.is_object()) return nullptr;
  const auto plan = params.find("systemRunPlan");
  if (plan == params.end()) return nullptr;
  forget_expired();
  if (plans_.empty()) return nullptr;
  const auto it = plans_.find(policy::plan_key(*plan));
  return it != plans_.end() ? it->second.remembered : nullptr;
}

std::vector<PreparedPlans::Marker> PreparedPlans::markers() {
  forget_expired();
  return markers_;
}

std::vector<policy::GrantToStore> PreparedPlans::shown_lately() {
  forget_expired();
  std::vector<policy::GrantToStore> entries;
  for (const Shown& shown : shown_) entries.push_back(shown.entry);
  return entries;
}

void PreparedPlans::drop_oldest() {
  const auto oldest = std::min_element(plans_.begin(), plans_.end(), [](const auto& left, const auto& right) {
    return left.second.expires < right.second.expires;
  });
  if (oldest != plans_.end()) plans_.erase(oldest);
}

void PreparedPlans::forget_expired() {
  const auto now = SteadyClock::now();
  while (!shown_.empty() && shown_.front().until < now) shown_.pop_front();
  std::erase_if(plans_, [&](const auto& item) { return item.second.expires < now; });
  std::erase_if(markers_, [&](const Marker& marker) { return marker.expires < now; });
}

}  // namespace hostclaw::node_host
