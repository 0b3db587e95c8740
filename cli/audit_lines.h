// SPDX-License-Identifier: Apache-2.0
// Rows of the audit chain as text for people. Everything that came from elsewhere is escaped.
#pragma once

#include <string>
#include <vector>

#include "approvals/audit/audit_chain.h"

namespace hostclaw::cli {

// `    42  2026-11-21 09:00:00+01:00  decision  allow  ALLOWED_BY_LIST  main  git status`
std::string audit_summary_line(const approvals::AuditRow& row);

// Every kind of row that this program writes.
const std::vector<std::string>& audit_kinds();

// One `name  value` line for each member, commands as they are shown to people.
std::vector<std::string> audit_detail_lines(const approvals::AuditRow& row);

}  // namespace hostclaw::cli
