// SPDX-License-Identifier: Apache-2.0
// Messages: fetched, acknowledged, given back, told to everybody; and frames of sockets.
#include <cmath>

#include "clawlink/http/route_calls.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/forwards.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/rules.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::int64_t kMostMessages = 1000;
constexpr std::size_t kMostLeases = 1000;
constexpr std::size_t kMostLeaseBytes = 64;  // that is told back; those of the relay are shorter

// The queue of which a lease is, when the caller may speak for it.
Result<void> may_use(const RouteCall& call, const std::string& lease) {
  const Result<std::string> agent = agent_of_lease(call.session, lease);
  if (!agent) return agent.error();
  const Result<Sender> sender = speak_as(call.session, call.config.access, call.caller, *agent);
  if (!sender) return sender.error();
  return {};
}

// Seconds as milliseconds; nullopt: it is no number of that range.
std::optional<std::int64_t> seconds_member(const Json& body, const char* name, std::int64_t most_ms,
                                           std::int64_t otherwise) {
  const Json* const found = find_member(body, name);
  if (found == nullptr || found->is_null()) return otherwise;
  if (!found->is_number()) return std::nullopt;
  const double ms = std::ceil(found->get<double>() * 1000);
  if (!(ms >= 0 && ms <= static_cast<double>(most_ms))) return std::nullopt;
  return static_cast<std::int64_t>(ms);
}

std::vector<std::string> leases_of(const Json& body) {
  std::vector<std::string> out;
  if (const std::string one = text_member(body, "lease"); !one.empty()) out.push_back(one);
  if (const Json* const many = find_member(body, "leases"); many && many->is_array()) {
    for (const Json& lease : *many) {
      if (lease.is_string()) out.push_back(lease.get<std::string>());
    }
  }
  return out;
}

Result<std::int64_t> tell_everybody(StoreSession& session, const std::string& from, const std::string& kind,
                                    const Json& message) {
  AgentFilter others;
  others.except = from;
  const Result<std::vector<Agent>> agents = list_agents(session, others);
  if (!agents) return agents.error();
  std::vector<std::string> ids;
  for (const Agent& agent : *agents) ids.push_back(agent.agent_id);
  const Result<std::int64_t> told = enqueue_for_all(session, ids, kind, dump_json(message));
  if (!told) return told.error();
  if (Result<void> counted = session.database
                                 .statement("INSERT INTO counters (name, value) VALUES ('broadcasts', 1) ON "
                                            "CONFLICT (name) DO UPDATE SET value = value + 1")
                                 .run();
      !counted) {
    return counted.error();
  }
  if (Result<void> recorded = session.record("broadcast", {{"by", from}, {"recipients", *told}}); !recorded)
    return recorded.error();
  return *told;
}

}  // namespace

Result<Reply> poll(RouteCall& call) {
  const std::string& agent = call.captured[0];
  if (!is_agent_id(agent)) return make_error("AGENT_INVALID", "this is no id of an agent");
  const Result<Sender> sender = speak_as(call.session, call.config.access, call.caller, agent);
  if (!sender) return sender.error();
  const auto most = query_number(call.request, "max", 1, kMostMessages, kMostMessages);
  const auto lease_s = query_number(call.request, "lease", 1, call.session.limits.lease_most_ms / 1000, 0);
  const auto wait_s = query_number(call.request, "wait", 0, 60, 0);
  if (!most || !lease_s || !wait_s)
    return bad_request("max is 1 to 1000, lease a number of seconds up to 3600, wait up to 60");
  if (const Result<bool> heard = heard_of(call.session, agent); !heard) return heard.error();
  LeaseWish wish;
  wish.agent = agent;
  wish.most = static_cast<std::size_t>(*most);
  wish.of_connection = *lease_s == 0;
  wish.lease_ms = wish.of_connection ? call.session.limits.connection_lease_ms : *lease_s * 1000;
  const Result<std::vector<Leased>> messages = lease_messages(call.session, wish);
  if (!messages) return messages.error();
  Reply reply;
  // As texts: what waits was written by this relay and is JSON already.
  reply.body = "{\"messages\":[";
  for (const Leased& message : *messages) {
    if (reply.body.back() == '}') reply.body += ',';
    reply.body += message_text(message, !wish.of_connection);
    reply.leases.push_back(message.lease);
  }
  reply.body += "],\"count\":" + std::to_string(messages->size()) + "}";
  reply.acknowledges = wish.of_connection;
  reply.is_empty = messages->empty();
  return reply;
}

Result<Reply> acknowledge_messages(RouteCall& call) {
  const std::vector<std::string> leases = leases_of(call.body);
  if (leases.empty() || leases.size() > kMostLeases)
    return bad_request("lease, or up to 1000 leases, are required");
  Json acked = Json::array();
  Json stale = Json::array();
  for (const std::string& lease : leases) {
    Result<void> done = may_use(call, lease);
    if (done) done = acknowledge(call.session, lease);
    if (!done && done.error().code != "LEASE_STALE") return done.error();
    (done ? acked : stale).push_back(lease);
  }
  Json body{{"status", stale.empty() ? "acked" : "stale"}, {"acked", acked}};
  if (stale.empty()) return json_reply(body);
  body["stale"] = stale;
  body["code"] = "LEASE_STALE";
  body["error"] = "a lease is over: the message was acknowledged, given back, or somebody else has it";
  return json_reply(body, 409);
}

Result<Reply> give_back_message(RouteCall& call) {
  const std::string lease = text_member(call.body, "lease");
  const auto delay = seconds_member(call.body, "delay", kDay, 0);
  if (lease.empty() || !delay)
    return bad_request("lease is required; delay is a number of seconds up to a day");
  if (Result<void> may = may_use(call, lease); !may) return may.error();
  if (Result<void> done = give_back(call.session, lease, *delay); !done) return done.error();
  return json_reply({{"status", "given_back"}, {"lease", lease}});
}

