// SPDX-License-Identifier: Apache-2.0
// Who types here: a person, or a command of a run of the node. The one gate between the parsed command line
// and its verb: verbs that are not for runs (policy/decide/own_verbs.h) are refused to what descends from one
// (node-host/system/process/run_ancestry.h), and the attempt becomes a row of the record. Verbs that show
// runs ask here what may be shown.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/result.h"

namespace hostclaw::cli {

// Call it once, after parsing and before acting. The exit status when the verb is refused; the reason has
// been printed. `words`: the command line behind the program's name.
std::optional<int> refuse_to_runs(const CLI::App& root, const std::vector<std::string>& words);

struct CallingRun {
  std::string because;  // why this process counts as part of a run
  std::string
      state_directory;  // of the node whose run it is, whatever the environment says; empty: not known
  std::optional<approvals::RunRow> run;  // absent: which one it is cannot be told
};
// Null: not a run.
const CallingRun* calling_run();

// `filter` narrowed to what may be shown here: to a run, those of its own agent and session; without both
// only itself. RUN_UNKNOWN when it cannot be told which run this is.
Result<approvals::RunFilter> visible(approvals::RunFilter filter);
bool is_visible(const approvals::RunRow& run);

}  // namespace hostclaw::cli
