// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/a2a_door.h"

#include <array>

#include "base/sha256.h"
#include "base/text.h"
#include "clawlink/a2a/methods.h"
#include "clawlink/a2a/protocol_0_3.h"
#include "clawlink/http/event_stream.h"
#include "clawlink/http/peer_watch.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

// Clients give up after a while without an answer; then they have the task as it is, and may ask again.
constexpr std::chrono::seconds kBlockingWait{110};
constexpr std::chrono::seconds kStreamKeepAlive{20};
constexpr std::chrono::seconds kA2aWriteTime{60};
constexpr std::size_t kStreamPageBytes = 4'000'000;
constexpr int kNoContent = 204;
constexpr const char* kRestType = "application/a2a+json";
constexpr const char* kOlderVersion = "0.3";

// One call, however it was spelled.
struct Wire {
  bool rest = false;
  bool of_0_3 = false;  // spelled as A2A 0.3 has it, and so answered
  Json id;              // of JSON-RPC
  A2aCall call;
  std::optional<A2aError> error;
  bool streams() const { return call.method == "SendStreamingMessage" || call.method == "SubscribeToTask"; }
};

std::string version_of(const HttpRequest& request) {
  return request.a2a_version.empty() ? request.query_text("A2A-Version") : request.a2a_version;
}

// Where no version is named, which 0.3's clients and OpenClaw leave out, the call's own shape tells.
std::optional<A2aError> check_head(const HttpRequest& request, bool rest) {
  const std::string version = version_of(request);
  if (!version.empty() && version != "1.0" && (rest || version != kOlderVersion))
    return a2a_error("VERSION_NOT_SUPPORTED");
  if (request.method != "POST" || request.body.empty()) return std::nullopt;
  const std::string type =
      to_lower_ascii(trim(std::string_view(request.content_type).substr(0, request.content_type.find(';'))));
  if (type != "application/json" && type != kRestType) return a2a_error("CONTENT_TYPE_NOT_SUPPORTED");
  return std::nullopt;
}

// A call of 0.3 becomes one of 1.0. OpenClaw sends 1.0's params under 0.3's name, too.
void read_version(const std::string& version, Wire& wire) {
  const auto method = version == "1.0" ? std::nullopt : method_from_0_3(wire.call.method);
  if (!method) {
    if (version == kOlderVersion)
      wire.error = a2a_error(wire.call.method.find('/') == std::string::npos ? "VERSION_NOT_SUPPORTED"
                                                                             : "METHOD_NOT_FOUND");
    return;
  }
  wire.call.method = *method;
  wire.of_0_3 = version == kOlderVersion || !has_shape_of_1_0(wire.call.params);
  if (wire.of_0_3) wire.error = params_from_0_3(wire.call.params);
}

Wire read_rpc(const HttpRequest& request) {
  Wire wire;
  wire.call.agent_id = request.path[2];
  if ((wire.error = check_head(request, false))) return wire;
  const Result<Json> body = parse_json(request.body, {request.body.size() + 1, kMostDepth});
  if (!body) {
    wire.error = a2a_error("PARSE_ERROR");
    return wire;
  }
  const Json* const id = find_member(*body, "id");
  if (id != nullptr && (id->is_string() || id->is_number())) wire.id = *id;
  const bool odd_id = id != nullptr && !id->is_null() && !id->is_string() && !id->is_number_integer();
  if (!body->is_object() || text_member(*body, "jsonrpc") != "2.0" || text_member(*body, "method").empty() ||
      odd_id) {
    wire.error = a2a_error("INVALID_REQUEST");
    return wire;
  }
  wire.call.method = text_member(*body, "method");
  wire.call.params = body->value("params", Json());
  use_json_names(wire.call.params);
  read_version(version_of(request), wire);
  return wire;
}

// "tasks/ID:cancel" -> "CancelTask" with {id}.
struct RestRoute {
  std::string_view method;
  std::string_view verb;  // behind the colon
  std::string_view name;
};
constexpr std::array kTaskVerbs = {
    RestRoute{"GET", "", "GetTask"},
    RestRoute{"POST", "cancel", "CancelTask"},
    RestRoute{"POST", "subscribe", "SubscribeToTask"},
    RestRoute{"GET", "subscribe", "SubscribeToTask"},
};

