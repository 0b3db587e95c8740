// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/record_mirror_state.h"

namespace hostclaw::node_host {
namespace {

std::int64_t number_at(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string string_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Json to_json(const MirrorStates& states) {
  Json mirrors = Json::object();
  for (const auto& [name, state] : states.by_name) {
    mirrors[name] = {{"target", state.target},
                     {"sent", state.sent},
                     {"dropped", state.dropped},
                     {"shortened", state.shortened},
                     {"lastSequence", state.last_sequence},
                     {"problem", state.problem},
                     {"failingSinceMs", state.failing_since_ms}};
  }
  return {{"position", states.position}, {"mirrors", std::move(mirrors)}};
}

MirrorStates mirror_states_from(const Json& json) {
  MirrorStates states;
  if (!json.is_object()) return states;
  states.position = number_at(json, "position");
  const auto mirrors = json.find("mirrors");
  if (mirrors == json.end() || !mirrors->is_object()) return states;
  for (const auto& [name, value] : mirrors->items()) {
    if (!value.is_object()) continue;
    states.by_name[name] = {string_member(value, "target"),    number_at(value, "sent"),
                            number_at(value, "dropped"),       number_at(value, "shortened"),
                            number_at(value, "lastSequence"),  string_member(value, "problem"),
                            number_at(value, "failingSinceMs")};
  }
  return states;
}

MirrorStates read_mirror_states(approvals::Store& store) {
  const auto stored = store.setting(kMirrorStateKey);
  return stored && *stored ? mirror_states_from(**stored) : MirrorStates();
}

}  // namespace hostclaw::node_host
