// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/runs_tool.h"

#include <algorithm>

#include "base/text.h"
#include "node-host/record/run_view.h"
#include "node-host/run/live_output.h"

namespace hostclaw::node_host {
namespace {

using gateway_proto::InvokeResult;

constexpr const char* kServer = "hostclaw";
constexpr const char* kTool = "hostclaw_runs";
constexpr std::int64_t kUsualRuns = 20;
constexpr std::int64_t kMostRuns = 100;

constexpr const char* kDescription =
    "Shows what this agent ran on the node in this session, newest first: command, state, exit code and "
    "times. With id: one run with the end of its output, also while it still runs. Reads only; use it to "
    "find "
    "the result of a command whose answer was lost, for example because the gateway restarted.";

// Whose runs: both parts are the gateway's word.
struct Owner {
  std::string agent;
  std::string session;
  bool known() const { return !agent.empty() && !session.empty(); }
};

// "agent:<id>:<the rest>".
Owner owner_of(std::string_view session_key) {
  constexpr std::string_view kPrefix = "agent:";
  if (!session_key.starts_with(kPrefix)) return {};
  const std::size_t end = session_key.find(':', kPrefix.size());
  if (end == std::string_view::npos || end + 1 == session_key.size()) return {};
  return {std::string(session_key.substr(kPrefix.size(), end - kPrefix.size())), std::string(session_key)};
}

InvokeResult request_error(const char* what) {
  return InvokeResult::failure("INVALID_REQUEST", std::string("Error: INVALID_REQUEST: ") + what);
}

std::string word_of(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? std::string(trim(it->get_ref<const std::string&>()))
                                               : std::string();
}

InvokeResult tool_answer(const std::string& text, bool is_error) {
  Json answer = {{"content", Json::array({{{"type", "text"}, {"text", text}}})}};
  if (is_error) answer["isError"] = true;
  return InvokeResult::object(answer);
}

// What its agent needs of a run; the rest is for people.
Json for_agent(const approvals::RunRow& run, const Clock& clock) {
  Json json = run_json(run, true, clock.unix_ms());
  for (const char* name : {"door", "principal", "agentId", "sessionKey", "resolvedPath"}) json.erase(name);
  return json;
}

InvokeResult list_runs(approvals::Store& store, const Owner& owner, const Json& arguments,
                       const Clock& clock) {
  approvals::RunFilter filter;
  filter.agent_id = owner.agent;
  filter.session_key = owner.session;
  std::int64_t limit = kUsualRuns;
  if (const auto it = arguments.find("limit"); it != arguments.end() && it->is_number_integer())
    limit = it->get<std::int64_t>();
  filter.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(limit, 1, kMostRuns));
  const auto rows = store.runs(filter);
  if (!rows) return tool_answer(rows.error().code + ": " + rows.error().message, true);
  Json runs = Json::array();
  for (const approvals::RunRow& run : *rows) runs.push_back(for_agent(run, clock));
  return tool_answer(dump_json(Json{{"runs", std::move(runs)}}), false);
}

InvokeResult show_run(approvals::Store& store, const Owner& owner, const std::string& id,
                      const std::string& live_output, const Clock& clock) {
  approvals::RunFilter own;
  own.agent_id = owner.agent;
  own.session_key = owner.session;
  const auto found = store.run(id, own);
  if (!found) return tool_answer(found.error().code + ": " + found.error().message, true);
  // Another's run is one that there is not.
  if (!*found || (*found)->agent_id != owner.agent || (*found)->session_key != owner.session)
    return tool_answer("NOT_FOUND: this agent has no run " + id + " in this session", true);
  const approvals::RunRow& run = **found;
  Json json = for_agent(run, clock);
  json["output"] = is_open_run(run) ? live_tail(live_output, run.row_id) : run.output_tail;
  return tool_answer(dump_json(json), false);
}

}  // namespace

std::string published_tools() {
  const Json parameters = {
      {"type", "object"},
      {"properties",
       {{"id", {{"type", "string"}, {"description", "One run, or the beginning of its id"}}},
        {"limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", kMostRuns}}}}},
      {"additionalProperties", false}};
  const Json tool = {{"pluginId", kServer},         {"name", kTool},
                     {"description", kDescription}, {"parameters", parameters},
                     {"command", kToolCommand},     {"mcp", {{"server", kServer}, {"tool", kTool}}}};
  return dump_json(Json{{"tools", Json::array({tool})}});
}

InvokeResult call_tool(approvals::Store& store, const Json& params, std::string_view session_key,
                       const std::string& live_output, const Clock& clock) {
  if (!params.is_object()) return request_error("MCP tool params must be an object");
  const std::string server = word_of(params, "server");
  const std::string tool = word_of(params, "tool");
  if (server.empty() || tool.empty()) return request_error("server and tool required");
  const Json none = Json::object();
  const auto given = params.find("arguments");
  const Json& arguments = given == params.end() ? none : *given;
  if (!arguments.is_object()) return request_error("arguments must be an object");
  if (server != kServer)
    return InvokeResult::failure("MCP_SERVER_UNAVAILABLE", "MCP server \"" + server + "\" is unavailable");
  if (tool != kTool)
    return InvokeResult::failure("MCP_TOOL_UNAVAILABLE",
                                 "MCP tool \"" + tool + "\" is unavailable on server \"" + server + "\"");
  const Owner owner = owner_of(session_key);
  if (!owner.known())
    return tool_answer("Nothing is shown: this call names no agent and session, so no run is its own.", true);
  const std::string id = word_of(arguments, "id");
  return id.empty() ? list_runs(store, owner, arguments, clock)
                    : show_run(store, owner, id, live_output, clock);
}

}  // namespace hostclaw::node_host
