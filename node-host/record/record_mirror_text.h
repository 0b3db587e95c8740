// SPDX-License-Identifier: Apache-2.0
// One row of the record as a mirror takes it: the same masked row that `hostclaw audit export` writes.
// Pure; safe from any thread.
#pragma once

#include <string>

#include "approvals/audit/audit_chain.h"

namespace hostclaw::node_host {

// `whole` false leaves the body out, for a row that is too long for a datagram.

// A datagram of systemd's native journal protocol: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER=hostclaw-audit,
// HOSTCLAW_SEQUENCE, _KIND, _HASH, _PREVIOUS, _AT_MS, _BODY (the JSON text) and, where the body has them,
// _VERDICT, _CODE, _RUN, _AGENT, _SESSION, _DOOR, _WHO, _QUESTION.
std::string journal_datagram(const approvals::AuditRow& row, bool whole = true);

// RFC 5424: facility authpriv, severity notice for what was refused or asked, else informational; the kind as
// MSGID, the row as a line of `audit export` as the message.
std::string syslog_datagram(const approvals::AuditRow& row, const std::string& host, int process,
                            bool whole = true);

}  // namespace hostclaw::node_host
