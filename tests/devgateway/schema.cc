// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/schema.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <set>
#include <string_view>

#include "base/utf8.h"

namespace hostclaw::devgateway {
namespace {

enum class Presence { kRequired, kOptional };
constexpr Presence kRequired = Presence::kRequired;
constexpr Presence kOptional = Presence::kOptional;

// Checks one object: name the members, then finish(). The first problem wins.
class ObjectCheck {
 public:
  ObjectCheck(const Json& value, std::string pointer, SchemaProblem& problem)
      : value_(value), pointer_(std::move(pointer)), problem_(problem) {
    if (!problem_ && !value_.is_object()) report(pointer_, "must be object");
  }

  ObjectCheck& string(const char* name, Presence presence, std::size_t min = 0, std::size_t max = 0) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_string()) return report(at, "must be string");
      const std::string& text = found.get_ref<const std::string&>();
      if (text.size() < min) return report(at, "must NOT have fewer than 1 characters");
      if (max != 0 && utf16_length(text) > max)
        report(at, "must NOT have more than " + std::to_string(max) + " characters");
    });
  }

  ObjectCheck& integer(const char* name, Presence presence, std::int64_t min, std::int64_t max = INT64_MAX) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_number_integer()) return report(at, "must be integer");
      if (found.is_number_unsigned() ? found.get<std::uint64_t>() > static_cast<std::uint64_t>(max)
                                     : (found.get<std::int64_t>() < min || found.get<std::int64_t>() > max)) {
        return report(at, "is out of range");
      }
      if (found.get<std::int64_t>() < min) report(at, "must be >= " + std::to_string(min));
    });
  }

  ObjectCheck& boolean(const char* name, Presence presence) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_boolean()) report(at, "must be boolean");
    });
  }

  ObjectCheck& one_of(const char* name, Presence presence, std::initializer_list<std::string_view> values) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_string() ||
          std::find(values.begin(), values.end(), found.get<std::string>()) == values.end()) {
        report(at, "must be equal to one of the allowed values");
      }
    });
  }

  ObjectCheck& string_list(const char* name, Presence presence) {
    return list(name, presence, [&](const Json& item, const std::string& at) {
      if (!item.is_string()) report(at, "must be string");
    });
  }

  using Check = std::function<void(const Json&, const std::string& pointer)>;

  ObjectCheck& list(const char* name, Presence presence, const Check& each,
                    std::size_t max_items = SIZE_MAX) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_array()) return report(at, "must be array");
      if (found.size() > max_items)
        return report(at, "must NOT have more than " + std::to_string(max_items) + " items");
      for (std::size_t i = 0; i < found.size(); ++i) each(found[i], at + '/' + std::to_string(i));
    });
  }

  ObjectCheck& map(const char* name, Presence presence, const Check& each) {
    return member(name, presence, [&](const Json& found, const std::string& at) {
      if (!found.is_object()) return report(at, "must be object");
      for (const auto& [key, item] : found.items()) each(item, at + '/' + key);
    });
  }

  ObjectCheck& any(const char* name, Presence presence) {
    return member(name, presence, [](const Json&, const std::string&) {});
  }

  ObjectCheck& member(const char* name, Presence presence, const Check& check) {
    known_.insert(name);
    if (problem_) return *this;
    const auto found = value_.find(name);
    if (found != value_.end()) {
      check(*found, pointer_ + '/' + name);
    } else if (presence == kRequired) {
      report(pointer_, std::string("must have required property '") + name + "'");
    }
    return *this;
  }

  void finish() {
    if (problem_) return;
    for (const auto& [name, ignored] : value_.items()) {
      if (!known_.contains(name)) return report(pointer_, "unexpected property '" + name + "'");
    }
  }

  void report(const std::string& at, const std::string& why) {
    if (!problem_) problem_ = "at " + (at.empty() ? std::string("root") : at) + ": " + why;
  }

 private:
  const Json& value_;
  std::string pointer_;
  SchemaProblem& problem_;
  std::set<std::string, std::less<>> known_;
};

void check_client(const Json& client, const std::string& at, int protocol, SchemaProblem& problem) {
  ObjectCheck check(client, at, problem);
  check
      .one_of(
          "id", kRequired,
          {"webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat", "cli",
           "gateway-client", "openclaw-macos", "openclaw-linux", "openclaw-ios", "openclaw-watchos",
           "openclaw-android", "node-host", "openclaw-worker", "test", "fingerprint", "openclaw-probe"})
      .string("displayName", kOptional, 1)
      .string("version", kRequired, 1)
      .string("platform", kRequired, 1)
      .string("deviceFamily", kOptional, 1)
      .string("modelIdentifier", kOptional, 1)
      .one_of("mode", kRequired, {"webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"})
      .string("instanceId", kOptional, 1);
  if (protocol >= 4) check.string("buildId", kOptional, 0, 96).string("timeZone", kOptional, 0, 64);
  check.finish();
}

