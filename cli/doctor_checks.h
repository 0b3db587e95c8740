// SPDX-License-Identifier: Apache-2.0
// The named checks of `hostclaw doctor`. They look and change nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/node_service.h"

namespace hostclaw::cli {

enum class CheckVerdict { kOk, kWarning, kFailure, kSkipped };
std::string_view to_string(CheckVerdict verdict);  // ok | warning | failure | skipped

struct CheckResult {
  std::string check;  // "tls"
  std::string code;   // "TLS_PIN_MISMATCH": stable, of docs/doctor.md
  CheckVerdict verdict = CheckVerdict::kOk;
  std::string message;  // one sentence
  std::string next;     // the command to type, or empty
};

struct CheckInfo {
  std::string_view name;
  std::string_view codes;  // every one it can answer, space-separated
};
// In the order in which they are told.
const std::vector<CheckInfo>& known_checks();
// The check of that name, or the one that answers that code; empty when there is none.
std::string check_named(std::string_view name_or_code);

struct CheckChoice {
  std::vector<std::string> only;  // names of checks; empty: all
  bool offline = false;           // ask no gateway
  ScopeFlags scope;               // of the service
};

// Runs them side by side and answers in the order of known_checks(). Each has a few seconds; one that needs
// longer answers CHECK_TIMEOUT, and its thread is left behind: `left_behind` says so, and the process must
// then end without waiting for it (std::_Exit).
std::vector<CheckResult> run_checks(const CheckChoice& choice, bool& left_behind);

Json check_json(const std::vector<CheckResult>& results);
bool all_well(const std::vector<CheckResult>& results);  // no failure

}  // namespace hostclaw::cli
