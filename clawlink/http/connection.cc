// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "base/text.h"
#include "clawlink/http/a2a_door.h"
#include "clawlink/http/metrics.h"
#include "clawlink/http/peer_watch.h"
#include "clawlink/http/socket.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;

constexpr std::uint32_t kMostHeadBytes = 16 * 1024;
constexpr std::chrono::seconds kIdle{75};
constexpr std::chrono::seconds kBodyTime{60};
constexpr std::chrono::seconds kWriteTime{60};
constexpr std::size_t kKeepBufferBytes = 65'536;
constexpr std::size_t kSmallBodyBytes = 16 * 1024;
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kMostThrownAway = 16 * 1024 * 1024;

std::string_view reason_of(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

std::string field_text(const http::fields& fields, http::field name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}
std::string field_text(const http::fields& fields, const char* name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}

HttpRequest read_request(const Connection& connection, const Parser& parser) {
  const auto& message = parser.get();
  HttpRequest request;
  request.method = std::string(message.method_string());
  read_target({message.target().data(), message.target().size()}, request);
  request.presented.bearer = bearer_token(field_text(message, http::field::authorization));
  request.presented.query_token = request.query_text("token");
  request.host = field_text(message, http::field::host);
  request.origin = field_text(message, http::field::origin);
  request.fetch_site = to_lower_ascii(field_text(message, "Sec-Fetch-Site"));
  request.idempotency_key = field_text(message, "Idempotency-Key");
  request.if_match = field_text(message, http::field::if_match);
  request.last_event_id = field_text(message, "Last-Event-ID");
  request.a2a_version = field_text(message, "A2A-Version");
  request.content_type = field_text(message, http::field::content_type);
  request.if_none_match = field_text(message, http::field::if_none_match);
  request.accept = field_text(message, http::field::accept);
  request.peer = connection.peer;
  request.takes_chunks = message.version() >= 11;
  return request;
}

// Pages of a browser: a name that was made to lead here, or another site's script. Neither is let in, for on
// loopback there may be no token that it would have to know.
std::optional<Reply> refuse_strangers(const ServiceConfig& config, const HttpRequest& request) {
  if (config.is_loopback && !is_loopback_name(host_of(request.host)))
    return error_reply(421, "this relay is reached as localhost or 127.0.0.1 alone", "HOST_REFUSED");
  // A GET that a page cannot read has no Origin, and would empty a queue all the same.
  const bool of_a_page =
      !request.fetch_site.empty() && !is_one_of(request.fetch_site, {"same-origin", "none"});
  const std::size_t scheme = request.origin.find("://");
  const std::string from = scheme == std::string::npos ? std::string() : request.origin.substr(scheme + 3);
  // Another port of this machine is another site.
  const bool ours = request.origin.empty() || to_lower_ascii(from) == to_lower_ascii(request.host);
  if (ours && !of_a_page) return std::nullopt;
  return error_reply(403, "pages of other sites are not let in", "ORIGIN_REFUSED");
}

// What is waited for with ?wait=: whoever rings for it, or nothing.
std::string waited_for(const HttpRequest& request) {
  if (request.method != "GET" || request.path.size() != 2 || request.query_text("wait").empty()) return {};
  if (request.path[0] == "poll") return Hub::of_agent(request.path[1]);
  if (request.path[0] == "tasks") return Hub::of_task(request.path[1]);
  return {};
}

asio::awaitable<Reply> answer_now(RelayService& service, const HttpRequest& request) {
  if (is_metrics(request)) {
    Reply metrics = co_await metrics_reply(service, request);
    co_return metrics;
  }
  CommitWriter::Work work = [&service, &request](StoreSession& session) {
    return answer(session, service.config().routes, request);
  };
  Reply reply = co_await service.run(std::move(work));
  co_return reply;
}

void settle(RelayService& service, const Reply& reply, bool written) {
  if (reply.leases.empty() || (written && !reply.acknowledges)) return;
  service.start([leases = reply.leases, written](StoreSession& session) -> Reply {
    if (!written) {
      const Result<void> freed = free_leases(session, leases);
      return freed ? Reply() : error_reply(freed.error());
    }
    for (const std::string& lease : leases) {
      const Result<void> done = acknowledge(session, lease);
      // The answer took longer than the lease: somebody else has it by now, as the lease said.
      if (!done && done.error().code != "LEASE_STALE") return error_reply(done.error());
    }
    return Reply();
  });
}

// nullopt: the client has gone while its request waited; what it would have got waits again.
asio::awaitable<std::optional<Reply>> answer_in_time(Connection& connection, const HttpRequest& request) {
  RelayService& service = connection.service;
  std::string what = waited_for(request);
  const auto seconds = query_number(request, "wait", 0, 60, 0);
  if (what.empty() || !seconds || *seconds == 0) {
    Reply reply = co_await answer_now(service, request);
    co_return std::move(reply);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(*seconds);
  Bell bell(service.executor());
  if (request.path[0] == "tasks" && request.path[1].size() < 36) {
    // Bells of tasks are called by their whole id.
    Reply named = co_await answer_now(service, request);
    if (named.status != 200 || !named.is_empty) co_return std::move(named);
    what = Hub::of_task(text_member(Json::parse(named.body), "task_id"));
  }
  const Counted counted(service.counts(), &RelayCounts::waiting_polls);
  const Hub::Place place(service.hub(), what, bell);
  const PeerWatch watch(connection.stream, bell);
  for (;;) {
    Reply reply = co_await answer_now(service, request);
    if (watch.gone()) {
      settle(service, reply, false);
      co_return std::nullopt;
    }
    if (reply.status != 200 || !reply.is_empty) co_return std::move(reply);
    const bool rung = co_await bell.wait_until(end);
    if (!rung) co_return std::move(reply);
  }
}

std::size_t body_limit(const ServiceConfig& config, const HttpRequest& request) {
  return request.is("POST", "files") ? config.limits.file_body_bytes : config.limits.body_bytes;
}

// Who may not speak at all is told so before he is listened to. A credential in front of a small body is
// looked up with the request alone.
asio::awaitable<std::optional<Reply>> refuse_head(Connection& connection, const Parser& parser,
                                                  const HttpRequest& request) {
  RelayService& service = connection.service;
  const AccessRules& access = service.config().routes.access;
  const auto length = parser.content_length();
  const bool has_body = parser.chunked() || (length && *length > 0);
  const bool is_small = length && *length <= kSmallBodyBytes;
  const bool of_store = shows_credential(request.presented);
  if (!has_body || (of_store && is_small)) co_return std::nullopt;
  CommitWriter::Work work = [&access, &request](StoreSession& session) {
    const Result<Caller> caller = authenticate(session, access, request.presented);
    return caller ? Reply() : error_reply(caller.error());
  };
  Reply reply;
  if (of_store) {
    reply = co_await service.run(std::move(work));
  } else if (const Result<Caller> caller = authenticate_shared(access, request.presented); !caller) {
    reply = error_reply(caller.error());
  }
  if (reply.status == 200) co_return std::nullopt;
  if (is_a2a(request)) reply = a2a_refusal(request, std::move(reply));
  if (reply.is_refused_access) co_await brake(service, request);
  co_return std::move(reply);
}

// Reads the rest of a request whose head is there. An answer: the connection ends with it.
asio::awaitable<std::optional<Reply>> read_rest(Connection& connection, Parser& parser,
                                                HttpRequest& request) {
  const std::size_t most = body_limit(connection.service.config(), request);
  const Reply too_large = text_reply(413, "Maximum request body size " + std::to_string(most) + " exceeded");
  // Beast has compared the announced length with the larger of the limits; a body in chunks is counted as it
  // comes.
  if (const auto length = parser.content_length(); length && *length > most) co_return too_large;
  parser.body_limit(most);
  connection.stream.tcp().expires_after(kBodyTime);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!co_await write_all(connection.stream, go_on)) co_return Reply();
  }
  const auto [failed, size] = co_await http::async_read(connection.stream, connection.buffer, parser, kTuple);
  if (failed == http::error::body_limit) co_return too_large;
  if (failed) co_return text_reply(400, "400: Bad Request");
  request.body = std::move(parser.get().body());
  co_return std::nullopt;
}

