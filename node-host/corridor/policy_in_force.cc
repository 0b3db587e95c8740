// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/policy_in_force.h"

#include <utility>

#include "node-host/loop/log.h"
#include "node-host/system/files/own_program.h"
#include "node-host/system/host/host_facts.h"
#include "policy/request/environment.h"

namespace hostclaw::node_host {

PolicyInForce::PolicyInForce(HostFacts host, const Clock& clock)
    : host_(std::move(host)),
      clock_(clock),
      child_environment_(policy::sanitized_environment(host_.environment, host_policy_platform())) {}

approvals::ExecSettings PolicyInForce::settings(approvals::Store& store) {
  approvals::ExecSettings exec = approvals::read_exec_settings(store).settings;
  rules_.apply(store, exec.engine);
  if (!rules_.problem().empty()) log_error("nothing may run: " + rules_.problem());
  return exec;
}

policy::EngineContext PolicyInForce::context(const approvals::ExecSettings& exec, OpenedFiles& files) const {
  policy::EngineContext context;
  context.platform = host_policy_platform();
  context.settings = exec.engine;
  context.host_cwd = host_.cwd;
  context.home = host_.home;
  context.running_as_root = host_.running_as_root;
  context.files = &files;
  context.own_program = &own_program();
  context.now_ms = clock_.unix_ms();
  context.host_environment = host_.environment;
  if (exec.path_override) {
    context.host_environment = policy::with_overrides(std::move(context.host_environment),
                                                      {{"PATH", *exec.path_override}}, context.platform);
  } else {
    context.child_environment = &child_environment_;
  }
  return context;
}

std::string PolicyInForce::describe(approvals::Store& store) {
  const auto current = document(store);
  if (current->malformed) {
    return "policy: deny everything, because the stored approvals document is malformed: " +
           current->malformed_reason + " -- next: hostclaw approvals set --file FILE";
  }
  const Json effective = policy::resolved_defaults(*current, approvals::engine_settings(store));
  std::size_t entries = 0;
  for (const auto& [agent, agent_policy] : current->agents) entries += agent_policy.allowlist.size();
  return "policy: security=" + effective.value("security", "deny") +
         " ask=" + effective.value("ask", "always") +
         " askFallback=" + effective.value("askFallback", "deny") + ", " + std::to_string(entries) +
         " allowlist entries";
}

}  // namespace hostclaw::node_host