Result<Reply> extend_message(RouteCall& call) {
  const std::string lease = text_member(call.body, "lease");
  const auto seconds = seconds_member(call.body, "seconds", call.session.limits.lease_most_ms, 60 * kSecond);
  if (lease.empty() || !seconds || *seconds == 0)
    return bad_request("lease is required; seconds is a number up to 3600");
  if (Result<void> may = may_use(call, lease); !may) return may.error();
  const Result<std::int64_t> until = extend_lease(call.session, lease, *seconds);
  if (!until) return until.error();
  return json_reply({{"status", "extended"}, {"lease", lease}, {"lease_until", iso_time(*until)}});
}

Result<Reply> broadcast(RouteCall& call) {
  const Result<Sender> sender = sender_of(call);
  if (!sender) return sender.error();
  if (sender->agent.empty() || !is_truthy(call.body, "content"))
    return bad_request("from_agent and content required");
  const std::string message_id = short_id(12);
  const Json* const topic = find_member(call.body, "topic");
  const Json* const tags = find_member(call.body, "tags");
  const Json message{{"type", "knowledge_broadcast"},
                     {"message_id", message_id},
                     {"from_agent", sender->agent},
                     {"content", call.body["content"]},
                     {"topic", topic != nullptr ? *topic : Json("general")},
                     {"tags", tags != nullptr ? *tags : Json::array()},
                     {"sender_verified", sender->verified},
                     {"timestamp", iso_time(call.session.now_ms)}};
  const Result<std::int64_t> told =
      tell_everybody(call.session, sender->agent, "knowledge_broadcast", message);
  if (!told) return told.error();
  return json_reply({{"status", "broadcast_sent"}, {"message_id", message_id}, {"recipients", *told}});
}

namespace {

Result<Reply> use_lease(StoreSession& session, const std::string& agent_id, const Json& frame,
                        const std::string& type) {
  const std::string lease = text_member(frame, "lease");
  const Result<std::string> agent = agent_of_lease(session, lease);
  if (!agent) return agent.error();
  if (*agent != agent_id) return make_error("FORBIDDEN", "this lease is of another agent");
  Result<void> done;
  if (type == "ack") {
    done = acknowledge(session, lease);
  } else if (type == "nack") {
    done = give_back(session, lease, seconds_member(frame, "delay", kDay, 0).value_or(0));
  } else {
    const Result<std::int64_t> until = extend_lease(
        session, lease,
        seconds_member(frame, "seconds", session.limits.lease_most_ms, 60 * kSecond).value_or(60 * kSecond));
    if (!until) done = until.error();
  }
  if (!done) return done.error();
  return Reply();
}

// Passed on as it was sent, as the original does: no task, no message id.
Result<Reply> pass_on(StoreSession& session, const Sender& sender, Json frame, const std::string& type) {
  frame["from_agent"] = sender.agent;
  frame["sender_verified"] = sender.verified;
  if (type == "broadcast") {
    frame["timestamp"] = iso_time(session.now_ms);
    const Result<std::int64_t> told = tell_everybody(session, sender.agent, type, frame);
    if (!told) return told.error();
    return Reply();
  }
  NewDelivery delivery;
  delivery.to_agent = text_member(frame, "to_agent");
  if (!is_agent_id(delivery.to_agent)) return bad_request("to_agent is no id of an agent");
  const Asker asker{sender.agent, sender.verified};
  if (Result<void> may = check_rules(session, kDelegate, asker, delivery.to_agent); !may) return may.error();
  const Result<std::optional<Forward>> elsewhere = find_forward(session, delivery.to_agent);
  if (!elsewhere) return elsewhere.error();
  if (*elsewhere)
    return bad_request(
        "this agent lives elsewhere, where frames are not carried: give it a task by POST /delegate");
  delivery.kind = type;
  delivery.priority = read_priority(text_member(frame, "priority"));
  delivery.body = dump_json(frame);
  if (const Result<std::int64_t> id = enqueue(session, delivery); !id) return id.error();
  if (Result<void> recorded = session.record("task", {{"from", sender.agent},
                                                      {"to", delivery.to_agent},
                                                      {"verified", sender.verified},
                                                      {"frame", true}});
      !recorded) {
    return recorded.error();
  }
  return Reply();
}

Result<Reply> take_frame(StoreSession& session, const Sender& sender, const Json& frame) {
  const std::string type = text_member(frame, "type");
  if (is_one_of(type, {"ack", "nack", "extend"})) return use_lease(session, sender.agent, frame, type);
  if (is_one_of(type, {"delegate", "broadcast"})) return pass_on(session, sender, frame, type);
  // A heartbeat; of what else it may be nothing is done.
  if (const Result<bool> heard = heard_of(session, sender.agent); !heard) return heard.error();
  return Reply();
}

}  // namespace

Reply answer_frame(StoreSession& session, const Sender& sender, const Json& frame) {
  if (!frame.is_object()) return Reply();
  Result<Reply> done = take_frame(session, sender, frame);
  if (done) return std::move(*done);
  Reply reply = error_reply(done.error());
  Json body{{"type", "error"}, {"error", done.error().message}, {"code", done.error().code}};
  if (const std::string lease = text_member(frame, "lease");
      !lease.empty() && lease.size() <= kMostLeaseBytes)
    body["lease"] = lease;
  reply.body = dump_json(body);
  return reply;
}

}  // namespace hostclaw::clawlink
