// SPDX-License-Identifier: Apache-2.0
// What the verbs about runs share.
#pragma once

#include <string>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::cli {

// "exit 0", "running 12 s", "cancelled", "deny". `node_runs`: the node that would close it lives.
std::string run_outcome(const approvals::RunRow& run, bool node_runs);
// One run in full, as `runs show --json` prints it.
Json run_in_full(const approvals::RunRow& run, bool node_runs);
// What is known when it begins, and what when it has ended.
void print_run_beginning(const approvals::RunRow& run);
void print_run_end(const approvals::RunRow& run, bool node_runs);
Error no_such_run(const std::string& id);

// The end of what a run has written until now, while its node lives; empty: it cannot be seen (yet).
std::string output_until_now(approvals::Store& store, const approvals::RunRow& run);
// Prints what it writes until it has ended, then how.
int follow_run(approvals::Store& store, const approvals::RunRow& run, bool json);
// Ends it. A person at this machine only: this is not for runs (policy/decide/own_verbs.h).
int cancel_run(const std::string& id, bool json);

}  // namespace hostclaw::cli
