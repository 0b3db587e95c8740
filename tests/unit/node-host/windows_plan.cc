// SPDX-License-Identifier: Apache-2.0
// The environment and directory of runs in tests of Windows.
#include "run_harness.h"

namespace hostclaw::node_host {

ExecutionPlan plan(std::vector<PlannedPipeline> pipelines) {
  ExecutionPlan result;
  result.pipelines = std::move(pipelines);
  result.cwd = "C:\\";
  result.environment = {{"SystemRoot", "C:\\windows"}, {"PATH", "C:\\windows\\system32"}};
  return result;
}

}  // namespace hostclaw::node_host
