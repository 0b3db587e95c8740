// SPDX-License-Identifier: Apache-2.0
// ping, targets, df.
#include <cstdlib>

#include "base/json.h"
#include "hostlink/client/session.h"
#include "hostlink/proto/members.h"

namespace hostclaw::hostlink {
namespace {

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Request request_of(RequestType type) {
  Request request;
  request.type = type;
  return request;
}

std::string pong_text(const Answer& answer) {
  return "pong - uptime " + std::to_string(integer_member(answer.reply.object, "uptime_s").value_or(0)) + "s";
}

struct PingOfTarget {
  Outcome outcome;
  std::string text;
};

PingOfTarget ping_target(const Session& session, const Target& target) {
  Session one = session;
  one.options.json = false;
  const auto with = with_token(target, session.options, process_environment);
  if (!with) return {outcome_of(with.error()), with.error().message};
  one.target = *with;
  one.connection = std::make_shared<Connection>();
  const auto answer = ask(one, request_of(RequestType::kPing));
  if (!answer) return {outcome_of(answer.error()), answer.error().message};
  const Outcome outcome = outcome_of(answer->reply.head);
  return {outcome, outcome.ending == Ending::kOk ? pong_text(*answer) : answer->reply.head.error_msg};
}

}  // namespace

Outcome run_ping(Session& session) {
  const auto answer = ask(session, request_of(RequestType::kPing));
  if (!answer) return report(session, answer.error());
  if (session.options.json || answer->reply.head.status != ReplyStatus::kOk) return report(session, *answer);
  return print("[" + answer->reply.head.node + "] " + pong_text(*answer) + "\n");
}

Outcome run_targets(Session& session) {
  const auto targets = load_targets(session.options, process_environment);
  if (!targets) return report(session, targets.error());
  Outcome worst;
  std::string lines;
  std::string list = "[";
  for (const Target& target : *targets) {
    const std::string endpoint = endpoint_text(target.endpoint);
    lines += target.name + "  " + std::string(transport_name(target.endpoint.transport)) + "  " + endpoint;
    JsonObjectText object;
    object.add("name", target.name).add("transport", transport_name(target.endpoint.transport));
    object.add("endpoint", endpoint);
    if (session.options.ping) {
      const PingOfTarget ping = ping_target(session, target);
      lines += "  " + ping.text;
      object.add("reachable", ping.outcome.ending == Ending::kOk).add("ping", ping.text);
      if (worst.ending == Ending::kOk) worst = ping.outcome;
    }
    lines += "\n";
    if (list.size() > 1) list += ',';
    list += object.take();
  }
  return print(session.options.json ? list + "]\n" : lines, worst);
}

Outcome run_df(Session& session) {
  if (session.words.size() > 1)
    return report(session, make_error("USAGE", "df takes one path", "hostlink df PATH"));
  Request request = request_of(RequestType::kStatFs);
  request.path = session.words.empty() ? "/" : session.words[0];
  const auto answer = ask(session, std::move(request));
  if (!answer) return report(session, answer.error());
  if (session.options.json || answer->reply.head.status != ReplyStatus::kOk) return report(session, *answer);
  const SpaceReply space = space_reply_from(answer->reply);
  const std::string at =
      space.resolved == space.path ? space.path : space.path + " (at " + space.resolved + ")";
  return print("[" + answer->reply.head.node + "] " + at + ": " + std::to_string(space.free_bytes) + " of " +
               std::to_string(space.total_bytes) + " bytes free\n");
}

}  // namespace hostclaw::hostlink