enum class Next { kGoOn, kEnd };

asio::awaitable<Next> answer_request(Connection& connection, const HttpRequest& request, bool keep_alive) {
  RelayService& service = connection.service;
  connection.stream.tcp().expires_never();
  const std::optional<Reply> answered = co_await answer_in_time(connection, request);
  if (!answered) co_return Next::kEnd;
  const Reply& reply = *answered;
  service.counts()->answered(reply.status);
  if (reply.is_refused_access) co_await brake(service, request);
  const std::string bytes = wire_bytes(reply, keep_alive);
  connection.stream.tcp().expires_after(kWriteTime);
  const bool written = co_await write_all(connection.stream, bytes);
  settle(service, reply, written);
  co_return written&& keep_alive ? Next::kGoOn : Next::kEnd;
}

asio::awaitable<void> end_with(Connection& connection, const Reply& reply) {
  connection.service.counts()->answered(reply.status);
  const std::string bytes = wire_bytes(reply, false);
  connection.stream.tcp().expires_after(kWriteTime);
  if (!co_await write_all(connection.stream, bytes)) co_return;
  // What the client is still sending would make the system forget the answer: it is read and thrown away.
  error_code ended;
  connection.stream.tcp().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ended);
  connection.stream.tcp().expires_after(kLinger);
  std::array<char, 4096> thrown_away{};
  for (std::size_t read = 0; !ended && read < kMostThrownAway;) {
    const auto [failed, size] =
        co_await connection.stream.tcp().async_read_some(asio::buffer(thrown_away), kTuple);
    ended = failed;
    read += size;
  }
}

asio::awaitable<bool> shake_hands(Connection& connection) {
  if (connection.stream.tls() == nullptr) co_return true;
  connection.stream.tcp().expires_after(kBodyTime);
  const auto [failed] = co_await connection.stream.async_handshake(asio::ssl::stream_base::server, kTuple);
  co_return !failed;
}

