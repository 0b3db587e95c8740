// SPDX-License-Identifier: Apache-2.0
// Speaks to a relay, this one or the original: one request, one answer, with a deadline, and again where that
// does no harm. A change carries an Idempotency-Key; when its answer was lost it is repeated only to a relay
// that says that it knows such keys, so that nothing is done twice.
//
// Thread rule: one thread; blocks. Errors: RELAY_URL_INVALID, RELAY_UNREACHABLE (nothing was sent),
// RELAY_LOST (it is not known whether the change was made), TLS_FAILED, RELAY_ANSWER_INVALID.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::clawlink {

struct RelayAddress {
  bool tls = false;
  std::string host;
  std::uint16_t port = 80;
  std::string authority;  // as the Host header names it
  std::string base;       // of the path, without a slash at its end
};
Result<RelayAddress> read_relay_url(std::string_view url);

struct ClientOptions {
  std::string url;      // without a slash at its end
  std::string token;    // secret; empty: none
  std::string ca_file;  // beside the system's
  std::chrono::milliseconds timeout{10'000};
  int tries = 4;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target;             // "/poll/ID"
  Json body = nullptr;            // of a POST
  std::chrono::seconds waits{0};  // how long the relay may take on purpose
};
struct ClientAnswer {
  int status = 0;
  Json body;
};

class RelayClient {
 public:
  explicit RelayClient(ClientOptions options) : options_(std::move(options)) {}
  // Any answer of the relay, refusals too.
  Result<ClientAnswer> exchange(const ClientRequest& request);
  // The body of an answer below 400; else its `error`, with its `code`.
  Result<Json> ask(const ClientRequest& request);
  Result<Json> get(const std::string& target) { return ask({"GET", target}); }
  Result<Json> post(const std::string& target, Json body) { return ask({"POST", target, std::move(body)}); }

 private:
  Result<bool> knows_keys();

  ClientOptions options_;
};

// One segment of a path.
std::string path_segment(std::string_view text);

}  // namespace hostclaw::clawlink
