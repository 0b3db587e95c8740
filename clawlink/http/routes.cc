// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/routes.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "clawlink/http/route_calls.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/files.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/requests.h"
#include "clawlink/store/rules.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostRequestKeyBytes = 200;

// What may be asked, in the order in which GET / names it. `*` is one segment.
struct Route {
  std::string_view method;
  std::string_view path;
  Result<Reply> (*handle)(RouteCall& call);
};

constexpr std::array kRoutes = {
    Route{"GET", "", relay_info},
    Route{"POST", "register", register_agent},
    Route{"POST", "deregister", deregister_agent},
    Route{"GET", "discover", discover},
    Route{"POST", "heartbeat", heartbeat},
    Route{"POST", "delegate", delegate},
    Route{"GET", "poll/*", poll},
    Route{"POST", "respond", respond_to_task},
    Route{"POST", "broadcast", broadcast},
    Route{"POST", "ack", acknowledge_messages},
    Route{"POST", "nack", give_back_message},
    Route{"POST", "extend", extend_message},
    Route{"GET", "tasks", show_tasks},
    Route{"GET", "tasks/*", show_task},
    Route{"POST", "tasks/*/cancel", cancel},
    Route{"POST", "tasks/*/message", continue_with_message},
    Route{"POST", "files", save_file},
    Route{"GET", "files", show_files},
    Route{"GET", "files/*", show_file},
    Route{"GET", "files/*/history", show_file_history},
};

// Served by the connection itself, so that they are known here for other methods alone.
constexpr std::array<std::string_view, 3> kElsewhere = {"ws/*", "events/*", "metrics"};

std::optional<std::vector<std::string>> match(std::string_view pattern,
                                              const std::vector<std::string>& path) {
  std::vector<std::string> parts;
  if (!pattern.empty()) parts = split(pattern, '/');
  if (parts.size() != path.size()) return std::nullopt;
  std::vector<std::string> captured;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "*" && !path[i].empty()) {
      captured.push_back(path[i]);
    } else if (parts[i] != path[i]) {
      return std::nullopt;
    }
  }
  return captured;
}

Result<Json> read_body(const HttpRequest& request) {
  Result<Json> body = parse_json(request.body, {request.body.size() + 1, kMostDepth});
  if (!body) return make_error("BAD_REQUEST", "the body is not JSON: " + body.error().message);
  if (!body->is_object()) return make_error("BAD_REQUEST", "the body is not a JSON object");
  return body;
}

// A credential that was shown once is not kept: whoever repeats the registration gets a new one, as long as
// it would be let in with a new registration.
Result<Reply> remembered_form(StoreSession& session, const Route& route, Reply reply, bool replays) {
  if (route.path != "register") return reply;
  Result<Json> body = parse_json(reply.body);
  if (!body) return body.error();
  if (replays && find_member(*body, "agent_token_once") != nullptr) {
    const std::string agent = text_member((*body)["agent"], "agent_id");
    const Result<bool> guarded = is_guarded(session, agent);
    if (!guarded) return guarded.error();
    if (*guarded)
      return make_error("FORBIDDEN", "agent " + agent + " registers with its own agent_token only");
    const Result<std::optional<Agent>> there = find_agent(session, agent);
    if (!there) return there.error();
    if (!*there) return make_error("AGENT_UNKNOWN", "agent " + agent + " has left since it registered");
    const Result<NewCredential> again = make_credential(session, agent, agent);
    if (!again) return again.error();
    (*body)["agent_token"] = again->token;
    body->erase("agent_token_once");
  } else if (!replays && body->erase("agent_token") > 0) {
    (*body)["agent_token_once"] = true;
  }
  reply.body = dump_json(*body);
  return reply;
}

Result<Reply> do_once(RouteCall& call, const Route& route) {
  const HttpRequest& request = call.request;
  if (request.method != "POST" || request.idempotency_key.empty()) return route.handle(call);
  if (request.idempotency_key.size() > kMostRequestKeyBytes)
    return make_error("BAD_REQUEST", "an Idempotency-Key has at most 200 bytes");
  const RequestKey key{call.caller.name(), request.idempotency_key, request.target + "\n" + request.body};
  Result<std::optional<Reply>> before = answered_before(call.session, key);
  if (!before) return before.error();
  if (*before) return remembered_form(call.session, route, std::move(**before), true);
  Result<Reply> reply = route.handle(call);
  if (!reply || !reply->commits) return reply;
  const Result<Reply> kept = remembered_form(call.session, route, *reply, false);
  if (!kept) return kept.error();
  if (Result<void> done = remember_answer(call.session, key, *kept); !done) return done.error();
  return reply;
}

}  // namespace

Reply answer(StoreSession& session, const RouteConfig& config, const HttpRequest& request) {
  const Result<Caller> caller = authenticate(session, config.access, request.presented);
  if (!caller) return error_reply(caller.error());
  bool other_method = std::any_of(kElsewhere.begin(), kElsewhere.end(), [&](std::string_view pattern) {
    return match(pattern, request.path).has_value();
  });
  for (const Route& route : kRoutes) {
    const auto captured = match(route.path, request.path);
    if (!captured) continue;
    if (route.method != request.method) {
      other_method = true;
      continue;
    }
    RouteCall call{session, config, request, *caller, *captured, Json()};
    if (request.method == "POST") {
      // Cancelling needs none.
      Result<Json> body =
          request.body.empty() && request.path.back() == "cancel" ? Json::object() : read_body(request);
      if (!body) return error_reply(body.error());
      call.body = std::move(*body);
    }
    Result<Reply> reply = do_once(call, route);
    return reply ? std::move(*reply) : error_reply(reply.error());
  }
  return other_method ? text_reply(405, "405: Method Not Allowed") : text_reply(404, "404: Not Found");
}

Result<Sender> receiver(StoreSession& session, const RouteConfig& config, const StreamCaller& stream) {
  const Result<Caller> caller = authenticate(session, config.access, stream.presented);
  if (!caller) return caller.error();
  return speak_as(session, config.access, *caller, stream.agent_id);
}

Reply open_stream(StoreSession& session, const RouteConfig& config, const StreamCaller& stream) {
  if (const Result<Sender> sender = receiver(session, config, stream); !sender)
    return error_reply(sender.error());
  if (!is_agent_id(stream.agent_id))
    return error_reply(make_error("AGENT_INVALID", "this is no id of an agent"));
  if (const Result<bool> heard = heard_of(session, stream.agent_id); !heard)
    return error_reply(heard.error());
  return Reply();
}

}  // namespace hostclaw::clawlink
