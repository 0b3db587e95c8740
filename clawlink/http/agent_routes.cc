// SPDX-License-Identifier: Apache-2.0
// The relay itself and who is there.
#include "clawlink/http/route_calls.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/files.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostNameBytes = 256;
constexpr std::size_t kMostDescriptionBytes = 8192;
constexpr std::size_t kMostCapabilities = 256;
constexpr std::size_t kMostCapabilityBytes = 16'384;  // of all together, as JSON

Json endpoints() {
  return {{"register", "POST /register"},
          {"deregister", "POST /deregister"},
          {"discover", "GET /discover"},
          {"heartbeat", "POST /heartbeat"},
          {"delegate", "POST /delegate"},
          {"poll", "GET /poll/{agent_id}?wait=S&lease=S&max=N"},
          {"ack", "POST /ack"},
          {"nack", "POST /nack"},
          {"extend", "POST /extend"},
          {"respond", "POST /respond"},
          {"broadcast", "POST /broadcast"},
          {"tasks", "GET /tasks"},
          {"task", "GET /tasks/{id}?after=N&wait=S"},
          {"cancel", "POST /tasks/{id}/cancel"},
          {"message", "POST /tasks/{id}/message"},
          {"files_write", "POST /files"},
          {"files_list", "GET /files"},
          {"files_read", "GET /files/{file_key}?version=N"},
          {"files_history", "GET /files/{file_key}/history"},
          {"websocket", "GET /ws/{agent_id}"},
          {"events", "GET /events/{agent_id}"},
          {"metrics", "GET /metrics"}};
}

Result<Agent> read_agent(const RouteCall& call) {
  const Json& body = call.body;
  Agent agent;
  if (const Json* const id = find_member(body, "agent_id")) {
    if (!id->is_string() || !is_agent_id(id->get_ref<const std::string&>()))
      return make_error("AGENT_INVALID", "agent_id is 1 to 128 characters without spaces, slashes, ? and #");
    agent.agent_id = id->get<std::string>();
  }
  if (is_reserved_id(agent.agent_id))
    return make_error("AGENT_INVALID", agent.agent_id + " is a name of the relay's own");
  if (agent.agent_id.empty()) agent.agent_id = call.caller.has_credential() ? call.caller.agent : short_id(8);
  agent.name = text_member(body, "name", "agent-" + agent.agent_id.substr(0, 4));
  agent.machine = text_member(body, "machine", call.request.peer);
  agent.description = text_member(body, "description");
  if (const Json* const capabilities = find_member(body, "capabilities");
      capabilities && capabilities->is_array())
    agent.capabilities = *capabilities;
  if (agent.name.size() > kMostNameBytes || agent.machine.size() > kMostNameBytes ||
      agent.description.size() > kMostDescriptionBytes || agent.capabilities.size() > kMostCapabilities ||
      dump_json(agent.capabilities).size() > kMostCapabilityBytes) {
    return make_error("AGENT_INVALID", "name, machine, description or capabilities are too long");
  }
  return agent;
}

// A credential registers its own agent; without one, an agent that nobody guards.
Result<void> may_register(const RouteCall& call, const std::string& agent_id) {
  if (call.caller.has_credential()) {
    const Result<Sender> sender = speak_as(call.session, call.config.access, call.caller, agent_id);
    if (!sender) return sender.error();
    return {};
  }
  const Result<bool> guarded = is_guarded(call.session, agent_id);
  if (!guarded) return guarded.error();
  if (*guarded)
    return make_error("FORBIDDEN", "agent " + agent_id + " registers with its own agent_token only");
  return {};
}

}  // namespace

Error bad_request(const std::string& what) { return make_error("BAD_REQUEST", what); }

Result<Sender> sender_of(const RouteCall& call, const char* member) {
  const std::string claimed = text_member(call.body, member);
  if (!claimed.empty() && !is_agent_id(claimed))
    return bad_request(std::string(member) + " is no id of an agent");
  return speak_as(call.session, call.config.access, call.caller, claimed);
}

Result<Reply> relay_info(RouteCall& call) {
  const Result<std::int64_t> online = count_agents(call.session, true);
  if (!online) return online.error();
  const Result<std::int64_t> files = count_files(call.session);
  if (!files) return files.error();
  const Result<std::int64_t> broadcasts =
      call.session.database.integer("SELECT value FROM counters WHERE name = 'broadcasts'");
  if (!broadcasts) return broadcasts.error();
  return json_reply(
      {{"service", "ClawLink Relay"},
       {"version", call.config.version},
       {"auth_required", !call.config.access.shared_token.empty() || call.config.access.require_credentials},
       {"agents_online", *online},
       {"total_broadcasts", *broadcasts},
       {"shared_files", *files},
       {"note", call.config.note},
       {"endpoints", endpoints()},
       {"features", {"idempotency", "leases", "tasks", "events"}},
       {"server_time", iso_time(call.session.now_ms)}});
}

Result<Reply> register_agent(RouteCall& call) {
  const Result<Agent> wanted = read_agent(call);
  if (!wanted) return wanted.error();
  if (Result<void> may = may_register(call, wanted->agent_id); !may) return may.error();
  if (Result<void> put = put_agent(call.session, *wanted); !put) return put.error();
  const Result<std::optional<Agent>> agent = find_agent(call.session, wanted->agent_id);
  if (!agent) return agent.error();
  const Json record = to_json(**agent, call.session.now_ms, call.session.limits);
  Json body{{"status", "registered"}, {"agent", record}, {"server_time", iso_time(call.session.now_ms)}};
  if (!call.caller.has_credential()) {
    const Result<NewCredential> made = make_credential(call.session, wanted->agent_id, wanted->agent_id);
    if (!made) return made.error();
    body["agent_token"] = made->token;
  }
  const Json joined{
      {"type", "agent_joined"}, {"agent", record}, {"timestamp", iso_time(call.session.now_ms)}};
  call.session.effects.joined.push_back({wanted->agent_id, dump_json(joined)});
  return json_reply(body);
}

Result<Reply> deregister_agent(RouteCall& call) {
  const Result<Sender> sender = sender_of(call, "agent_id");
  if (!sender) return sender.error();
  if (sender->agent.empty()) return bad_request("agent_id required");
  if (Result<void> gone = remove_agent(call.session, sender->agent, call.caller.name()); !gone)
    return gone.error();
  return json_reply({{"status", "deregistered"}, {"agent_id", sender->agent}});
}

Result<Reply> discover(RouteCall& call) {
  AgentFilter filter;
  filter.only_online = true;
  const Result<std::vector<Agent>> agents = list_agents(call.session, filter);
  if (!agents) return agents.error();
  Json list = Json::array();
  for (const Agent& agent : *agents) list.push_back(to_json(agent, call.session.now_ms, call.session.limits));
  return json_reply(
      {{"agents", list}, {"count", list.size()}, {"server_time", iso_time(call.session.now_ms)}});
}

Result<Reply> heartbeat(RouteCall& call) {
  const Result<Sender> sender = sender_of(call, "agent_id");
  if (!sender) return sender.error();
  if (sender->agent.empty()) return bad_request("agent_id required");
  const Result<bool> known = heard_of(call.session, sender->agent);
  if (!known) return known.error();
  return json_reply({{"status", *known ? "ok" : "unknown_agent"}});
}

}  // namespace hostclaw::clawlink
