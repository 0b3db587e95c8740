// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_hostlink.h"

#include <algorithm>
#include <cstdio>

#include "approvals/platform/private_files.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "hostlink/door/hostlink_door.h"
#include "hostlink/door/token_book.h"
#include "node-host/system/host/host_facts.h"
#include "policy/document/effective_policy.h"
#include "policy/document/pattern_index.h"

namespace hostclaw::cli {
namespace {

using hostlink::DoorConfig;
using hostlink::TokenBook;
using hostlink::TokenEntry;
using HostlinkResults = std::vector<CheckResult>;

constexpr unsigned kForEverybody = 0007;

// What `hostclaw hostlink enable` has stored, if it has.
struct Enabled {
  bool on = false;
  std::string config_path;
};

Enabled enabled_in(approvals::Store& store) {
  Enabled enabled;
  const auto stored = store.setting(hostlink::kDoorSetting);
  if (!stored || !*stored || !(*stored)->is_object()) return enabled;
  enabled.on = true;
  const auto path = (*stored)->find("config");
  if (path != (*stored)->end() && path->is_string()) enabled.config_path = path->get<std::string>();
  return enabled;
}

CheckResult served_result(const DoorConfig& config, const Enabled& enabled) {
  using Kind = HostlinkAnswer::Kind;
  const HostlinkAnswer answer = ask_hostlink(config);
  const std::string where = for_terminal(answer.where);
  switch (answer.kind) {
    case Kind::kHostclaw:
      return {"hostlink", "HOSTLINK_SERVED", CheckVerdict::kOk,
              for_terminal(answer.node) + " answers at " + where, ""};
    case Kind::kOlder:
      return {
          "hostlink", "HOSTLINK_OLDER", CheckVerdict::kWarning,
          where + " is served by a daemon that knows protocol 1 only: its commands do not go by this policy",
          "stop it, then: hostclaw hostlink serve"};
    case Kind::kSilent:
      return {"hostlink", "HOSTLINK_UNVERIFIED", CheckVerdict::kSkipped,
              "something listens at " + where + " and does not answer in the clear", "hostlink ping"};
    case Kind::kClosed:
      return {"hostlink", "HOSTLINK_UNVERIFIED", CheckVerdict::kSkipped,
              "this account may not connect to " + where, "sudo hostclaw doctor --only hostlink"};
    case Kind::kUnknown:
      return {"hostlink", "HOSTLINK_UNVERIFIED", CheckVerdict::kSkipped,
              where + " is not looked at from here", "hostlink ping"};
    case Kind::kNobody:
      break;
  }
  return {"hostlink", "HOSTLINK_NOT_SERVED", CheckVerdict::kFailure,
          "nobody serves containers: " + for_terminal(answer.detail),
          enabled.on ? "hostclaw node start" : "hostclaw hostlink serve"};
}

void add_socket(HostlinkResults& out, const DoorConfig& config) {
  const auto add = [&out](const char* code, CheckVerdict verdict, std::string message,
                          std::string next = {}) {
    out.push_back({"hostlink-socket", code, verdict, std::move(message), std::move(next)});
  };
  if (config.tcp_enabled && config.insecure)
    add("HOSTLINK_INSECURE", CheckVerdict::kWarning,
        "insecure = true: tokens of protocol 1 and all output cross the network in the clear on " +
            for_terminal(config.tcp_bind),
        "insecure = false and tls_cert, tls_key in the configuration file");
  if (!config.unix_enabled)
    return add("HOSTLINK_TCP_ONLY", CheckVerdict::kOk, "there is no Unix socket: unix_enabled is off");
  const auto socket = look_at_hostlink_socket(config);
  const std::string path = for_terminal(config.unix_path);
  if (!socket)
    return add("HOSTLINK_SOCKET_MISSING", CheckVerdict::kSkipped,
               "there is no socket at " + path + "; see hostlink");
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", socket->mode);
  if ((socket->mode & kForEverybody) != 0)
    add("HOSTLINK_SOCKET_OPEN", CheckVerdict::kWarning,
        "every account of this host may connect to " + path + " (mode " + mode +
            "), and only the token is between them and it",
        "unix_mode = 0660 in the configuration file");
  if (!socket->configured_group_exists || (!config.unix_group.empty() && socket->group != config.unix_group))
    add("HOSTLINK_SOCKET_GROUP", CheckVerdict::kWarning,
        path + " belongs to the group " + for_terminal(socket->group) + ", not to " +
            for_terminal(config.unix_group) + ": containers whose user is not root cannot connect",
        socket->configured_group_exists
            ? "chgrp " + config.unix_group + " " + path
            : "groupadd " + for_terminal(config.unix_group) + ", then start it again");
  if (out.empty() || out.back().check != "hostlink-socket")
    add("HOSTLINK_SOCKET_OK", CheckVerdict::kOk,
        path + " has mode " + mode + " and belongs to the group " + for_terminal(socket->group));
}

// Everything may run, or every file may be reached.
bool is_wide_open(const TokenEntry& entry, const policy::PolicyDocument& document,
                  const policy::EngineSettings& settings) {
  const bool files = (entry.rights.files_read || entry.rights.files_write) &&
                     std::find(entry.roots.begin(), entry.roots.end(), "/") != entry.roots.end();
  if (files || !(entry.rights.exec || entry.rights.jobs)) return files;
  const auto effective = policy::resolve_policy(document, entry.agent, settings, policy::native_platform());
  return effective.security == policy::Security::kFull;
}

void add_tokens(HostlinkResults& out, approvals::Store& store, const Result<TokenBook>& book,
                const DoorConfig& config) {
  const auto add = [&out](const char* code, CheckVerdict verdict, std::string message,
                          std::string next = {}) {
    out.push_back({"hostlink-tokens", code, verdict, std::move(message), std::move(next)});
  };
  if (!book)
    return add("HOSTLINK_TOKENS_UNREADABLE", CheckVerdict::kFailure,
               "nobody is let in: " + book.error().message, "hostclaw hostlink token list");
  if (book->entries().empty()) {
    if (!config.auth_token.empty())
      return add("HOSTLINK_TOKENS_OK", CheckVerdict::kOk,
                 "the configuration's auth_token, from the next start on");
    return add("HOSTLINK_TOKEN_NONE", CheckVerdict::kFailure, "there is no token, so nobody can come in",
               "hostclaw hostlink token add NAME");
  }
  approvals::PolicyCache cache;
  const auto document = cache.current(store);
  const policy::EngineSettings settings = approvals::engine_settings(store);
  const std::int64_t now_ms = unix_ms_now();
  for (const TokenEntry& entry : book->entries()) {
    if (entry.expired(now_ms)) {
      add("HOSTLINK_TOKEN_EXPIRED", CheckVerdict::kWarning,
          "token " + entry.name + " lets nobody in since " + format_time(entry.expires_at_ms),
          "hostclaw hostlink token set " + entry.name + " --expires 30d");
    } else if (is_wide_open(entry, *document, settings)) {
      const bool own = entry.agent == hostlink::own_agent(entry.name);
      add("HOSTLINK_TOKEN_FULL", CheckVerdict::kWarning,
          "whoever holds token " + entry.name + " runs every command or reaches every file of this account",
          own ? "hostclaw hostlink token set " + entry.name + " --security allowlist"
              : "hostclaw exec-policy show");
    }
  }
  if (out.empty() || out.back().check != "hostlink-tokens")
    add("HOSTLINK_TOKENS_OK", CheckVerdict::kOk,
        std::to_string(book->entries().size()) + " that go by the policy of this host");
}

}  // namespace

std::vector<CheckResult> examine_hostlink(approvals::Store& store) {
  const Enabled enabled = enabled_in(store);
  const auto book = TokenBook::read(store);
  const bool wanted =
      enabled.on || approvals::file_exists(hostlink::kDefaultConfigPath) || !book || !book->entries().empty();
  HostlinkResults out;
  if (!wanted) {
    for (const char* check : {"hostlink", "hostlink-socket", "hostlink-tokens"})
      out.push_back({check, kHostlinkOff, CheckVerdict::kSkipped, "no containers are served", ""});
    return out;
  }
  const auto config = hostlink::door_config_of(enabled.config_path);
  if (!config) {
    out.push_back({"hostlink", "HOSTLINK_CONFIG_INVALID", CheckVerdict::kFailure, config.error().message,
                   config.error().next.empty() ? "hostclaw hostlink serve" : config.error().next});
    out.push_back({"hostlink-socket", "HOSTLINK_SOCKET_MISSING", CheckVerdict::kSkipped,
                   "the configuration cannot be read; see hostlink", ""});
  } else {
    out.push_back(served_result(*config, enabled));
    add_socket(out, *config);
  }
  add_tokens(out, store, book, config ? *config : DoorConfig());
  return out;
}

}  // namespace hostclaw::cli