void check_device(const Json& device, const std::string& at, SchemaProblem& problem) {
  ObjectCheck check(device, at, problem);
  check.string("id", kRequired, 1)
      .string("publicKey", kRequired, 1)
      .string("signature", kRequired, 1)
      .integer("signedAt", kRequired, 0)
      .string("nonce", kRequired, 1)
      .finish();
}

void check_auth(const Json& auth, const std::string& at, int protocol, SchemaProblem& problem) {
  ObjectCheck check(auth, at, problem);
  for (const char* name : {"token", "bootstrapToken", "deviceToken", "password"})
    check.string(name, kOptional);
  if (protocol >= 4)
    check.string("approvalRuntimeToken", kOptional).string("agentRuntimeIdentityToken", kOptional);
  check.finish();
}

void check_allowlist_entry(const Json& entry, const std::string& at, SchemaProblem& problem) {
  ObjectCheck check(entry, at, problem);
  check.string("pattern", kRequired)
      .string("id", kOptional)
      .string("argPattern", kOptional)
      .one_of("source", kOptional, {"allow-always"})
      .integer("lastUsedAt", kOptional, 0)
      .string("lastUsedCommand", kOptional)
      .string("lastResolvedPath", kOptional)
      .string("commandText", kOptional)
      .finish();
}

ObjectCheck& check_policy_members(ObjectCheck& check) {
  return check.string("security", kOptional)
      .string("ask", kOptional)
      .string("askFallback", kOptional)
      .boolean("autoAllowSkills", kOptional);
}

void check_agent(const Json& agent, const std::string& at, SchemaProblem& problem) {
  ObjectCheck check(agent, at, problem);
  check_policy_members(check)
      .list(
          "allowlist", kOptional,
          [&](const Json& entry, const std::string& where) { check_allowlist_entry(entry, where, problem); })
      .list("mcpTools", kOptional, [](const Json&, const std::string&) {})
      .finish();
}

void check_file(const Json& file, const std::string& at, SchemaProblem& problem) {
  ObjectCheck check(file, at, problem);
  check.integer("version", kRequired, 1, 1)
      .member("socket", kOptional,
              [&](const Json& socket, const std::string& where) {
                ObjectCheck inner(socket, where, problem);
                inner.string("path", kOptional).string("token", kOptional).finish();
              })
      .member("defaults", kOptional,
              [&](const Json& defaults, const std::string& where) {
                ObjectCheck inner(defaults, where, problem);
                check_policy_members(inner).finish();
              })
      .map("agents", kOptional,
           [&](const Json& agent, const std::string& where) { check_agent(agent, where, problem); })
      .finish();
}

}  // namespace

SchemaProblem check_request_frame(const Json& frame, int protocol) {
  SchemaProblem problem;
  ObjectCheck check(frame, "", problem);
  check.one_of("type", kRequired, {"req"})
      .string("id", kRequired, 1)
      .string("method", kRequired, 1)
      .any("params", kOptional);
  if (protocol >= 4) check.string("traceparent", kOptional, 0, 128).string("expectedProfileId", kOptional, 1);
  check.finish();
  return problem;
}

SchemaProblem check_connect_params(const Json& params, int protocol) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check.integer("minProtocol", kRequired, 1)
      .integer("maxProtocol", kRequired, 1)
      .member("client", kRequired,
              [&](const Json& client, const std::string& at) { check_client(client, at, protocol, problem); })
      .string_list("caps", kOptional)
      .string_list("commands", kOptional)
      .map("permissions", kOptional,
           [&](const Json& value, const std::string& at) {
             if (!value.is_boolean()) check.report(at, "must be boolean");
           })
      .string("pathEnv", kOptional)
      .string("role", kOptional, 1)
      .string_list("scopes", kOptional)
      .member("device", kOptional,
              [&](const Json& device, const std::string& at) { check_device(device, at, problem); })
      .member("auth", kOptional,
              [&](const Json& auth, const std::string& at) { check_auth(auth, at, protocol, problem); })
      .string("locale", kOptional)
      .string("userAgent", kOptional);
  if (protocol >= 4)
    check.any("computerUse", kOptional).any("workerRuns", kOptional).any("modelCatalog", kOptional);
  check.finish();
  return problem;
}

