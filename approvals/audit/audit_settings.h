// SPDX-License-Identifier: Apache-2.0
// The owner's settings about the record: how long rows are kept and where each is sent as well.
//
// Reading never fails. A stored value that is wrong is reported, and until it is repaired nothing is removed
// and nothing is sent because of it. Thread rule: the thread that owns the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "approvals/audit/audit_chain.h"
#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::approvals {

// Rows go when any of the limits lets them go; without limits all stay.
struct AuditKeep {
  std::optional<std::int64_t> days;       // 1 to 100 000
  std::optional<std::int64_t> rows;       // 1 to 10^12
  std::optional<std::int64_t> megabytes;  // 1 to 1 000 000, of rows, approximately

  bool everything() const { return !days && !rows && !megabytes; }
  friend bool operator==(const AuditKeep&, const AuditKeep&) = default;
};

// Absolute paths; empty: not mirrored there.
struct AuditMirrorTargets {
  std::string journald;  // socket of systemd's journal
  std::string syslog;    // socket of a syslog daemon
  std::string file;      // JSON lines

  bool none() const { return journald.empty() && syslog.empty() && file.empty(); }
  friend bool operator==(const AuditMirrorTargets&, const AuditMirrorTargets&) = default;
};
inline constexpr const char* kJournaldSocket = "/run/systemd/journal/socket";
inline constexpr const char* kSyslogSocket = "/dev/log";

struct AuditSettings {
  AuditKeep keep;
  AuditMirrorTargets mirrors;
  std::vector<Error> problems;  // SETTING_INVALID, or STORE_*
};
AuditSettings read_audit_settings(Store& store);

// With a row of the audit chain. Errors: SETTING_INVALID (nothing is stored), STORE_*.
Result<void> put_audit_keep(Store& store, const AuditKeep& keep, const Actor& actor);
Result<void> put_audit_mirrors(Store& store, const AuditMirrorTargets& mirrors, const Actor& actor);

// The limits as they are at a moment.
AuditRetention retention_at(const AuditKeep& keep, std::int64_t now_ms);

Json to_json(const AuditKeep& keep);              // absent members: no limit
Json to_json(const AuditMirrorTargets& mirrors);  // absent members: not mirrored there

}  // namespace hostclaw::approvals
