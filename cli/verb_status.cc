// hostclaw status: one screen, from the store alone.
#include "approvals/policy_cache.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "node-host/exec_approvals.h"
#include "node-host/node_config.h"
#include "node-host/node_host.h"
#include "node-host/system/instance_lock.h"

namespace hostclaw::cli {
namespace {

Json link_of(approvals::Store& store) {
  auto link = store.setting(node_host::kLinkStatusKey);
  if (!link || !*link || !(*link)->is_object()) return Json{{"state", "never-started"}};
  Json json = **link;
  if (!node_host::process_is_alive(json.value("pid", std::int64_t{0}))) {
    json["state"] = "not-running";
    json["requestId"] = "";
    json["next"] = "hostclaw node run";
  }
  return json;
}

int status(bool json) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), json);
  const Json link = link_of(**store);
  auto identity = node_host::load_identity(**store, false);
  auto config = node_host::load_node_config(**store);
  if (!config) return fail(config.error(), json);
  approvals::PolicyCache cache;
  auto policy = node_host::approvals_snapshot(**store, cache);
  auto refused = (*store)->runs({1, "", ""});
  auto last_denial = (*store)->runs({1, "deny", ""});
  auto last_question = (*store)->runs({1, "ask", ""});

  if (json) {
    Json body{{"version", version()}, {"link", link}, {"statePath", (*store)->path()}};
    if (identity) body["deviceId"] = identity->device_id();
    body["config"] = node_host::to_json(*config);
    if (policy) {
      body["policy"] = Json::parse(dump_json((*policy)["resolvedDefaults"]));
      body["approvalsHash"] = (*policy)["hash"].get<std::string>();
    } else {
      body["policyError"] = policy.error().message;
    }
    print_json(body);
    return kDone;
  }
  const auto text = [&](const char* name) { return for_terminal(link.value(name, std::string())); };
  print_line("hostclaw   " + version());
  print_line("state      " + (*store)->path());
  print_line("device     " + (identity ? identity->device_id() : std::string("none yet")));
  if (config->gateway) print_line("gateway    " + config->gateway->url());
  std::string line = "link       " + text("state");
  if (link.contains("sinceMs")) line += " since " + format_time(link.value("sinceMs", std::int64_t{0}));
  if (!text("serverVersion").empty()) line += ", gateway " + text("serverVersion");
  print_line(line);
  if (!text("detail").empty()) print_line("           " + text("detail"));
  if (!text("next").empty()) print_line("next       " + text("next"));
  if (policy) {
    const OrderedJson& resolved = (*policy)["resolvedDefaults"];
    print_line("policy     security=" + resolved.value("security", "?") +
               " ask=" + resolved.value("ask", "?") + " askFallback=" + resolved.value("askFallback", "?"));
  } else {
    print_line("policy     unreadable: " + for_terminal(policy.error().message));
  }
  const auto row = [](const char* name, const Result<std::vector<approvals::RunRow>>& rows) {
    if (!rows || rows->empty()) return;
    const approvals::RunRow& run = rows->front();
    print_line(std::string(name) + format_time(run.started_at_ms) + "  " + run.verdict + "  " +
               for_terminal(run.command_text) + (run.verdict == "allow" ? "" : "  (" + run.code + ")"));
  };
  row("last run   ", refused);
  row("last deny  ", last_denial);
  row("last ask   ", last_question);
  return kDone;
}

}  // namespace

void add_status(CLI::App& parent, Action& action) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb = parent.add_subcommand("status", "Link, pairing, policy and last decisions on one screen");
  verb->add_flag("--json", *json, "Print JSON");
  verb->callback([&action, json] { action = [json] { return status(*json); }; });
}

}  // namespace hostclaw::cli
