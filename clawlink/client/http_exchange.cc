// SPDX-License-Identifier: Apache-2.0
#include "clawlink/client/http_exchange.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/none.hpp>
#include <charconv>
#include <optional>

#include "base/maybe_tls_stream.h"
#include "base/tls_roots.h"
#include "clawlink/http/waiting.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using AnswerParser = http::response_parser<http::string_body>;

constexpr int kMostRetryAfter = 3600;

asio::awaitable<error_code> secure(MaybeTlsStream& stream, const std::string& host) {
  error_code no_address;
  asio::ip::make_address(host, no_address);
  if (no_address) SSL_set_tlsext_host_name(stream.tls()->native_handle(), host.c_str());
  stream.tls()->set_verify_mode(asio::ssl::verify_peer);
  stream.tls()->set_verify_callback(asio::ssl::host_name_verification(host));
  const auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::client, kTuple);
  co_return failed;
}

std::chrono::seconds retry_after_of(const AnswerParser& parser) {
  const auto text = parser.get()[http::field::retry_after];
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(std::clamp(seconds, 0, kMostRetryAfter));
}

asio::awaitable<error_code> read_answer(MaybeTlsStream& stream, std::size_t body_bytes, HttpAttempt& out) {
  beast::flat_buffer buffer;
  AnswerParser parser;
  if (body_bytes == 0) {
    parser.body_limit(boost::none);
    const auto [failed, size] = co_await http::async_read_header(stream, buffer, parser, kTuple);
    if (failed) co_return failed;
  } else {
    parser.body_limit(body_bytes);
    const auto [failed, size] = co_await http::async_read(stream, buffer, parser, kTuple);
    if (failed) co_return failed;
  }
  out.status = static_cast<int>(parser.get().result_int());
  out.retry_after = retry_after_of(parser);
  out.body = std::move(parser.get().body());
  co_return error_code();
}

}  // namespace

Result<std::unique_ptr<asio::ssl::context>> client_tls(const std::string& ca_file) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  context->set_verify_mode(asio::ssl::verify_peer);
  load_system_roots(context->native_handle());
  if (ca_file.empty()) return context;
  error_code failed;
  context->load_verify_file(ca_file, failed);
  if (failed) return make_error("TLS_FAILED", "cannot read the CA file " + ca_file);
  return context;
}

asio::awaitable<HttpAttempt> exchange_http(const HttpPeer& peer, const std::string& request,
                                           const HttpPatience& patience) {
  HttpAttempt out;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  beast::tcp_stream connecting(executor);
  connecting.expires_after(patience.connect);
  const auto [refused, chosen] = co_await connecting.async_connect(peer.endpoints, kTuple);
  out.failed = refused;
  if (out.failed) co_return out;
  MaybeTlsStream stream =
      peer.tls ? MaybeTlsStream(std::move(connecting), *peer.tls) : MaybeTlsStream(std::move(connecting));
  if (peer.tls != nullptr) {
    out.step = HttpStep::kTls;
    out.failed = co_await secure(stream, peer.host);
    if (out.failed) co_return out;
  }
  out.step = HttpStep::kTalk;
  stream.tcp().expires_after(patience.answer);
  const auto [unsent, size] = co_await asio::async_write(stream, asio::buffer(request), kTuple);
  // A peer may answer before it has read everything, and close.
  error_code failed = co_await read_answer(stream, patience.body_bytes, out);
  if (failed) out.failed = unsent ? unsent : failed;
  if (!failed) out.step = HttpStep::kDone;
  co_return out;
}

}  // namespace hostclaw::clawlink
