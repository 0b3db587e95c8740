// SPDX-License-Identifier: Apache-2.0
// Server-sent events: what waits first, then what comes, each with the number of its sending. Whoever comes
// back with Last-Event-ID gets what was sent after it once more, for an hour.
#include <charconv>

#include "clawlink/http/connection.h"
#include "clawlink/http/event_stream.h"
#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kKeepAlive{20};
constexpr std::chrono::seconds kEventWriteTime{60};
constexpr std::size_t kMostAtOnce = 100;
constexpr std::size_t kMostChunkBytes = 4'000'000;

std::string event_text(std::int64_t number, const std::string& data) {
  return "id: " + std::to_string(number) + "\ndata: " + data + "\n\n";
}

// The events of one look, as bytes for the wire, and how far they reach.
struct Chunk {
  std::string bytes;
  std::int64_t last = 0;
};

asio::awaitable<Reply> send_again(RelayService& service, const StreamCaller& stream, Chunk& chunk) {
  CommitWriter::Work work = [&](StoreSession& session) {
    if (const Result<Sender> sender = receiver(session, service.config().routes, stream); !sender)
      return error_reply(sender.error());
    const auto events = sent_events(session, stream.agent_id, chunk.last, kMostAtOnce, kMostChunkBytes);
    if (!events) return error_reply(events.error());
    for (const SentEvent& event : *events) {
      chunk.bytes += event_text(event.event_id, event.text);
      chunk.last = event.event_id;
    }
    return Reply();
  };
  Reply reply = co_await service.run(std::move(work));
  co_return reply;
}

// Taken from the queue and kept among the sent ones in one transaction: a stream that breaks resumes behind
// the last event that its reader has seen, so nothing depends on whether the bytes arrived.
asio::awaitable<Reply> send_new(RelayService& service, const StreamCaller& stream, Chunk& chunk) {
  CommitWriter::Work work = [&](StoreSession& session) {
    if (const Result<Sender> sender = receiver(session, service.config().routes, stream); !sender)
      return error_reply(sender.error());
    LeaseWish wish;
    wish.agent = stream.agent_id;
    wish.most = kMostAtOnce;
    wish.lease_ms = session.limits.connection_lease_ms;
    wish.of_connection = true;
    const Result<std::vector<Leased>> messages = lease_messages(session, wish);
    if (!messages) return error_reply(messages.error());
    for (const Leased& message : *messages) {
      const std::string text = message_text(message, false);
      const Result<std::int64_t> number = acknowledge_as_event(session, message.lease, text);
      if (!number) return error_reply(number.error());
      chunk.bytes += event_text(*number, text);
      chunk.last = *number;
    }
    return Reply();
  };
  Reply reply = co_await service.run(std::move(work));
  co_return reply;
}

std::optional<std::int64_t> resume_after(const HttpRequest& request) {
  const std::string& text = request.last_event_id;
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size() || number < 0)
    return std::nullopt;
  return number;
}

}  // namespace

asio::awaitable<void> serve_events(Connection& connection, const HttpRequest& request, StreamCaller stream) {
  const std::string& agent_id = stream.agent_id;
  RelayService& service = connection.service;
  Bell bell(service.executor());
  const Hub::Place place(service.hub(), Hub::of_agent(agent_id), bell);
  EventStream events(connection, request.takes_chunks, kEventWriteTime);
  const std::string head = ": what waits for " + agent_id + "\n\n";
  if (!co_await events.begin(head)) co_return;
  if (const auto after = resume_after(request)) {
    Chunk chunk{{}, *after};
    for (;;) {
      chunk.bytes.clear();
      const Reply reply = co_await send_again(service, stream, chunk);
      if (reply.status != 200 || chunk.bytes.empty()) break;
      if (!co_await events.write(chunk.bytes)) co_return;
    }
  }
  for (;;) {
    Chunk chunk;
    const Reply reply = co_await send_new(service, stream, chunk);
    if (reply.status != 200) co_return;
    if (!chunk.bytes.empty()) {
      if (!co_await events.write(chunk.bytes)) co_return;
      continue;
    }
    if (co_await bell.wait_until(std::chrono::steady_clock::now() + kKeepAlive)) continue;
    const std::string still_here = ": still here\n\n";
    if (!co_await events.write(still_here)) co_return;
    service.start([agent_id = agent_id](StoreSession& session) {
      const Result<bool> heard = heard_of(session, agent_id);
      return heard ? Reply() : error_reply(heard.error());
    });
  }
}

}  // namespace hostclaw::clawlink