// Asks whether the stream may be opened. Empty: it may.
asio::awaitable<std::optional<Reply>> refuse_stream(Connection& connection, const HttpRequest& request,
                                                    const StreamCaller& stream) {
  RelayService& service = connection.service;
  CommitWriter::Work work = [&](StoreSession& session) {
    return open_stream(session, service.config().routes, stream);
  };
  Reply reply = co_await service.run(std::move(work));
  if (reply.is_refused_access) co_await brake(service, request);
  if (reply.status != 200) co_return std::move(reply);
  co_return std::nullopt;
}

bool is_stream(const HttpRequest& request, std::string_view first) {
  return request.is("GET", first) && request.path.size() == 2 && !request.path[1].empty();
}

// True: the request was one for a stream, which has ended with the connection.
asio::awaitable<bool> serve_stream(std::unique_ptr<Connection>& connection, const HttpRequest& request,
                                   Parser& parser) {
  const bool socket = is_stream(request, "ws");
  if (!socket && !is_stream(request, "events")) co_return false;
  StreamCaller caller{request.presented, request.path[1]};
  connection->stream.tcp().expires_never();
  const std::optional<Reply> refused = co_await refuse_stream(*connection, request, caller);
  if (refused) {
    co_await end_with(*connection, *refused);
  } else if (!socket) {
    const Counted counted(connection->service.counts(), &RelayCounts::event_streams);
    co_await serve_events(*connection, request, std::move(caller));
  } else if (!beast::websocket::is_upgrade(parser.get())) {
    const Reply reply = text_reply(400, "400: No WebSocket UPGRADE hdr");
    co_await end_with(*connection, reply);
  } else if (connection->buffer.size() != 0) {
    // Frames may follow the answer only; these would be lost.
    const Reply reply = text_reply(400, "400: Frames before the handshake");
    co_await end_with(*connection, reply);
  } else {
    const Counted counted(connection->service.counts(), &RelayCounts::sockets);
    SocketWish wish{std::move(caller), request.query_text("ack") == "1"};
    UpgradeRequest upgrade = parser.release();
    co_await serve_socket(std::move(connection), std::move(upgrade), std::move(wish));
  }
  co_return true;
}

}  // namespace

asio::awaitable<void> brake(RelayService& service, const HttpRequest& request) {
  asio::steady_timer timer(service.executor(), service.refused(request.peer));
  co_await timer.async_wait(kTuple);
}

std::string wire_bytes(const Reply& reply, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head += reason_of(reply.status);
  if (reply.status != 204)
    head += "\r\nContent-Type: " + reply.content_type +
            "\r\nContent-Length: " + std::to_string(reply.body.size());
  for (const auto& [name, value] : reply.headers) head += "\r\n" + name + ": " + value;
  head += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head + reply.body;
}

asio::awaitable<bool> write_all(MaybeTlsStream& stream, const std::string& bytes) {
  const auto [failed, size] = co_await asio::async_write(stream, asio::buffer(bytes), kTuple);
  co_return !failed;
}

asio::awaitable<void> serve_connection(std::unique_ptr<Connection> connection) {
  const Counted counted(connection->service.counts(), &RelayCounts::connections);
  if (!co_await shake_hands(*connection)) co_return;
  for (;;) {
    Parser parser;
    parser.header_limit(kMostHeadBytes);
    // Only the head is read here; how much may follow is known then.
    parser.body_limit(std::max(connection->service.config().limits.body_bytes,
                               connection->service.config().limits.file_body_bytes));
    connection->stream.tcp().expires_after(kIdle);
    const auto [failed, size] =
        co_await http::async_read_header(connection->stream, connection->buffer, parser, kTuple);
    if (failed == http::error::body_limit) {
      const Reply reply = text_reply(413, "Maximum request body size exceeded");
      co_await end_with(*connection, reply);
      co_return;
    }
    if (failed == http::error::end_of_stream || failed == beast::error::timeout || failed == asio::error::eof)
      co_return;
    if (failed) {
      const Reply reply = text_reply(failed == http::error::header_limit ? 431 : 400, "400: Bad Request");
      co_await end_with(*connection, reply);
      co_return;
    }
    HttpRequest request = read_request(*connection, parser);
    std::optional<Reply> refused = refuse_strangers(connection->service.config(), request);
    if (!refused) {
      if (co_await serve_stream(connection, request, parser)) co_return;
      refused = co_await refuse_head(*connection, parser, request);
    }
    if (!refused) refused = co_await read_rest(*connection, parser, request);
    if (refused) {
      co_await end_with(*connection, *refused);
      co_return;
    }
    const bool keep_alive = parser.get().keep_alive();
    if (is_a2a(request)) {
      if (!co_await serve_a2a(*connection, request, keep_alive)) co_return;
      continue;
    }
    if (co_await answer_request(*connection, request, keep_alive) == Next::kEnd) co_return;
    if (connection->service.stopped()) co_return;
    // A large body must not pin its buffer for the life of an idle connection.
    if (connection->buffer.capacity() > kKeepBufferBytes && connection->buffer.size() == 0)
      connection->buffer = beast::flat_buffer(kMostBufferBytes);
  }
}

}  // namespace hostclaw::clawlink
