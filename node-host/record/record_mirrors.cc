// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/record_mirrors.h"

#include <chrono>

#include "base/clock.h"
#include "node-host/loop/log.h"
#include "node-host/record/record_mirror_text.h"
#include "node-host/system/files/instance_lock.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::node_host {
namespace {

// For a receiver that is behind, while it is known to work at all.
constexpr std::chrono::milliseconds kMirrorPatience{200};

std::string row_text(const std::string& mirror, const approvals::AuditRow& row, const std::string& host,
                     bool whole) {
  if (mirror == "journald") return journal_datagram(row, whole);
  if (mirror == "syslog") return syslog_datagram(row, host, static_cast<int>(process_id()), whole);
  return approvals::audit_line(row);
}

}  // namespace

RecordMirrors::RecordMirrors(const approvals::AuditMirrorTargets& targets, MirrorStates known)
    : host_(host_name()) {
  states_.position = known.position;
  const auto add = [&](const char* name, const std::string& path,
                       std::unique_ptr<RecordSink> (*make)(std::string)) {
    if (path.empty()) return;
    mirrors_.push_back({name, make(path)});
    const auto before = known.by_name.find(name);
    MirrorState& state = states_.by_name[name];
    if (before != known.by_name.end() && before->second.target == path) state = before->second;
    state.target = path;
  };
  add("journald", targets.journald, datagram_sink);
  add("syslog", targets.syslog, datagram_sink);
  add("file", targets.file, line_file_sink);
}

void RecordMirrors::send(const approvals::AuditRow& row) {
  const std::int64_t missed = row.sequence - states_.position - 1;
  for (Mirror& mirror : mirrors_) {
    if (missed > 0) states_.by_name[mirror.name].dropped += missed;
    send_to(mirror, row);
  }
  states_.position = row.sequence;
}

void RecordMirrors::send_to(Mirror& mirror, const approvals::AuditRow& row) {
  MirrorState& state = states_.by_name[mirror.name];
  const auto patience = state.problem.empty() ? kMirrorPatience : std::chrono::milliseconds(0);
  Result<void> sent = mirror.sink->send(row_text(mirror.name, row, host_, true), patience);
  if (!sent && sent.error().code == "SINK_TOO_LONG") {
    sent = mirror.sink->send(row_text(mirror.name, row, host_, false), patience);
    if (sent) ++state.shortened;
  }
  if (sent) {
    ++state.sent;
    state.last_sequence = row.sequence;
    if (!state.problem.empty()) {
      log_info("the record's mirror " + mirror.name + " takes rows again, from row " +
               std::to_string(row.sequence) + "; so far it missed " + std::to_string(state.dropped));
    }
    state.problem.clear();
    state.failing_since_ms = 0;
    return;
  }
  ++state.dropped;
  if (state.problem.empty()) {
    state.failing_since_ms = unix_ms_now();
    log_warn("the record's mirror " + mirror.name + " misses rows from row " + std::to_string(row.sequence) +
             " on: " + sent.error().message + " -- next: hostclaw audit mirror show");
  }
  state.problem = sent.error().message;
}

}  // namespace hostclaw::node_host
