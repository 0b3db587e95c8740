// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/session.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "hostlink/client/channel.h"
#include "hostlink/client/local_files.h"
#include "hostlink/client/v2_requests.h"

namespace hostclaw::hostlink {

std::string random_text(std::size_t bytes) {
  std::vector<std::uint8_t> random(bytes);
  // A broken invariant of the system: without random numbers nothing here may go on.
  if (::getentropy(random.data(), random.size()) != 0) std::abort();
  return to_base64url(random);
}

std::string new_request_id() { return "cli-" + random_text(9); }

namespace {

// Protocol 1: a connection of its own.
class FrameExchange final : public Exchange {
 public:
  explicit FrameExchange(FrameChannel channel) : channel_(std::move(channel)) {}
  Result<void> send_data(std::string_view bytes) override { return channel_.send(bytes); }
  Result<void> send_trailer(std::string_view payload) override { return channel_.send(payload); }
  Result<std::string_view> receive() override { return channel_.receive(); }

 private:
  FrameChannel channel_;
};

// Null: the daemon takes it by protocol 1 alone.
Result<std::unique_ptr<Exchange>> begin_by_v2(const Session& session, const Request& request) {
  Connection& connection = *session.connection;
  const std::string text = build_request(request);
  if (connection.is_old || text.size() > v2::kMaxJsonPayload) return std::unique_ptr<Exchange>();
  if (connection.requests) {
    auto begun = connection.requests->begin(text);
    if (begun) return begun;
    connection.requests.reset();
  }
  auto link = open_v2(session);
  if (!link) return link.error();
  connection.is_old = !*link || !V2Requests::served_by(**link);
  if (connection.is_old) return std::unique_ptr<Exchange>();
  connection.requests = std::make_shared<V2Requests>(std::move(**link));
  return connection.requests->begin(text);
}

}  // namespace

Result<std::unique_ptr<Exchange>> begin_request(const Session& session, Request request) {
  request.id = new_request_id();
  const bool is_live = request.type == RequestType::kExec && !request.detach;
  if (session.options.protocol != 1 && !is_live) {
    auto begun = begin_by_v2(session, request);
    if (!begun || *begun) return begun;
  }
  if (session.options.protocol == 2)
    return make_error("PROTOCOL_2_NEEDED", "this is done by protocol 1 alone here", "leave out --protocol");
  request.token = session.target.token;
  auto stream =
      connect_to(session.target.endpoint, std::chrono::milliseconds(session.options.connect_timeout_ms));
  if (!stream) return stream.error();
  FrameChannel channel(std::move(*stream));
  if (const auto sent = channel.send(build_request(request)); !sent) {
    // A daemon that refuses early answers and closes while this end still sends.
    if (sent.error().code != "CONNECTION_LOST") return sent.error();
  }
  return std::unique_ptr<Exchange>(std::make_unique<FrameExchange>(std::move(channel)));
}

Result<Answer> ask(const Session& session, Request request) {
  const auto exchange = begin_request(session, std::move(request));
  if (!exchange) return exchange.error();
  const auto payload = (*exchange)->receive();
  if (!payload) return payload.error();
  Result<Reply> reply = parse_reply(*payload);
  if (!reply) return reply.error();
  Answer answer{std::move(*reply), {}};
  if (session.options.json) answer.payload = *payload;
  return answer;
}

bool is_unknown_type(const Reply& reply) {
  return reply.head.status == ReplyStatus::kBadRequest &&
         reply.head.error_msg.find(kUnknownMessageType) != std::string::npos;
}

Outcome print(std::string_view text, Outcome outcome) {
  if (write_fully(STDOUT_FILENO, text, "stdout")) return outcome;
  return outcome.ending == Ending::kOk ? Outcome{Ending::kLocal, 0} : outcome;
}

// A daemon's words go to a terminal; what was output of a command would come as it is.
void print_message(const Session& session, std::string_view text) {
  std::string shown;
  for (const std::string& line : split(to_valid_utf8(text), '\n'))
    shown += (shown.empty() ? "" : "\n") + show_unseen(line);
  static_cast<void>(write_fully(STDERR_FILENO, session.program + ": " + shown + "\n", "stderr"));
}

Outcome report(const Session& session, const Error& error) {
  std::string text = error.message;
  if (!error.next.empty()) text += "\n  next: " + error.next;
  print_message(session, text);
  const Outcome outcome = outcome_of(error);
  if (!session.options.json) return outcome;
  JsonObjectText line;
  line.add("version", std::int64_t{1}).add("status", "error").add("error_msg", error.message);
  line.add("code", error.code);
  if (!error.next.empty()) line.add("next", error.next);
  return print(line.take() + "\n", outcome);
}

void explain(const Session& session, const ReplyHead& head) {
  std::string text = head.node.empty() ? std::string() : "[" + head.node + "] ";
  text += head.error_msg.empty() ? std::string(reply_status_name(head.status)) : head.error_msg;
  if (!head.code.empty()) text += " (" + head.code + (head.layer.empty() ? ")" : ", " + head.layer + ")");
  if (!head.explanation.empty() && head.explanation != head.error_msg) text += "\n  " + head.explanation;
  if (!head.next.empty()) text += "\n  next: " + head.next;
  print_message(session, text);
}

std::string one_line(const Answer& answer) {
  const bool is_line = answer.payload.find_first_of("\r\n") == std::string::npos && !answer.payload.empty();
  return (is_line ? answer.payload : dump_json(answer.reply.object)) + "\n";
}

Outcome report(const Session& session, const Answer& answer, std::int64_t exit_code) {
  const Outcome outcome = outcome_of(answer.reply.head, exit_code);
  if (session.options.json) return print(one_line(answer), outcome);
  if (answer.reply.head.status != ReplyStatus::kOk) explain(session, answer.reply.head);
  return outcome;
}

}  // namespace hostclaw::hostlink
