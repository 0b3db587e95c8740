// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/kept_order.h"

#include <utility>
#include <vector>

namespace hostclaw::node_host {
namespace {

using policy::ExecutionPlan;
using policy::FileIdentity;
using policy::PlannedCommand;
using policy::PlannedPipeline;
using policy::ScriptOperand;

Json json_of(const FileIdentity& identity) {
  return Json{identity.known, identity.device,      identity.inode,
              identity.size,  identity.modified_ns, identity.owner};
}

FileIdentity identity_from(const Json& json) {
  FileIdentity identity;
  identity.known = json.at(0).get<bool>();
  identity.device = json.at(1).get<std::uint64_t>();
  identity.inode = json.at(2).get<std::uint64_t>();
  identity.size = json.at(3).get<std::uint64_t>();
  identity.modified_ns = json.at(4).get<std::int64_t>();
  identity.owner = json.at(5).get<std::uint32_t>();
  return identity;
}

Json json_of(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

std::optional<std::string> text_from(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<std::string>());
}

Json json_of(const PlannedCommand& command) {
  Json json{{"argv", command.argv},
            {"executable", command.executable},
            {"identity", json_of(command.identity)},
            {"calledAs", command.called_as},
            {"content", json_of(command.content_sha256)},
            {"builtin", static_cast<int>(command.builtin)}};
  if (const auto& script = command.script)
    json["script"] = {{"index", script->index},
                      {"path", script->path},
                      {"identity", json_of(script->identity)},
                      {"content", json_of(script->sha256)}};
  return json;
}

PlannedCommand command_from(const Json& json) {
  PlannedCommand command;
  command.argv = json.at("argv").get<std::vector<std::string>>();
  command.executable = json.at("executable").get<std::string>();
  command.identity = identity_from(json.at("identity"));
  command.called_as = json.at("calledAs").get<std::string>();
  command.content_sha256 = text_from(json.at("content"));
  command.builtin = static_cast<policy::Builtin>(json.at("builtin").get<int>());
  if (const auto script = json.find("script"); script != json.end())
    command.script =
        ScriptOperand{script->at("index").get<std::size_t>(), script->at("path").get<std::string>(),
                      identity_from(script->at("identity")), text_from(script->at("content"))};
  return command;
}

Json json_of(const ExecutionPlan& plan) {
  Json pipelines = Json::array();
  for (const PlannedPipeline& pipeline : plan.pipelines) {
    Json commands = Json::array();
    for (const PlannedCommand& command : pipeline.commands) commands.push_back(json_of(command));
    pipelines.push_back({{"connector", static_cast<int>(pipeline.connector)},
                         {"negate", pipeline.negate},
                         {"commands", std::move(commands)},
                         {"joins", pipeline.stderr_to_pipe}});
  }
  Json environment = Json::array();
  for (const auto& [name, value] : plan.environment) environment.push_back(Json::array({name, value}));
  return {{"pipelines", std::move(pipelines)},
          {"cwd", plan.cwd},
          {"cwdIdentity", json_of(plan.cwd_identity)},
          {"environment", std::move(environment)}};
}

ExecutionPlan plan_from(const Json& json) {
  ExecutionPlan plan;
  for (const Json& item : json.at("pipelines")) {
    PlannedPipeline pipeline;
    pipeline.connector = static_cast<policy::Connector>(item.at("connector").get<int>());
    pipeline.negate = item.at("negate").get<bool>();
    for (const Json& command : item.at("commands")) pipeline.commands.push_back(command_from(command));
    pipeline.stderr_to_pipe = item.at("joins").get<std::vector<bool>>();
    plan.pipelines.push_back(std::move(pipeline));
  }
  plan.cwd = json.at("cwd").get<std::string>();
  plan.cwd_identity = identity_from(json.at("cwdIdentity"));
  for (const Json& pair : json.at("environment"))
    plan.environment.emplace_back(pair.at(0).get<std::string>(), pair.at(1).get<std::string>());
  return plan;
}

Json json_of(const StreamOutput& stream) {
  return {{"text", stream.text},
          {"total", stream.total_bytes},
          {"kept", stream.kept_bytes},
          {"dropped", stream.dropped_bytes},
          {"replaced", stream.replaced}};
}

StreamOutput stream_from(const Json& json) {
  StreamOutput stream;
  stream.text = json.at("text").get<std::string>();
  stream.total_bytes = json.at("total").get<std::uint64_t>();
  stream.kept_bytes = json.at("kept").get<std::uint64_t>();
  stream.dropped_bytes = json.at("dropped").get<std::uint64_t>();
  stream.replaced = json.at("replaced").get<std::uint64_t>();
  return stream;
}

template <class Number>
std::optional<Number> number_from(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<Number>());
}

}  // namespace

std::vector<std::string> judged_paths(const ExecutionPlan& plan) {
  std::vector<std::string> paths;
  if (!plan.cwd.empty()) paths.push_back(plan.cwd);
  for (const PlannedPipeline& pipeline : plan.pipelines) {
    for (const PlannedCommand& command : pipeline.commands) {
      if (!command.executable.empty()) paths.push_back(command.executable);
      if (command.script) paths.push_back(command.script->path);
    }
  }
  return paths;
}

