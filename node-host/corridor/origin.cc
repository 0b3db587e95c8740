// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/origin.h"

namespace hostclaw::node_host {

policy::Asker Origin::asker() const { return {agent, session, may_carry_approval, shown()}; }

policy::Asker Origin::asker_within() const {
  return {within->agent, within->session, false, shown() + ", within a run of " + within->who};
}

std::string Origin::who() const { return principal.name.empty() ? door : door + " " + principal.name; }

std::string Origin::shown() const {
  const std::string text = who();
  std::string more;
  for (const auto& [name, value] : principal.details) more += (more.empty() ? "" : ", ") + name + " " + value;
  return more.empty() ? text : text + " (" + more + ")";
}

Json Origin::details() const {
  Json out;
  for (const auto& [name, value] : principal.details) out[name] = value;
  if (within) out["within"] = Json{{"who", within->who}, {"agent", within->agent}};
  return out;
}

}  // namespace hostclaw::node_host