SchemaProblem check_invoke_result(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check.string("id", kRequired, 1)
      .string("nodeId", kRequired, 1)
      .boolean("ok", kRequired)
      .any("payload", kOptional)
      .member("payloadJSON", kOptional,
              [&](const Json& value, const std::string& at) {
                if (!value.is_string() && !value.is_object() && !value.is_null())
                  check.report(at, "must be string");
              })
      .member("error", kOptional,
              [&](const Json& error, const std::string& at) {
                if (error.is_null()) return;
                ObjectCheck inner(error, at, problem);
                inner.string("code", kOptional, 1).string("message", kOptional, 1).finish();
              })
      .finish();
  return problem;
}

SchemaProblem check_invoke_progress(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check.string("invokeId", kRequired, 1)
      .string("nodeId", kRequired, 1)
      .integer("seq", kRequired, 0)
      .member("chunk", kRequired,
              [&](const Json& chunk, const std::string& at) {
                if (!chunk.is_string()) return check.report(at, "must be string");
                if (chunk.get_ref<const std::string&>().size() > 16'384)
                  check.report(at, "is over 16384 bytes");
              })
      .finish();
  return problem;
}

SchemaProblem check_node_event(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check.string("event", kRequired, 1).any("payload", kOptional).string("payloadJSON", kOptional).finish();
  return problem;
}

SchemaProblem check_runner_inventory(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check.string_list("protocolFeatures", kRequired)
      .member("workerHost", kOptional,
              [&](const Json& host, const std::string& at) {
                ObjectCheck inner(host, at, problem);
                inner.boolean("enabled", kRequired).finish();
              })
      .finish();
  return problem;
}

SchemaProblem check_skills_update(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check
      .list(
          "skills", kRequired,
          [&](const Json& skill, const std::string& at) {
            ObjectCheck inner(skill, at, problem);
            inner.string("name", kRequired, 1, 64)
                .string("description", kRequired, 0, 1024)
                .string("content", kRequired, 0, 65'536)
                .finish();
          },
          64)
      .finish();
  return problem;
}

SchemaProblem check_plugin_tools_update(const Json& params) {
  SchemaProblem problem;
  ObjectCheck check(params, "", problem);
  check
      .list(
          "tools", kRequired,
          [&](const Json& tool, const std::string& at) {
            ObjectCheck inner(tool, at, problem);
            inner.string("pluginId", kRequired, 1)
                .string("name", kRequired, 1, 64)
                .string("description", kRequired, 0, 1024)
                .any("parameters", kOptional)
                .string("command", kRequired, 1)
                .any("mcp", kOptional)
                .finish();
          },
          128)
      .finish();
  return problem;
}

SchemaProblem check_empty_params(const Json& params) {
  SchemaProblem problem;
  ObjectCheck(params, "", problem).finish();
  return problem;
}

SchemaProblem check_host_stats(const Json& payload) {
  SchemaProblem problem;
  ObjectCheck check(payload, "", problem);
  check.integer("cpuCount", kRequired, 1, 4096)
      .member("loadAverage", kOptional,
              [&](const Json& load, const std::string& at) {
                if (!load.is_array() || load.size() != 3) return check.report(at, "must hold 3 numbers");
                for (const Json& value : load) {
                  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 100'000) {
                    return check.report(at, "is out of range");
                  }
                }
              })
      .integer("memoryTotalBytes", kRequired, 0)
      .integer("memoryFreeBytes", kRequired, 0)
      .integer("diskTotalBytes", kOptional, 0)
      .integer("diskAvailableBytes", kOptional, 0)
      .finish();
  if (problem) return problem;
  if (payload["memoryFreeBytes"].get<std::int64_t>() > payload["memoryTotalBytes"].get<std::int64_t>()) {
    return "at /memoryFreeBytes: is more than the total";
  }
  if (payload.contains("diskTotalBytes") != payload.contains("diskAvailableBytes")) {
    return "at /diskTotalBytes: disk figures come as a pair";
  }
  return std::nullopt;
}

SchemaProblem check_approvals_file(const Json& file) {
  SchemaProblem problem;
  check_file(file, "/file", problem);
  return problem;
}

SchemaProblem check_approvals_snapshot(const Json& snapshot) {
  SchemaProblem problem;
  ObjectCheck check(snapshot, "", problem);
  check.string("path", kRequired, 1)
      .boolean("exists", kRequired)
      .string("hash", kRequired, 1)
      .member("file", kRequired,
              [&](const Json& file, const std::string& at) { check_file(file, at, problem); })
      .member("resolvedDefaults", kOptional,
              [&](const Json& defaults, const std::string& at) {
                ObjectCheck inner(defaults, at, problem);
                inner.string("security", kRequired, 1)
                    .string("ask", kRequired, 1)
                    .string("askFallback", kRequired, 1)
                    .boolean("autoAllowSkills", kRequired)
                    .finish();
              })
      .finish();
  return problem;
}

}  // namespace hostclaw::devgateway