std::string bytes_of(const KeptOrder& order) {
  const auto raw = order.limits.raw.value_or(OutputLimits::Raw{});
  const Json json{{"plan", json_of(order.plan)},
                  {"states", order.states},
                  {"timeoutMs", order.timeout ? Json(order.timeout->count()) : Json()},
                  {"maxBytes", order.limits.max_bytes},
                  {"raw", order.limits.raw ? Json{raw.standard_output, raw.standard_error} : Json()},
                  {"killGraceMs", order.kill_grace.count()},
                  {"giveUpMs", order.give_up.count()},
                  {"leavesBackground", order.leaves_background},
                  {"mark", order.mark},
                  {"restOfMark", order.rest_of_mark},
                  {"row", order.row},
                  {"run", order.output.run_id},
                  {"stdout", order.output.standard_output},
                  {"stderr", order.output.standard_error},
                  {"stopFile", order.output.stop_file},
                  {"maxSpooled", order.output.max_bytes},
                  {"all", order.output.all},
                  {"maxOfAll", order.output.max_bytes_of_all},
                  {"directory", order.directory},
                  {"liveOutput", order.live_output},
                  {"controlGroups", order.control_groups}};
  std::string bytes;
  Json::to_cbor(json, bytes);
  return bytes;
}

Result<KeptOrder> order_from(std::string_view bytes) {
  const auto unreadable = [](const std::string& why) {
    return make_error("KEPT_ORDER_UNREADABLE", "this is no order to keep a run: " + why);
  };
  try {
    const Json json = Json::from_cbor(bytes.begin(), bytes.end());
    KeptOrder order;
    order.plan = plan_from(json.at("plan"));
    order.states = json.at("states").get<std::map<std::string, std::string>>();
    if (const auto timeout = number_from<std::int64_t>(json.at("timeoutMs")))
      order.timeout = std::chrono::milliseconds(*timeout);
    order.limits.max_bytes = json.at("maxBytes").get<std::uint64_t>();
    if (const Json& raw = json.at("raw"); !raw.is_null())
      order.limits.raw = OutputLimits::Raw{raw.at(0).get<std::uint64_t>(), raw.at(1).get<std::uint64_t>()};
    order.kill_grace = std::chrono::milliseconds(json.at("killGraceMs").get<std::int64_t>());
    order.give_up = std::chrono::milliseconds(json.at("giveUpMs").get<std::int64_t>());
    order.leaves_background = json.at("leavesBackground").get<bool>();
    order.mark = json.at("mark").get<std::string>();
    order.rest_of_mark = json.at("restOfMark").get<std::string>();
    order.row = json.at("row").get<std::int64_t>();
    order.output.run_id = json.at("run").get<std::string>();
    order.output.standard_output = json.at("stdout").get<std::string>();
    order.output.standard_error = json.at("stderr").get<std::string>();
    order.output.stop_file = json.at("stopFile").get<std::string>();
    order.output.max_bytes = json.at("maxSpooled").get<std::uint64_t>();
    order.output.all = json.at("all").get<std::string>();
    order.output.max_bytes_of_all = json.at("maxOfAll").get<std::uint64_t>();
    order.directory = json.at("directory").get<std::string>();
    order.live_output = json.at("liveOutput").get<std::string>();
    order.control_groups = json.at("controlGroups").get<std::string>();
    return order;
  } catch (const Json::exception& error) {
    return unreadable(error.what());
  }
}

Json json_of(const RunOutcome& outcome) {
  Json used{{"of", static_cast<int>(outcome.used.of)}};
  if (outcome.used.cpu) used["cpuUs"] = outcome.used.cpu->count();
  if (outcome.used.peak_memory_bytes) used["peakBytes"] = *outcome.used.peak_memory_bytes;
  return {{"exitCode", outcome.exit_code ? Json(*outcome.exit_code) : Json()},
          {"signal", outcome.signal ? Json(*outcome.signal) : Json()},
          {"timedOut", outcome.timed_out},
          {"cancelled", outcome.cancelled},
          {"launchError", outcome.launch_error},
          {"stdout", json_of(outcome.standard_output)},
          {"stderr", json_of(outcome.standard_error)},
          {"truncated", outcome.truncated},
          {"leaderPid", outcome.leader_pid},
          {"leftAlive", outcome.left_alive},
          {"used", std::move(used)},
          {"durationNs", outcome.duration.count()},
          {"endedAtMs", outcome.ended_at_ms}};
}

std::optional<RunOutcome> outcome_from(const Json& json) {
  try {
    RunOutcome outcome;
    outcome.exit_code = number_from<int>(json.at("exitCode"));
    outcome.signal = number_from<int>(json.at("signal"));
    outcome.timed_out = json.at("timedOut").get<bool>();
    outcome.cancelled = json.at("cancelled").get<bool>();
    outcome.launch_error = json.at("launchError").get<std::string>();
    outcome.standard_output = stream_from(json.at("stdout"));
    outcome.standard_error = stream_from(json.at("stderr"));
    outcome.truncated = json.at("truncated").get<bool>();
    outcome.leader_pid = json.at("leaderPid").get<std::int64_t>();
    outcome.left_alive = json.at("leftAlive").get<std::size_t>();
    const Json& used = json.at("used");
    outcome.used.of = static_cast<ResourceUse::Of>(used.at("of").get<int>());
    if (const auto cpu = used.find("cpuUs"); cpu != used.end())
      outcome.used.cpu = std::chrono::microseconds(cpu->get<std::int64_t>());
    if (const auto peak = used.find("peakBytes"); peak != used.end())
      outcome.used.peak_memory_bytes = peak->get<std::uint64_t>();
    outcome.duration = std::chrono::nanoseconds(json.at("durationNs").get<std::int64_t>());
    outcome.ended_at_ms = json.at("endedAtMs").get<std::int64_t>();
    return outcome;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace hostclaw::node_host