// What a path names beside the method.
struct RestNames {
  std::string task_id;
  std::string config_id;
  bool of_configs = false;
};

std::string_view config_method(const HttpRequest& request, RestNames& names) {
  names.of_configs = true;
  if (request.path.size() == 6) {
    if (request.method == "POST") return "CreateTaskPushNotificationConfig";
    return request.method == "GET" ? "ListTaskPushNotificationConfigs" : "";
  }
  names.config_id = request.path[6];
  if (request.path.size() != 7 || names.config_id.empty()) return {};
  if (request.method == "GET") return "GetTaskPushNotificationConfig";
  return request.method == "DELETE" ? "DeleteTaskPushNotificationConfig" : "";
}

std::string_view rest_method(const HttpRequest& request, RestNames& names) {
  const std::string& what = request.path[3];
  if (request.path.size() == 4) {
    if (request.method == "POST" && what == "message:send") return "SendMessage";
    if (request.method == "POST" && what == "message:stream") return "SendStreamingMessage";
    if (request.method == "GET" && what == "tasks") return "ListTasks";
    if (request.method == "GET" && what == "extendedAgentCard") return "GetExtendedAgentCard";
    return {};
  }
  if (what != "tasks") return {};
  const std::string& last = request.path[4];
  const std::size_t colon = last.find(':');
  names.task_id = last.substr(0, colon);
  if (request.path.size() > 5)
    return request.path[5] == "pushNotificationConfigs" ? config_method(request, names) : std::string_view();
  const std::string_view verb =
      colon == std::string::npos ? std::string_view() : std::string_view(last).substr(colon + 1);
  for (const RestRoute& route : kTaskVerbs) {
    if (route.method == request.method && route.verb == verb) return route.name;
  }
  return {};
}

void put_names(const RestNames& names, Json& params) {
  if (names.of_configs) {
    params["taskId"] = names.task_id;
    if (!names.config_id.empty()) params["id"] = names.config_id;
  } else if (!names.task_id.empty()) {
    params["id"] = names.task_id;
  }
}

Wire read_rest_call(const HttpRequest& request) {
  Wire wire;
  wire.rest = true;
  wire.call.agent_id = request.path[2];
  RestNames names;
  wire.call.method = rest_method(request, names);
  if (wire.call.method.empty()) {
    wire.error = a2a_error("METHOD_NOT_FOUND");
    return wire;
  }
  if ((wire.error = check_head(request, true))) return wire;
  wire.call.params = Json::object();
  if (request.method == "POST" && !request.body.empty()) {
    Result<Json> body = parse_json(request.body, {request.body.size() + 1, kMostDepth});
    if (!body) {
      wire.error = a2a_error("PARSE_ERROR");
      return wire;
    }
    wire.call.params = std::move(*body);
    use_json_names(wire.call.params);
  }
  for (const auto& [name, value] : request.query) {
    if (name != "token" && wire.call.params.is_object()) wire.call.params.emplace(name, value);
  }
  if (wire.call.params.is_object()) put_names(names, wire.call.params);
  return wire;
}

std::string rpc_text(const Wire& wire, const char* name, const Json& value) {
  return dump_json(Json{{"jsonrpc", "2.0"}, {"id", wire.id}, {name, value}});
}

std::string rpc_result(const Wire& wire, const Json& result) {
  return rpc_text(wire, "result", wire.of_0_3 ? result_to_0_3(result) : result);
}

std::string rpc_error(const Wire& wire, const A2aError& error) {
  return rpc_text(wire, "error", wire.of_0_3 ? error_to_0_3(error) : to_rpc(error));
}

Reply result_reply(const Wire& wire, const Json& result, int rest_status = 200) {
  Reply reply;
  if (!wire.rest) {
    reply.body = rpc_result(wire, result);
    return reply;
  }
  reply.status = rest_status;
  reply.content_type = kRestType;
  if (rest_status != kNoContent) reply.body = dump_json(result);
  return reply;
}

