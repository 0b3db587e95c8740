// SPDX-License-Identifier: Apache-2.0
#include "clawlink/client/relay_client.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <optional>
#include <thread>

#include "approvals/platform/random_id.h"
#include "base/text.h"
#include "clawlink/client/http_exchange.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMostAnswerBytes = 64 * 1024 * 1024;
constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::seconds kMostPause{10};

// Where an attempt ended.
struct Attempt {
  bool sent = false;  // the relay may have acted
  std::optional<Error> failed;
  int status = 0;
  std::string body;
  std::chrono::seconds retry_after{0};
};

std::string request_bytes(const ClientOptions& options, const RelayAddress& address,
                          const ClientRequest& request, const std::string& key) {
  const std::string body = request.body.is_null() ? std::string() : dump_json(request.body);
  std::string text = request.method + " " + address.base + request.target +
                     " HTTP/1.1\r\nHost: " + address.authority +
                     "\r\nAccept: */*\r\nConnection: close\r\nContent-Type: application/json";
  if (!options.token.empty()) text += "\r\nAuthorization: Bearer " + options.token;
  if (request.method == "POST")
    text += "\r\nIdempotency-Key: " + key + "\r\nContent-Length: " + std::to_string(body.size());
  return text + "\r\n\r\n" + body;
}

Error unreachable(const RelayAddress& address, const error_code& failed) {
  return make_error("RELAY_UNREACHABLE",
                    "cannot reach the relay at " + address.authority + ": " + failed.message(),
                    "hostclaw clawlink serve, or name another with --relay URL");
}

// One request on a connection of its own.
class Exchange {
 public:
  Exchange(const ClientOptions& options, const RelayAddress& address, std::string bytes,
           std::chrono::milliseconds patience)
      : options_(options), address_(address), bytes_(std::move(bytes)), patience_(patience) {}

  Attempt run() {
    if (address_.tls) {
      auto context = client_tls(options_.ca_file);
      if (!context) {
        attempt_.failed = context.error();
        return attempt_;
      }
      context_ = std::move(*context);
    }
    asio::co_spawn(io_, talk(), asio::detached);
    io_.run();
    return std::move(attempt_);
  }

 private:
  asio::awaitable<void> talk() {
    error_code failed;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(address_.host, std::to_string(address_.port), failed);
    if (failed) co_return fail(unreachable(address_, failed));
    HttpPeer peer;
    for (const auto& entry : found) peer.endpoints.push_back(entry.endpoint());
    peer.host = address_.host;
    peer.tls = context_.get();
    const HttpPatience patience{patience_, patience_, kMostAnswerBytes};
    HttpAttempt made = co_await exchange_http(peer, bytes_, patience);
    attempt_.sent = made.step >= HttpStep::kTalk;
    attempt_.status = made.status;
    attempt_.retry_after = made.retry_after;
    attempt_.body = std::move(made.body);
    if (made.step != HttpStep::kDone) fail(reason(made));
  }

  Error reason(const HttpAttempt& made) const {
    switch (made.step) {
      case HttpStep::kConnect:
        return unreachable(address_, made.failed);
      case HttpStep::kTls:
        return make_error("TLS_FAILED",
                          "TLS with " + address_.authority + " failed: " + made.failed.message(),
                          "name the certificate's CA with --ca FILE");
      default:
        return make_error("RELAY_LOST", "no answer of the relay at " + address_.authority +
                                            " arrived: " + made.failed.message());
    }
  }
  void fail(Error error) { attempt_.failed = std::move(error); }

  const ClientOptions& options_;
  const RelayAddress& address_;
  const std::string bytes_;
  const std::chrono::milliseconds patience_;
  asio::io_context io_{1};
  std::unique_ptr<asio::ssl::context> context_;
  Attempt attempt_;
};

}  // namespace

Result<RelayAddress> read_relay_url(std::string_view url) {
  const Error invalid = make_error("RELAY_URL_INVALID", "a relay is named like http://127.0.0.1:9077");
  RelayAddress address;
  if (url.starts_with("https://")) {
    address.tls = true;
    address.port = 443;
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else {
    return invalid;
  }
  const std::size_t slash = url.find('/');
  address.authority = std::string(url.substr(0, slash));
  if (slash != std::string_view::npos) address.base = std::string(url.substr(slash));
  while (address.base.ends_with('/')) address.base.pop_back();
  std::string_view host = address.authority;
  if (host.find_first_of("@ \t\r\n?#") != std::string_view::npos ||
      address.base.find_first_of(" \t\r\n?#") != std::string::npos)
    return invalid;
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view port = host.substr(colon + 1);
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (failed != std::errc() || end != port.data() + port.size() || address.port == 0) return invalid;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return invalid;
  address.host = std::string(host);
  return address;
}

std::string path_segment(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_ascii_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Result<ClientAnswer> RelayClient::exchange(const ClientRequest& request) {
  const Result<RelayAddress> address = read_relay_url(options_.url);
  if (!address) return address.error();
  const std::string bytes = request_bytes(options_, *address, request, approvals::new_uuid());
  const auto patience = options_.timeout + std::chrono::milliseconds(request.waits);
  std::chrono::milliseconds pause = kFirstPause;
  for (int turn = 1;; ++turn) {
    Attempt attempt = Exchange(options_, *address, bytes, patience).run();
    const bool busy = !attempt.failed && (attempt.status == 429 || attempt.status == 503);
    if (!attempt.failed && !busy) {
      Result<Json> body = parse_json(attempt.body, {kMostAnswerBytes, 64});
      return ClientAnswer{attempt.status, body ? std::move(*body) : Json(attempt.body)};
    }
    const bool changes = request.method == "POST";
    if (turn >= options_.tries || (attempt.failed && attempt.failed->code == "TLS_FAILED")) {
      if (attempt.failed) return *attempt.failed;
      Result<Json> body = parse_json(attempt.body);
      return ClientAnswer{attempt.status, body ? std::move(*body) : Json(attempt.body)};
    }
    if (attempt.failed && attempt.sent && changes) {
      const Result<bool> known = knows_keys();
      if (!known || !*known) return *attempt.failed;
    }
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(
        std::max<std::chrono::milliseconds>(pause, attempt.retry_after), kMostPause));
    pause *= 3;
  }
}

Result<bool> RelayClient::knows_keys() {
  Result<Json> about = get("/");
  if (!about) return about.error();
  const auto features = about->find("features");
  return features != about->end() && features->is_array() &&
         std::find(features->begin(), features->end(), "idempotency") != features->end();
}

Result<Json> RelayClient::ask(const ClientRequest& request) {
  Result<ClientAnswer> answer = exchange(request);
  if (!answer) return answer.error();
  if (answer->status < 400) {
    if (!answer->body.is_object())
      return make_error("RELAY_ANSWER_INVALID", "what answers there is no relay: its answer is not JSON");
    return std::move(answer->body);
  }
  const bool said =
      answer->body.is_object() && answer->body.contains("error") && answer->body["error"].is_string();
  const std::string message =
      said ? answer->body["error"].get<std::string>() : "HTTP " + std::to_string(answer->status);
  const bool coded = said && answer->body.contains("code") && answer->body["code"].is_string();
  return make_error(
      coded ? answer->body["code"].get<std::string>() : "HTTP_" + std::to_string(answer->status), message,
      answer->status == 401 ? "CLAWLINK_TOKEN=... hostclaw clawlink ..." : "");
}

}  // namespace hostclaw::clawlink
