// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/gateway_policy.h"

#include "base/clock.h"
#include "base/text.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMostAgents = 64;

std::optional<GatewayPolicy> gateway_policy_from(const Json& json) {
  const auto security = json.find("security");
  const auto ask = json.find("ask");
  if (security == json.end() || !security->is_string() || ask == json.end() || !ask->is_string())
    return std::nullopt;
  const auto known_security = policy::security_from(trim(security->get_ref<const std::string&>()));
  const auto known_ask = policy::ask_from(trim(ask->get_ref<const std::string&>()));
  if (!known_security || !known_ask) return std::nullopt;
  return GatewayPolicy{*known_security, *known_ask};
}

}  // namespace

std::optional<GatewayPolicy> GatewayPolicies::news(const std::string& agent, const Json& params) {
  if (!params.is_object()) return std::nullopt;
  const auto said = gateway_policy_from(params);
  if (!said) return std::nullopt;
  if (const auto last = known_.find(agent);
      last != known_.end() ? last->second == *said : known_.size() >= kMostAgents)
    return std::nullopt;
  known_[agent] = *said;
  return said;
}

void keep_gateway_policy(approvals::Store& store, const std::string& agent, const GatewayPolicy& policy) {
  Json all = Json::object();
  if (auto stored = store.setting(kGatewayPolicyKey); stored && *stored && (*stored)->is_object())
    all = std::move(**stored);
  if (!all.contains(agent) && all.size() >= kMostAgents) all = Json::object();
  all[agent] = {
      {"security", to_string(policy.security)}, {"ask", to_string(policy.ask)}, {"atMs", unix_ms_now()}};
  (void)store.put_setting(kGatewayPolicyKey, all);
}

std::map<std::string, GatewayPolicy> read_gateway_policies(approvals::Store& store) {
  std::map<std::string, GatewayPolicy> policies;
  const auto stored = store.setting(kGatewayPolicyKey);
  if (!stored || !*stored || !(*stored)->is_object()) return policies;
  for (const auto& [agent, json] : (*stored)->items()) {
    if (!json.is_object()) continue;
    if (const auto known = gateway_policy_from(json)) policies.emplace(agent, *known);
  }
  return policies;
}

}  // namespace hostclaw::node_host