Reply refusal_reply(const Wire& wire, const A2aError& error) {
  Reply reply;
  reply.commits = false;
  reply.body = wire.rest ? dump_json(to_rest(error)) : rpc_error(wire, error);
  if (wire.rest) {
    reply.content_type = kRestType;
    reply.status = error.http_status;
  } else if (is_one_of(error.reason, {"UNAUTHENTICATED", "FORBIDDEN", "AGENT_NOT_FOUND", "QUEUE_FULL"})) {
    reply.status = error.http_status;
  }
  if (error.http_status == 429) reply.headers.emplace_back("Retry-After", "5");
  return reply;
}

std::string event_of(const Wire& wire, const Json& response) {
  return "data: " + (wire.rest ? dump_json(response) : rpc_result(wire, response)) + "\n\n";
}

Reply help_reply(const std::string& what) {
  return error_reply(404, what + "; an agent's card is at /agents/ID/.well-known/agent-card.json",
                     "NOT_FOUND");
}

// What the protocol has no code of its own for.
constexpr int kOtherError = -32603;

std::string_view a2a_reason(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "AGENT_NOT_FOUND";
    default:
      return "INTERNAL";
  }
}

// A refusal of the relay's in the words of the protocol.
Reply dressed(const Wire& wire, const Reply& refused) {
  const Result<Json> body = parse_json(refused.body);
  const A2aError error{kOtherError, refused.status, std::string(a2a_reason(refused.status)),
                       body ? text_member(*body, "error") : std::string()};
  Reply reply = refusal_reply(wire, error);
  reply.status = refused.status;
  reply.is_refused_access = refused.is_refused_access;
  if (refused.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

// The call in the database; refused: the reply says so.
asio::awaitable<Reply> run_call(RelayService& service, const HttpRequest& request, const Wire& wire,
                                A2aOutcome& outcome) {
  CommitWriter::Work work = [&service, &request, &wire, &outcome](StoreSession& session) {
    const RouteConfig& config = service.config().routes;
    const Result<Caller> caller = authenticate(session, config.access, request.presented);
    if (!caller) return dressed(wire, error_reply(caller.error()));
    if (wire.error) return refusal_reply(wire, *wire.error);
    // What became of the tasks of one that has left can be asked; they are its callers'.
    if (is_one_of(wire.call.method, {"SendMessage", "SendStreamingMessage"})) {
      const Result<std::optional<Agent>> agent = find_agent(session, wire.call.agent_id);
      if (!agent) return dressed(wire, error_reply(agent.error()));
      if (!*agent) return dressed(wire, help_reply("no such agent is registered"));
    }
    outcome = do_a2a(session, config, *caller, wire.call);
    return outcome.error ? refusal_reply(wire, *outcome.error)
                         : result_reply(wire, outcome.result, outcome.rest_status);
  };
  Reply reply = co_await service.run(std::move(work));
  co_return reply;
}

// nullopt: it is gone, or the caller's credential is.
asio::awaitable<std::optional<A2aNow>> look(RelayService& service, const HttpRequest& request,
                                            const A2aLook& wanted) {
  std::optional<A2aNow> now;
  CommitWriter::Work work = [&](StoreSession& session) {
    const auto caller = authenticate(session, service.config().routes.access, request.presented);
    if (!caller) return error_reply(caller.error());
    Result<A2aNow> found = look_at_task(session, wanted);
    if (!found) return error_reply(found.error());
    now = std::move(*found);
    return Reply();
  };
  co_await service.run(std::move(work));
  co_return now;
}

// Until the task has ended or asks something, the client has gone, or it has waited long enough.
asio::awaitable<Reply> wait_for_answer(Connection& connection, const HttpRequest& request, const Wire& wire,
                                       const A2aOutcome& outcome, Reply reply) {
  RelayService& service = connection.service;
  Bell bell(service.executor());
  const Hub::Place place(service.hub(), Hub::of_task(outcome.task_id), bell);
  const PeerWatch watch(connection.stream, bell);
  const Counted counted(service.counts(), &RelayCounts::waiting_messages);
  const auto end = std::chrono::steady_clock::now() + kBlockingWait;
  const A2aLook state_only{outcome.task_id, 0, 0};
  for (;;) {
    const std::optional<A2aNow> now = co_await look(service, request, state_only);
    if (!now) co_return reply;
    if (is_settled(now->task.state) || watch.gone()) break;
    const bool rung = co_await bell.wait_until(end);
    if (!rung || watch.gone()) break;
  }
  const A2aLook all{outcome.task_id};
  const std::optional<A2aNow> now = co_await look(service, request, all);
  if (now) reply = result_reply(wire, Json{{"task", a2a_task(now->task, now->events, outcome.view)}});
  co_return reply;
}

asio::awaitable<bool> write_in_time(Connection& connection, const std::string& bytes) {
  connection.stream.tcp().expires_after(kA2aWriteTime);
  const bool written = co_await write_all(connection.stream, bytes);
  connection.stream.tcp().expires_never();
  co_return written;
}

// The task, then what becomes of it, to its end. Closing the stream does not touch the task.
asio::awaitable<void> stream_task(Connection& connection, const HttpRequest& request, const Wire& wire,
                                  const A2aOutcome& outcome) {
  RelayService& service = connection.service;
  Bell bell(service.executor());
  const Hub::Place place(service.hub(), Hub::of_task(outcome.task_id), bell);
  const PeerWatch watch(connection.stream, bell);
  const Counted counted(service.counts(), &RelayCounts::a2a_streams);
  EventStream stream(connection, request.takes_chunks, kA2aWriteTime);
  const std::string first = event_of(wire, outcome.result);
  if (!co_await stream.begin(first)) co_return;
  A2aLook wanted{outcome.task_id, outcome.seen, kStreamPageBytes};
  for (;;) {
    const std::optional<A2aNow> now = co_await look(service, request, wanted);
    if (!now) co_return;
    std::string bytes;
    for (const TaskEvent& event : now->events) {
      wanted.after = event.seq;
      const Json update = a2a_update(now->task, event);
      if (!update.is_null()) bytes += event_of(wire, update);
    }
    if (!bytes.empty()) {
      if (!co_await stream.write(bytes)) co_return;
    }
    if (!now->events.empty() && wanted.after < now->task.events) continue;
    if (is_settled(now->task.state)) co_return co_await stream.end();
    if (watch.gone()) co_return;
    const bool rung = co_await bell.wait_until(std::chrono::steady_clock::now() + kStreamKeepAlive);
    const std::string still_here = ": still here\n\n";
    if (rung) continue;
    if (!co_await stream.write(still_here)) co_return;
  }
}

asio::awaitable<bool> write_reply(Connection& connection, const HttpRequest& request, const Reply& reply,
                                  bool keep_alive) {
  connection.service.counts()->answered(reply.status);
  if (reply.is_refused_access) co_await brake(connection.service, request);
  const std::string bytes = wire_bytes(reply, keep_alive);
  const bool written = co_await write_in_time(connection, bytes);
  co_return written&& keep_alive;
}

// How the caller reaches this relay: as configured; on loopback as it says itself, in a Host header that was
// found to name this machine before the request came here.
std::string base_url(const Connection& connection, const HttpRequest& request) {
  std::string configured = connection.service.config().public_url;
  while (configured.ends_with('/')) configured.pop_back();
  if (!configured.empty() || !connection.service.config().is_loopback) return configured;
  return (connection.service.config().uses_tls ? "https://" : "http://") + request.host;
}

// For the time in which a reader may keep what it has got.
constexpr const char* kCacheControl = "public, max-age=60";

Reply key_set_reply(const RouteConfig& config) {
  if (config.card_key == nullptr) return help_reply("this relay does not sign cards");
  Reply reply = json_reply(config.card_key->key_set());
  reply.headers = {{"Cache-Control", kCacheControl}};
  return reply;
}

// Readers of both versions get a card that is not signed: what is signed is 1.0's alone.
Reply dressed_card(const RouteConfig& config, Json card, const std::string& base, bool for_both) {
  if (for_both) return json_reply(card_for_both(std::move(card)));
  if (config.card_key == nullptr) return json_reply(card);
  const Result<Json> with_signatures = signed_card(*config.card_key, std::move(card), key_set_url(base));
  return with_signatures ? json_reply(*with_signatures) : error_reply(with_signatures.error());
}

asio::awaitable<Reply> card_reply(Connection& connection, const HttpRequest& request) {
  RelayService& service = connection.service;
  const std::string base = base_url(connection, request);
  if (base.empty())
    co_return error_reply(
        503, "this relay does not know how others reach it: its owner starts it with --public-url URL",
        "NO_PUBLIC_URL");
  const bool for_both = version_of(request) != "1.0";
  Json card;
  CommitWriter::Work work = [&service, &request, &base, &card](StoreSession& session) {
    const Result<std::optional<Agent>> agent = find_agent(session, request.path[1]);
    if (!agent) return error_reply(agent.error());
    if (!*agent) return help_reply("no such agent is registered");
    card = agent_card(**agent, base, card_wish(service.config().routes));
    return Reply();
  };
  Reply reply = co_await service.run(std::move(work));
  if (reply.status != 200) co_return reply;
  // Of what the card says: no two signatures are the same.
  const std::shared_ptr<const CardKey>& key = service.config().routes.card_key;
  const std::string signed_by = for_both || key == nullptr ? "" : key->key_id();
  const std::string tag = "\"" + sha256_hex(dump_json(card) + signed_by).substr(0, 16) + "\"";
  if (request.if_none_match == tag) {
    reply.status = 304;
  } else {
    reply = dressed_card(service.config().routes, std::move(card), base, for_both);
  }
  reply.headers = {{"ETag", tag}, {"Cache-Control", kCacheControl}, {"Vary", "A2A-Version"}};
  co_return reply;
}

bool is_key_set(const HttpRequest& request) {
  return request.method == "GET" && request.path.size() == 2 && request.path[0] == ".well-known" &&
         request.path[1] == "jwks.json";
}

bool is_card(const HttpRequest& request) {
  return request.method == "GET" && request.path.size() == 4 && request.path[0] == "agents" &&
         request.path[2] == ".well-known" && request.path[3] == "agent-card.json";
}

}  // namespace

Reply a2a_refusal(const HttpRequest& request, Reply refused) {
  if (request.path.size() < 3 || request.path[0] != "a2a") return refused;
  Wire wire;
  wire.rest = request.path.size() >= 4;
  return dressed(wire, refused);
}

bool is_a2a(const HttpRequest& request) {
  return !request.path.empty() && is_one_of(request.path[0], {"a2a", "agents", ".well-known"});
}

asio::awaitable<bool> serve_a2a(Connection& connection, const HttpRequest& request, bool keep_alive) {
  connection.stream.tcp().expires_never();
  Reply reply;
  if (is_card(request)) {
    reply = co_await card_reply(connection, request);
    co_return co_await write_reply(connection, request, reply, keep_alive);
  }
  if (is_key_set(request)) {
    reply = key_set_reply(connection.service.config().routes);
    co_return co_await write_reply(connection, request, reply, keep_alive);
  }
  const bool of_agent = request.path.size() >= 3 && request.path[0] == "a2a" && request.path[1] == "agents";
  const bool rest = of_agent && request.path.size() >= 4;
  if (!of_agent || (!rest && request.method != "POST")) {
    reply = help_reply("a relay has many agents and no card of its own");
    co_return co_await write_reply(connection, request, reply, keep_alive);
  }
  Wire wire = rest ? read_rest_call(request) : read_rpc(request);
  wire.call.base = base_url(connection, request);
  A2aOutcome outcome;
  reply = co_await run_call(connection.service, request, wire, outcome);
  if (outcome.task_id.empty() || outcome.error || reply.status >= 400)
    co_return co_await write_reply(connection, request, reply, keep_alive);
  if (wire.streams()) {
    co_await stream_task(connection, request, wire, outcome);
    co_return false;
  }
  if (outcome.waits) reply = co_await wait_for_answer(connection, request, wire, outcome, std::move(reply));
  co_return co_await write_reply(connection, request, reply, keep_alive);
}

}  // namespace hostclaw::clawlink
