// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/held_commands.h"

#include <algorithm>

namespace hostclaw::gateway_proto {
namespace {

std::vector<std::string> declared_names_at(const Json& object, const char* name,
                                           const std::vector<std::string>& declared) {
  std::vector<std::string> names;
  const auto it = object.find(name);
  if (it == object.end() || !it->is_array()) return names;
  for (const Json& item : *it) {
    if (!item.is_string()) continue;
    const std::string& text = item.get_ref<const std::string&>();
    if (std::find(declared.begin(), declared.end(), text) != declared.end()) names.push_back(text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

std::optional<HeldCommands> held_commands_from(const Json& description,
                                               const std::vector<std::string>& declared) {
  if (!description.is_object()) return std::nullopt;
  if (const auto commands = description.find("commands");
      commands == description.end() || !commands->is_array())
    return std::nullopt;
  HeldCommands held;
  held.usable = declared_names_at(description, "commands", declared);
  for (std::string& name : declared_names_at(description, "pendingDeclaredCommands", declared)) {
    if (!std::binary_search(held.usable.begin(), held.usable.end(), name))
      held.waiting.push_back(std::move(name));
  }
  if (const auto id = description.find("pendingRequestId");
      id != description.end() && id->is_string() && !held.waiting.empty())
    held.request_id = id->get<std::string>();
  return held;
}

void add_pending_commands(HeldCommands& held, const Json& pairings, std::string_view node_id,
                          const std::vector<std::string>& declared) {
  if (!pairings.is_object()) return;
  const auto pending = pairings.find("pending");
  if (pending == pairings.end() || !pending->is_array()) return;
  for (const Json& request : *pending) {
    if (!request.is_object() || request.value("nodeId", Json()) != node_id) continue;
    for (std::string& name : declared_names_at(request, "commands", declared)) {
      if (!std::binary_search(held.usable.begin(), held.usable.end(), name))
        held.waiting.push_back(std::move(name));
    }
    const auto id = request.find("requestId");
    if (!held.waiting.empty() && id != request.end() && id->is_string())
      held.request_id = id->get<std::string>();
  }
}

Json reading_operator_params(std::string version, std::string platform, const Credentials& shared) {
  Json auth = Json::object();
  if (!shared.token.empty()) auth["token"] = shared.token;
  if (!shared.password.empty()) auth["password"] = shared.password;
  return {{"minProtocol", 3},
          {"maxProtocol", 4},
          {"client",
           {{"id", "gateway-client"},
            {"version", std::move(version)},
            {"platform", std::move(platform)},
            {"mode", "backend"}}},
          {"role", "operator"},
          {"scopes", Json::array({"operator.read", "operator.pairing"})},
          {"auth", std::move(auth)}};
}

}  // namespace hostclaw::gateway_proto
